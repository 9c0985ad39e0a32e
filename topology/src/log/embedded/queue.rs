//! What waits to be written: commits with somebody who waits for each, and appended records.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};

use super::batch::{BatchWriter, FULL};
use super::keys::PartitionId;
use super::partition::Partition;
use crate::log::{AppendDone, InputPosition, LogError, Outgoing};

/// Records for one partition that become one batch.
pub(super) struct Part {
    pub(super) partition: Arc<Partition>,
    pub(super) records: BatchWriter,
}

/// Records by partition, in the order in which they were sent to each.
#[derive(Default)]
pub(super) struct Parts {
    list: Vec<Part>,
    /// The part of each partition that takes more.
    open: HashMap<PartitionId, usize>,
}

impl Parts {
    /// Adds a record. Returns the number of its part and its place in it.
    pub(super) fn push(
        &mut self,
        partition: &Arc<Partition>,
        record: &Outgoing<'_>,
    ) -> (usize, u32) {
        let open = self.open.get(&partition.id).copied();
        let open = open.filter(|index| self.list[*index].records.len() < FULL);
        let index = open.unwrap_or_else(|| {
            self.open.insert(partition.id, self.list.len());
            self.list.push(Part {
                partition: Arc::clone(partition),
                records: BatchWriter::default(),
            });
            self.list.len() - 1
        });
        let records = &mut self.list[index].records;
        records.push(record);
        (index, records.count() - 1)
    }

    pub(super) fn into_list(self) -> Vec<Part> {
        self.list
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What is to become real together.
#[derive(Default)]
pub(super) struct Commit {
    pub(super) parts: Vec<Part>,
    pub(super) offsets: Vec<(PartitionId, InputPosition)>,
    /// Transactional id and epoch of the writer, to be checked at the last moment.
    pub(super) producer: Option<(String, u64)>,
    /// Rows of the log's own.
    pub(super) rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// First offset of each part.
pub(super) type Bases = Vec<i64>;

/// Where the outcome of a commit is waited for.
#[derive(Default)]
pub(super) struct Slot {
    outcome: Mutex<Option<Result<Bases, LogError>>>,
    filled: Condvar,
}

impl Slot {
    pub(super) fn fill(&self, outcome: Result<Bases, LogError>) {
        *self.outcome.lock() = Some(outcome);
        self.filled.notify_one();
    }

    fn wait(&self) -> Result<Bases, LogError> {
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            self.filled.wait(&mut outcome);
        }
    }
}

/// Appended records, and who is to hear where each one landed.
#[derive(Default)]
pub(super) struct Appends {
    pub(super) parts: Parts,
    /// By part and place.
    pub(super) done: Vec<(usize, u32, AppendDone)>,
    bytes: usize,
}

/// What is written next, all of it together.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) commits: Vec<(Commit, Arc<Slot>)>,
    pub(super) appends: Appends,
}

impl Waiting {
    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        let commits = self.commits.iter().flat_map(|(commit, _)| &commit.parts);
        let parts = commits.chain(&self.appends.parts.list);
        parts.map(|part| part.records.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.appends.done.is_empty()
    }
}

/// The queue of the log's writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    closed: bool,
}

impl Queue {
    /// Waits until a commit is real, or is known not to be.
    pub(super) fn commit(&self, commit: Commit) -> Result<Bases, LogError> {
        let slot = Arc::new(Slot::default());
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        state.waiting.commits.push((commit, Arc::clone(&slot)));
        drop(state);
        self.filled.notify_one();
        slot.wait()
    }

    /// Queues a record, if there is room for it.
    pub(super) fn append(
        &self,
        partition: &Arc<Partition>,
        record: &Outgoing<'_>,
        done: AppendDone,
        most_bytes: usize,
    ) {
        let size = 64 + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let mut state = self.state.lock();
        let refused = match (
            state.closed,
            state.waiting.appends.bytes + size > most_bytes,
        ) {
            (true, _) => Some(closed()),
            (false, true) => Some(LogError::Full),
            (false, false) => None,
        };
        if let Some(error) = refused {
            drop(state);
            return done(Err(error));
        }
        let appends = &mut state.waiting.appends;
        appends.bytes += size;
        let (part, place) = appends.parts.push(partition, record);
        let is_first = appends.done.is_empty();
        appends.done.push((part, place, done));
        drop(state);
        // Later ones find the writer awake, or about to look.
        if is_first {
            self.filled.notify_one();
        }
    }

    /// Takes all that waits, as soon as there is something. Returns nothing once the queue is
    /// closed and empty, and an empty set at `deadline`.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Option<Waiting> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            match deadline {
                Some(deadline) => {
                    if self.filled.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
                None => self.filled.wait(&mut state),
            }
        }
        Some(std::mem::take(&mut state.waiting))
    }

    /// What is queued will still be written; nothing more is taken.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }
}

fn closed() -> LogError {
    LogError::Unavailable("the log is closed".to_owned())
}
