//! Settings of the embedded log.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before it is acknowledged. Commits that wait at the same time share one synchronisation.
    EachCommit,
    /// At most this long after it was acknowledged: a power cut may take that much, a kill nothing.
    Every(Duration),
    /// When the system does it: a power cut may take the last half minute, a kill nothing.
    Never,
}

/// How the embedded log runs.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Group id of its members.
    pub application_id: String,
    /// When a commit is on the disk.
    pub durability: Durability,
    /// Largest record in bytes, key and value together.
    pub max_record_bytes: usize,
    /// Bytes of the newest records that are kept in memory for readers at the end.
    pub tail_bytes: usize,
    /// Bytes of appended records that may wait for the disk.
    pub queue_bytes: usize,
    /// Bytes of the disk that are left free: with less, nothing is written, so that what runs
    /// below the log never meets a full disk.
    pub reserve_bytes: u64,
    /// How often retention and compaction look for work.
    pub clean_interval: Duration,
    /// The time of records, and of retention.
    pub clock: Arc<dyn Clock>,
}

impl EmbeddedConfig {
    /// Defaults for an application id.
    #[must_use]
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            durability: Durability::EachCommit,
            max_record_bytes: 1_000_000,
            tail_bytes: 16 << 20,
            queue_bytes: 64 << 20,
            reserve_bytes: 128 << 20,
            clean_interval: Duration::from_secs(15),
            clock: Arc::new(SystemClock),
        }
    }
}
