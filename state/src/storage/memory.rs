//! The memory back end: for tests and simulation, with the guarantees of the real one.
//!
//! Its database outlives its storages, as a disk does: a task that is dropped and opened again
//! finds what it had committed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::HashMap;

use super::{Storage, StorageProvider, Write};
use crate::StateError;
use crate::open_tasks::{OpenTask, OpenTasks};
use crate::read::{ReadState, VisitRow};
use crate::reader::{SnapshotSource, StoreReader};

/// Rows by hash, for single keys, and their keys in order, for scans.
#[derive(Clone, Default)]
struct Rows {
    values: HashMap<Arc<[u8]>, Box<[u8]>>,
    keys: BTreeSet<Arc<[u8]>>,
}

impl Rows {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        if let Some(known) = self.values.get_mut(key) {
            *known = value.into();
            return;
        }
        let key: Arc<[u8]> = key.into();
        self.values.insert(Arc::clone(&key), value.into());
        self.keys.insert(key);
    }

    fn delete(&mut self, key: &[u8]) {
        if self.values.remove(key).is_some() {
            self.keys.remove(key);
        }
    }
}

/// Storages in memory.
#[derive(Clone, Default)]
pub struct MemoryDatabase {
    tasks: Arc<Mutex<BTreeMap<String, SharedRows>>>,
    open: OpenTasks,
}

impl MemoryDatabase {
    /// No task yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader of a task's rows, whoever has the task open; `None`: no such task.
    #[must_use]
    pub fn reader(&self, task: &str) -> Option<StoreReader> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = tasks.get(task)?.clone();
        Some(StoreReader::new(Arc::new(rows)))
    }

    /// All rows as they are now, in a database of their own. They are copied only when one of the
    /// two is written to.
    #[must_use]
    pub fn copy(&self) -> Self {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = tasks.iter().map(|(task, rows)| {
            let rows = SharedRows(Arc::new(RwLock::new(rows.snapshot())));
            (task.clone(), rows)
        });
        Self {
            tasks: Arc::new(Mutex::new(copies.collect())),
            open: OpenTasks::default(),
        }
    }
}

impl StorageProvider for MemoryDatabase {
    fn storage(&self, task: &str) -> Result<Box<dyn Storage>, StateError> {
        let open = self.open.open(task)?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = tasks.entry(task.to_owned()).or_default().clone();
        Ok(Box::new(MemoryStorage { rows, _open: open }))
    }

    fn tasks(&self) -> Vec<String> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.keys().cloned().collect()
    }

    fn remove(&self, task: &str) -> Result<(), StateError> {
        let _open = self.open.open(task)?;
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task);
        Ok(())
    }
}

/// The rows of one task. A snapshot shares them; the next write then copies, once.
#[derive(Clone, Default)]
struct SharedRows(Arc<RwLock<Arc<Rows>>>);

impl SharedRows {
    fn snapshot(&self) -> Arc<Rows> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Rows)) {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut rows));
    }
}

struct MemoryStorage {
    rows: SharedRows,
    _open: OpenTask,
}

impl Storage for MemoryStorage {
    fn get(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        let rows = self.rows.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.visit_bytes(key, visit)
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: &mut VisitRow<'_>) -> Result<(), StateError> {
        self.rows.snapshot().scan_bytes(from, until, visit)
    }

    fn write(&mut self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError> {
        self.rows.write(|rows| {
            for (key, value) in batch {
                match value {
                    Some(value) => rows.put(key, value),
                    None => rows.delete(key),
                }
            }
        });
        Ok(())
    }

    fn wipe(&mut self) -> Result<(), StateError> {
        self.rows.write(|rows| *rows = Rows::default());
        Ok(())
    }

    fn reader(&self) -> StoreReader {
        StoreReader::new(Arc::new(self.rows.clone()))
    }
}

impl SnapshotSource for SharedRows {
    fn with_snapshot(&self, read: &mut dyn FnMut(&dyn ReadState)) -> Result<(), StateError> {
        read(&*self.snapshot());
        Ok(())
    }
}

impl ReadState for Rows {
    fn visit_bytes(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        let value = self.values.get(key);
        if let Some(value) = value {
            visit(value);
        }
        Ok(value.is_some())
    }

    fn scan_bytes(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        // An inverted range is empty; the map would refuse it.
        let range = (Bound::Included(from), Bound::Excluded(until.max(from)));
        for key in self.keys.range::<[u8], _>(range) {
            if let ControlFlow::Break(()) = visit(key, &self.values[key]) {
                break;
            }
        }
        Ok(())
    }
}
