//! Reading committed state off the task's thread.

use std::fmt;
use std::sync::Arc;

use crate::{ReadState, StateError};

/// Reads what one task has committed, from any thread, while the task goes on.
#[derive(Clone)]
pub struct StoreReader {
    source: Arc<dyn SnapshotSource>,
}

/// Where snapshots of one task's committed rows come from.
pub trait SnapshotSource: Send + Sync {
    /// Shows one snapshot.
    ///
    /// # Errors
    /// Those of the storage.
    fn with_snapshot(&self, read: &mut dyn FnMut(&dyn ReadState)) -> Result<(), StateError>;
}

impl StoreReader {
    /// A reader of these snapshots.
    #[must_use]
    pub fn new(source: Arc<dyn SnapshotSource>) -> Self {
        Self { source }
    }

    /// Reads from one snapshot: rows, derived rows and meta rows of one and the same commit.
    ///
    /// # Errors
    /// Those of the closure, and those of the storage.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&dyn ReadState) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut read = Some(read);
        let mut outcome = None;
        self.source.with_snapshot(&mut |snapshot| {
            if let Some(read) = read.take() {
                outcome = Some(read(snapshot));
            }
        })?;
        // A source that returns without having called back has no snapshot to show.
        let missing = || StateError::Unavailable {
            task: "unknown".to_owned(),
        };
        outcome.unwrap_or_else(|| Err(missing()))
    }
}

impl fmt::Debug for StoreReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StoreReader")
    }
}
