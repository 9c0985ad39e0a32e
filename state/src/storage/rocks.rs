//! The RocksDB back end: one column family of the process's database.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocksdb::{BoundColumnFamily, ReadOptions, SnapshotWithThreadMode, WriteBatch, WriteOptions};

use super::{Storage, Write};
use crate::StateError;
use crate::database::{Rocks, Shared, engine};
use crate::open_tasks::OpenTask;
use crate::read::{ReadState, VisitRow};
use crate::reader::{SnapshotSource, StoreReader};

const READING: &str = "reading the store";

/// The storage of one task. Column families are looked up anew for every call, since a handle
/// cannot outlive a borrow of the database; that costs tens of nanoseconds.
pub(crate) struct RocksStorage {
    shared: Arc<Shared>,
    open: OpenTask,
    read: ReadOptions,
    write: WriteOptions,
    /// Bytes of the largest batch so far: where the next one starts.
    batch_bytes: AtomicUsize,
}

impl RocksStorage {
    pub(crate) fn new(shared: Arc<Shared>, open: OpenTask) -> Self {
        let mut write = WriteOptions::default();
        write.set_memtable_insert_hint_per_batch(true);
        Self {
            shared,
            open,
            read: ReadOptions::default(),
            write,
            batch_bytes: AtomicUsize::new(0),
        }
    }
}

impl Storage for RocksStorage {
    fn get(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        let family = self.shared.family(self.open.task())?;
        let value = self
            .shared
            .rocks
            .get_pinned_cf_opt(&family, key, &self.read);
        show(self.open.task(), value, visit)
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: &mut VisitRow<'_>) -> Result<(), StateError> {
        let family = self.shared.family(self.open.task())?;
        let rows = self
            .shared
            .rocks
            .raw_iterator_cf_opt(&family, bounded(from, until));
        walk(self.open.task(), rows, visit)
    }

    fn write(&self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError> {
        let family = self.shared.family(self.open.task())?;
        let mut rows = WriteBatch::with_capacity_bytes(self.batch_bytes.load(Ordering::Relaxed));
        for (key, value) in batch {
            match value {
                Some(value) => rows.put_cf(&family, key, value),
                None => rows.delete_cf(&family, key),
            }
        }
        self.batch_bytes
            .fetch_max(rows.size_in_bytes(), Ordering::Relaxed);
        let written = self.shared.rocks.write_opt(rows, &self.write);
        written.map_err(|error| engine("writing a batch", self.open.task(), &error))
    }

    fn wipe(&self) -> Result<(), StateError> {
        self.shared.wipe(self.open.task())
    }

    fn reader(&self) -> StoreReader {
        let (shared, task) = (Arc::clone(&self.shared), self.open.task().to_owned());
        StoreReader::new(Arc::new(RocksSnapshots { shared, task }))
    }
}

/// Takes snapshots of one task's rows.
struct RocksSnapshots {
    shared: Arc<Shared>,
    task: String,
}

impl SnapshotSource for RocksSnapshots {
    fn with_snapshot(&self, read: &mut dyn FnMut(&dyn ReadState)) -> Result<(), StateError> {
        let family = self.shared.family(&self.task)?;
        let snapshot = self.shared.rocks.snapshot();
        read(&RocksSnapshot {
            snapshot,
            family,
            task: &self.task,
        });
        Ok(())
    }
}

struct RocksSnapshot<'a> {
    snapshot: SnapshotWithThreadMode<'a, Rocks>,
    family: Arc<BoundColumnFamily<'a>>,
    task: &'a str,
}

impl ReadState for RocksSnapshot<'_> {
    fn visit_bytes(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        show(
            self.task,
            self.snapshot.get_pinned_cf(&self.family, key),
            visit,
        )
    }

    fn scan_bytes(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        let rows = self
            .snapshot
            .raw_iterator_cf_opt(&self.family, bounded(from, until));
        walk(self.task, rows, visit)
    }
}

type Found<'a> = Result<Option<rocksdb::DBPinnableSlice<'a>>, rocksdb::Error>;

fn show(task: &str, found: Found<'_>, visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
    let value = found.map_err(|error| engine(READING, task, &error))?;
    if let Some(value) = &value {
        visit(value);
    }
    Ok(value.is_some())
}

fn bounded(from: &[u8], until: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(from);
    // An inverted range is empty; the engine would take it for a mistake.
    options.set_iterate_upper_bound(until.max(from));
    options
}

fn walk(
    task: &str,
    mut rows: rocksdb::DBRawIteratorWithThreadMode<'_, Rocks>,
    visit: &mut VisitRow<'_>,
) -> Result<(), StateError> {
    rows.seek_to_first();
    while let Some((key, value)) = rows.item() {
        if let ControlFlow::Break(()) = visit(key, value) {
            return Ok(());
        }
        rows.next();
    }
    // An iterator that met an error looks like one that is at its end.
    rows.status().map_err(|error| engine(READING, task, &error))
}
