//! The memory back end: for tests and simulation, with the guarantees of the real one.
//!
//! Its database outlives its storages, as a disk does: a task that is dropped and opened again
//! finds what it had committed.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hashbrown::HashMap;

use super::{Storage, StorageProvider, Write};
use crate::StateError;
use crate::open_tasks::{OpenTask, OpenTasks};
use crate::read::{ReadState, VisitRow};
use crate::reader::{SnapshotSource, StoreReader};

/// The rows of one task by the first bytes of their keys, which name their stores.
#[derive(Clone, Default)]
struct Rows(BTreeMap<u8, StoreRows>);

/// Rows by hash until somebody scans them, and in order from then on: most stores are never scanned,
/// and their rows are found faster by hash.
#[derive(Clone, Default)]
struct StoreRows {
    by_hash: HashMap<Bytes, Bytes>,
    in_order: OnceLock<BTreeMap<Bytes, Bytes>>,
}

/// A key or a value: a copy of all rows shares them.
type Bytes = Arc<[u8]>;

/// The store that a key belongs to.
fn store_of(key: &[u8]) -> u8 {
    key.first().copied().unwrap_or_default()
}

impl StoreRows {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let row = match self.in_order.get() {
            Some(rows) => rows.get(key),
            None => self.by_hash.get(key),
        };
        row.map(AsRef::as_ref)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        if let Some(rows) = self.kept_in_order() {
            rows.insert(key.into(), value.into());
        } else if let Some(known) = self.by_hash.get_mut(key) {
            *known = value.into();
        } else {
            self.by_hash.insert(key.into(), value.into());
        }
    }

    fn delete(&mut self, key: &[u8]) {
        match self.kept_in_order() {
            Some(rows) => drop(rows.remove(key)),
            None => drop(self.by_hash.remove(key)),
        }
    }

    /// The rows in order, if that is how they are kept; the others are needed no more.
    fn kept_in_order(&mut self) -> Option<&mut BTreeMap<Bytes, Bytes>> {
        let rows = self.in_order.get_mut()?;
        if !self.by_hash.is_empty() {
            self.by_hash = HashMap::new();
        }
        Some(rows)
    }

    fn in_order(&self) -> &BTreeMap<Bytes, Bytes> {
        let rows = || self.by_hash.iter();
        let copied = || rows().map(|(key, value)| (Arc::clone(key), Arc::clone(value)));
        self.in_order.get_or_init(|| copied().collect())
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

    fn write(&self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError> {
        self.rows.write(|rows| {
            for (key, value) in batch {
                let rows = rows.0.entry(store_of(key)).or_default();
                match value {
                    Some(value) => rows.put(key, value),
                    None => rows.delete(key),
                }
            }
        });
        Ok(())
    }

    fn wipe(&self) -> Result<(), StateError> {
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
        let rows = self.0.get(&store_of(key));
        let value = rows.and_then(|rows| rows.get(key));
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
        let until = until.max(from);
        let range = (Bound::Included(from), Bound::Excluded(until));
        for (id, rows) in self.0.range(store_of(from)..=store_of(until)) {
            // Nothing of a store whose first key would be the end: it is not put in order for that.
            if until <= [*id].as_slice() {
                break;
            }
            for (key, value) in rows.in_order().range::<[u8], _>(range) {
                if let ControlFlow::Break(()) = visit(key, value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
