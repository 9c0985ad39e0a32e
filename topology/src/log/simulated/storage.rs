//! The stores of a process: in memory, outliving it, with writes at which something can go wrong.

use std::sync::Arc;

use stagedoor_state::{
    MemoryDatabase, StateError, Storage, StorageProvider, StoreReader, VisitRow, Write,
};

use super::client::Client;
use super::fault::Call;

/// A disk that outlives its process.
pub(super) struct SimulatedDatabase {
    disk: MemoryDatabase,
    client: Arc<Client>,
}

impl SimulatedDatabase {
    pub(super) fn new(disk: MemoryDatabase, client: Arc<Client>) -> Self {
        Self { disk, client }
    }
}

impl StorageProvider for SimulatedDatabase {
    fn storage(&self, task: &str) -> Result<Box<dyn Storage>, StateError> {
        Ok(Box::new(SimulatedStorage {
            task: task.to_owned(),
            storage: self.disk.storage(task)?,
            client: Arc::clone(&self.client),
        }))
    }

    fn tasks(&self) -> Vec<String> {
        self.disk.tasks()
    }

    fn remove(&self, task: &str) -> Result<(), StateError> {
        self.disk.remove(task)
    }
}

struct SimulatedStorage {
    task: String,
    storage: Box<dyn Storage>,
    client: Arc<Client>,
}

impl SimulatedStorage {
    fn written(
        &self,
        write: impl FnOnce(&dyn Storage) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let fault = self
            .client
            .enter(Call::Store)
            .map_err(|error| StateError::Engine {
                operation: "a write",
                task: self.task.clone(),
                reason: error.to_string(),
            })?;
        write(&*self.storage)?;
        self.client.leave(fault.as_ref());
        Ok(())
    }
}

impl Storage for SimulatedStorage {
    fn get(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        self.storage.get(key, visit)
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: &mut VisitRow<'_>) -> Result<(), StateError> {
        self.storage.scan(from, until, visit)
    }

    fn write(&self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError> {
        self.written(|storage| storage.write(batch))
    }

    fn wipe(&self) -> Result<(), StateError> {
        self.written(|storage| storage.wipe())
    }

    fn reader(&self) -> StoreReader {
        self.storage.reader()
    }
}
