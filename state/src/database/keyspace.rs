//! A keyspace: rows of the database that are no store, such as those of a log that lives in it.
//!
//! It shares the write-ahead log with the stores. So after a power cut, whatever was written to a
//! keyspace before a store is there wherever the store's rows are.

use std::ops::ControlFlow;
use std::sync::Arc;

use rocksdb::{BoundColumnFamily, ReadOptions, WriteBatch, WriteOptions};

use super::{Database, Rocks, Shared};
use crate::StateError;
use crate::read::VisitRow;

/// Start of the names of column families that hold no task.
pub(super) const PREFIX: &str = "keyspace-";

/// Rows that are written in key order, are mostly large, and go by range from the front.
#[derive(Clone)]
pub struct Keyspace {
    shared: Arc<Shared>,
    family: String,
}

/// Writes to a keyspace that become real together.
pub struct KeyspaceBatch<'a> {
    family: Arc<BoundColumnFamily<'a>>,
    rows: WriteBatch,
}

impl Database {
    /// Opens a keyspace; an unknown one is created.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace, StateError> {
        let family = format!("{PREFIX}{name}");
        if self.shared.rocks.cf_handle(&family).is_none() {
            self.shared.create(&family)?;
        }
        let shared = Arc::clone(&self.shared);
        Ok(Keyspace { shared, family })
    }
}

impl Keyspace {
    /// The value under a key.
    ///
    /// # Errors
    /// [`StateError::Damaged`], and those of the engine.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let family = self.shared.family(&self.family)?;
        let found = self.shared.rocks.get_cf(&family, key);
        found.map_err(|error| self.failed("reading", &error))
    }

    /// Visits the rows from a key (included) until another (not included), in key order.
    ///
    /// # Errors
    /// As for [`Keyspace::get`].
    pub fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        self.walk(from, until, None, visit)
    }

    /// As [`Keyspace::scan`], but begins at the last row at or before `at`, if the range has one.
    ///
    /// # Errors
    /// As for [`Keyspace::get`].
    pub fn scan_around(
        &self,
        (from, until): (&[u8], &[u8]),
        at: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        self.walk(from, until, Some(at), visit)
    }

    fn walk(
        &self,
        from: &[u8],
        until: &[u8],
        at: Option<&[u8]>,
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        let family = self.shared.family(&self.family)?;
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(until.max(from));
        // What is read once must not push the stores' rows out of the cache.
        options.fill_cache(false);
        let mut rows = self.shared.rocks.raw_iterator_cf_opt(&family, options);
        match at {
            Some(at) => rows.seek_for_prev(at),
            None => rows.seek_to_first(),
        }
        if at.is_some() && !rows.valid() && rows.status().is_ok() {
            rows.seek_to_first();
        }
        while let Some((key, value)) = rows.item() {
            if let ControlFlow::Break(()) = visit(key, value) {
                return Ok(());
            }
            rows.next();
        }
        // An iterator that met an error looks like one that is at its end.
        let status = rows.status();
        status.map_err(|error| self.failed("reading", &error))
    }

    /// An empty batch.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] where the keyspace is gone.
    pub fn batch(&self) -> Result<KeyspaceBatch<'_>, StateError> {
        self.batch_of(0)
    }

    /// An empty batch with room for so many bytes of keys and values.
    ///
    /// # Errors
    /// As for [`Keyspace::batch`].
    pub fn batch_of(&self, bytes: usize) -> Result<KeyspaceBatch<'_>, StateError> {
        Ok(KeyspaceBatch {
            family: self.shared.family(&self.family)?,
            rows: WriteBatch::with_capacity_bytes(bytes),
        })
    }

    /// Writes all of the batch or nothing. With `sync` it is on the disk when this returns, and
    /// so is everything that was written to the database before; without, it survives a kill of
    /// the process only.
    ///
    /// # Errors
    /// Those of the engine; nothing of the batch is readable then.
    pub fn write(&self, batch: KeyspaceBatch<'_>, sync: bool) -> Result<(), StateError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        let written = self.shared.rocks.write_opt(batch.rows, &options);
        written.map_err(|error| self.failed("writing", &error))
    }

    /// Brings everything that was written to the database so far to the disk.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn sync(&self) -> Result<(), StateError> {
        let synced = self.shared.rocks.flush_wal(true);
        synced.map_err(|error| self.failed("synchronising", &error))
    }

    /// Writes the rows in memory to files, so that a start need not replay them.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn flush(&self) -> Result<(), StateError> {
        let family = self.shared.family(&self.family)?;
        let flushed = self.shared.rocks.flush_cf(&family);
        flushed.map_err(|error| self.failed("flushing", &error))
    }

    /// Drops the files that lie wholly in a range whose rows are deleted: the disk has room at
    /// once, without a compaction.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn delete_files(&self, from: &[u8], until: &[u8]) -> Result<(), StateError> {
        let family = self.shared.family(&self.family)?;
        let rocks: &Rocks = &self.shared.rocks;
        let deleted = rocks.delete_file_in_range_cf(&family, from, until);
        deleted.map_err(|error| self.failed("deleting files", &error))
    }

    fn failed(&self, operation: &'static str, error: &rocksdb::Error) -> StateError {
        if error.kind() == rocksdb::ErrorKind::Corruption {
            return StateError::Damaged {
                place: self.family.clone(),
                reason: error.to_string(),
            };
        }
        super::engine(operation, &self.family, error)
    }
}

impl KeyspaceBatch<'_> {
    /// Sets the value under a key.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.rows.put_cf(&self.family, key, value);
    }

    /// Deletes the row under a key.
    pub fn delete(&mut self, key: &[u8]) {
        self.rows.delete_cf(&self.family, key);
    }

    /// Deletes the rows from a key (included) until another (not included).
    pub fn delete_range(&mut self, from: &[u8], until: &[u8]) {
        self.rows.delete_range_cf(&self.family, from, until);
    }

    /// Bytes of the batch so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.size_in_bytes()
    }
}
