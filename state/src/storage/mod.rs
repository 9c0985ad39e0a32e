//! What a task's rows are kept in: one trait, two back ends, one contract suite.

mod memory;
#[cfg(feature = "rocksdb")]
pub(crate) mod rocks;

pub use memory::MemoryDatabase;

use std::ops::ControlFlow;

use crate::read::VisitRow;
use crate::{StateError, StoreReader};

/// A physical key, and its new value; none deletes the row.
pub type Write<'a> = (&'a [u8], Option<&'a [u8]>);

/// The committed rows of one task, ordered by physical key. One owner writes, one batch at a time,
/// from whichever thread; readers see snapshots.
pub trait Storage: Send + Sync {
    /// Shows the value under a key, if there is one; true if there is.
    ///
    /// # Errors
    /// Those of the engine.
    fn get(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError>;

    /// Visits the rows from a key (included) until another (not included), in key order.
    ///
    /// # Errors
    /// Those of the engine.
    fn scan(&self, from: &[u8], until: &[u8], visit: &mut VisitRow<'_>) -> Result<(), StateError>;

    /// Writes all of the batch or nothing; kept from then on, also over a kill of the process.
    ///
    /// # Errors
    /// Those of the engine; the batch may be retried.
    fn write(&self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError>;

    /// Deletes everything.
    ///
    /// # Errors
    /// Those of the engine.
    fn wipe(&self) -> Result<(), StateError>;

    /// A reader of snapshots, usable on any thread.
    fn reader(&self) -> StoreReader;
}

/// Visits rows of a range in key order until `left`, which counts them, is used up. Returns the key
/// to go on from; none where the range is at its end.
///
/// # Errors
/// Those of the engine and of the visitor, which ends the scan.
pub(crate) fn scan_piece(
    storage: &dyn Storage,
    (from, until): (&[u8], &[u8]),
    left: &mut usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StateError>,
) -> Result<Option<Vec<u8>>, StateError> {
    let (mut next, mut visited) = (None, Ok(()));
    storage.scan(from, until, &mut |key, value| {
        if *left == 0 {
            next = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        *left -= 1;
        visited = visit(key, value);
        match visited {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    visited.map(|()| next)
}

/// Where the storages of all tasks of a process are.
pub trait StorageProvider: Send + Sync {
    /// Opens the storage of a task; an unknown one is created.
    ///
    /// # Errors
    /// [`StateError::TaskInUse`] while another storage of that task is open in this process, and
    /// those of the engine.
    fn storage(&self, task: &str) -> Result<Box<dyn Storage>, StateError>;

    /// The tasks that have a storage, ordered by name.
    fn tasks(&self) -> Vec<String>;

    /// Deletes the storage of a task that is not open.
    ///
    /// # Errors
    /// [`StateError::TaskInUse`], and those of the engine.
    fn remove(&self, task: &str) -> Result<(), StateError>;
}
