//! What other threads may see of the tasks: readers, phases, positions, and the owner's lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use stagedoor_state::StoreReader;

use crate::clock::Clock;
use crate::wiring::TaskId;

/// Why a task cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another instance owns it.
    #[error("another instance owns this partition")]
    NotOwner,
    /// It is being restored or is on its way between owners.
    #[error("the task is moving; try again in a moment")]
    Moving,
    /// Ownership was not confirmed lately, so the answer could be stale.
    #[error("ownership is not confirmed at the moment; try again")]
    LeaseLost,
}

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskPhase {
    /// Taking over: records restored so far.
    Restoring {
        /// Changelog records restored so far.
        restored: u64,
    },
    /// Being computed anew from the command log.
    Rebuilding {
        /// Offset of the next input record of the replay.
        replayed: i64,
        /// Where it goes to.
        until: i64,
    },
    /// Serving.
    Running,
}

/// A task as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Its id.
    pub id: TaskId,
    /// Name of the sub-topology.
    pub sub_topology: &'static str,
    /// What it does.
    pub phase: TaskPhase,
    /// Somebody asked for its rebuild, which is not over yet. The instance is as ready as ever.
    pub on_request: bool,
    /// Offset of the next input record, as of the last commit.
    pub position: i64,
    /// Stream time in milliseconds, as of the last commit.
    pub stream_time_ms: i64,
    /// Age of the oldest undecided record in milliseconds when it was last looked at; 0 if none.
    pub lag_ms: i64,
    /// Dead letters since it was taken over.
    pub dead_letters: u64,
}

/// Figures of a running task that change with every commit.
#[derive(Default)]
pub(crate) struct Gauges {
    pub(crate) position: AtomicI64,
    pub(crate) stream_time_ms: AtomicI64,
    pub(crate) lag_ms: AtomicI64,
    pub(crate) dead_letters: AtomicU64,
}

struct Entry {
    sub_topology: &'static str,
    phase: TaskPhase,
    reader: Option<StoreReader>,
    lease: Arc<Lease>,
    gauges: Arc<Gauges>,
}

/// Until when a stream thread may answer for its tasks: a commit under the current membership
/// proves ownership as of its start.
pub(crate) struct Lease {
    clock: Arc<dyn Clock>,
    length: Duration,
    confirmed_ms: AtomicU64,
}

impl Lease {
    /// A lease that is not confirmed yet.
    pub(crate) fn new(length: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            length,
            confirmed_ms: AtomicU64::new(0),
        }
    }

    /// Ownership was proven by something that began at `at`.
    pub(crate) fn confirm(&self, at: Duration) {
        self.confirmed_ms.fetch_max(millis(at), Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        let confirmed = self.confirmed_ms.load(Ordering::SeqCst);
        let age = millis(self.clock.now()).saturating_sub(confirmed);
        confirmed > 0 && u128::from(age) < self.length.as_millis()
    }
}

/// 0 stands for never.
fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The tasks of this process.
#[derive(Default)]
pub(crate) struct Board {
    entries: RwLock<BTreeMap<TaskId, Entry>>,
    rebuilds: RwLock<BTreeMap<TaskId, Asked>>,
}

/// What became of a rebuild that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its stream thread has not seen it yet.
    Waiting,
    /// The task is on its way through the takeover.
    UnderWay,
}

impl Board {
    /// A task is being taken over.
    pub(crate) fn restoring(&self, id: TaskId, sub_topology: &'static str, lease: &Arc<Lease>) {
        self.entries.write().insert(
            id,
            Entry {
                sub_topology,
                phase: TaskPhase::Restoring { restored: 0 },
                reader: None,
                lease: Arc::clone(lease),
                gauges: Arc::default(),
            },
        );
    }

    /// A takeover got on.
    pub(crate) fn progress(&self, progress: impl Iterator<Item = (TaskId, u64)>) {
        let mut entries = self.entries.write();
        for (id, restored) in progress {
            if let Some(entry) = entries.get_mut(&id) {
                entry.phase = TaskPhase::Restoring { restored };
            }
        }
    }

    /// A rebuild got on.
    pub(crate) fn rebuilding(&self, id: TaskId, replayed: i64, until: i64) {
        if let Some(entry) = self.entries.write().get_mut(&id) {
            entry.phase = TaskPhase::Rebuilding { replayed, until };
        }
    }

    /// Asks for the rebuild of a task that serves. Its stream thread sees it before its next batch.
    pub(crate) fn ask_rebuild(&self, id: TaskId) -> Result<(), ReadError> {
        match self.entries.read().get(&id).map(|entry| entry.phase) {
            None => Err(ReadError::NotOwner),
            Some(TaskPhase::Running) => {
                self.rebuilds.write().entry(id).or_insert(Asked::Waiting);
                Ok(())
            }
            Some(TaskPhase::Restoring { .. } | TaskPhase::Rebuilding { .. }) => {
                Err(ReadError::Moving)
            }
        }
    }

    /// Whether somebody asked for a rebuild that is not over.
    pub(crate) fn is_asked(&self) -> bool {
        !self.rebuilds.read().is_empty()
    }

    /// The tasks of a thread whose rebuild begins now.
    pub(crate) fn take_asked(&self, is_mine: impl Fn(&TaskId) -> bool) -> Vec<TaskId> {
        if !self.is_asked() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for (id, asked) in self.rebuilds.write().iter_mut() {
            if *asked == Asked::Waiting && is_mine(id) {
                *asked = Asked::UnderWay;
                taken.push(*id);
            }
        }
        taken
    }

    /// Whether the task is to be rebuilt whatever its changelog proves.
    pub(crate) fn is_distrusted(&self, id: TaskId) -> bool {
        self.rebuilds.read().get(&id) == Some(&Asked::UnderWay)
    }

    /// The task goes elsewhere, and what was asked of it here is void.
    pub(crate) fn withdraw_rebuild(&self, id: TaskId) {
        self.rebuilds.write().remove(&id);
    }

    /// A task serves. Its gauges are returned for its thread.
    pub(crate) fn running(&self, id: TaskId, reader: StoreReader) -> Arc<Gauges> {
        self.withdraw_rebuild(id);
        let mut entries = self.entries.write();
        match entries.get_mut(&id) {
            Some(entry) => {
                entry.phase = TaskPhase::Running;
                entry.reader = Some(reader);
                Arc::clone(&entry.gauges)
            }
            None => Arc::default(),
        }
    }

    /// A task is not here any more.
    pub(crate) fn gone(&self, id: TaskId) {
        self.entries.write().remove(&id);
    }

    /// A reader of a task's committed state, if this process owns it for sure.
    pub(crate) fn reader(&self, id: TaskId) -> Result<StoreReader, ReadError> {
        let entries = self.entries.read();
        let entry = entries.get(&id).ok_or(ReadError::NotOwner)?;
        let reader = entry.reader.as_ref().ok_or(ReadError::Moving)?;
        if entry.lease.holds() {
            Ok(reader.clone())
        } else {
            Err(ReadError::LeaseLost)
        }
    }

    /// All tasks.
    pub(crate) fn statuses(&self) -> Vec<TaskStatus> {
        let entries = self.entries.read();
        let rebuilds = self.rebuilds.read();
        let status = |(id, entry): (&TaskId, &Entry)| TaskStatus {
            id: *id,
            sub_topology: entry.sub_topology,
            phase: entry.phase,
            on_request: rebuilds.contains_key(id),
            position: entry.gauges.position.load(Ordering::Relaxed),
            stream_time_ms: entry.gauges.stream_time_ms.load(Ordering::Relaxed),
            lag_ms: entry.gauges.lag_ms.load(Ordering::Relaxed),
            dead_letters: entry.gauges.dead_letters.load(Ordering::Relaxed),
        };
        entries.iter().map(status).collect()
    }
}
