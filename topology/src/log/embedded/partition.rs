//! One partition in memory: where it begins and ends, its newest batches, and who waits for more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::batch::Batch;
use super::keys::{self, PartitionId};
use crate::log::TopicPartition;

/// A partition of a topic of this log.
pub(super) struct Partition {
    /// Its name.
    pub(super) name: TopicPartition,
    /// Its number in keys.
    pub(super) id: PartitionId,
    /// Bytes and milliseconds after which a segment is closed.
    limits: (u64, i64),
    state: Mutex<State>,
}

/// What changes about a partition.
#[derive(Debug, Default)]
pub(super) struct State {
    /// First offset that is still there.
    pub(super) first: i64,
    /// The next offset: last stable offset and high watermark in one, since what is not committed
    /// is not in the log.
    pub(super) end: i64,
    /// Time of the last record.
    pub(super) time_ms: i64,
    /// The newest batches, without a gap up to `end`.
    pub(super) tail: VecDeque<Arc<Batch>>,
    /// The segment that is being written.
    pub(super) segment: Segment,
    waiters: Vec<Arc<Waiter>>,
}

/// A run of batches that retention and compaction treat as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Segment {
    /// First offset.
    pub(super) base: i64,
    /// Bytes of its batches.
    pub(super) bytes: u64,
    /// Time of its first batch; 0 before there is one.
    pub(super) since_ms: i64,
}

impl Partition {
    /// A partition without records, whose segments are closed after so many bytes and
    /// milliseconds.
    pub(super) fn new(name: TopicPartition, id: PartitionId, limits: (u64, i64)) -> Self {
        Self {
            name,
            id,
            limits,
            state: Mutex::default(),
        }
    }

    /// Whether a batch begins a new segment.
    pub(super) fn rolls(&self, segment: &Segment, bytes: u64, now_ms: i64) -> bool {
        let (most_bytes, most_ms) = self.limits;
        let is_full = segment.bytes + bytes > most_bytes;
        let is_old = now_ms.saturating_sub(segment.since_ms) >= most_ms;
        segment.bytes > 0 && (is_full || is_old)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// First and next offset.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let state = self.state.lock();
        (state.first, state.end)
    }

    /// Makes a batch readable, and wakes who waits for it.
    pub(super) fn publish(&self, batch: Arc<Batch>, segment: Segment) {
        let mut state = self.state.lock();
        state.segment = segment;
        state.end = batch.header.next;
        state.time_ms = batch.header.time_ms;
        state.tail.push_back(batch);
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            waiter.wake();
        }
    }

    /// Lets go of the oldest batch in memory, if it is still there: the database has it.
    pub(super) fn evict(&self, base: i64) {
        let mut state = self.state.lock();
        if state
            .tail
            .front()
            .is_some_and(|batch| batch.header.base == base)
        {
            state.tail.pop_front();
        }
    }

    /// Lets go of all batches before an offset: the database has better ones now.
    pub(super) fn evict_before(&self, offset: i64) {
        let mut state = self.state.lock();
        let stale = state
            .tail
            .partition_point(|batch| batch.header.next <= offset);
        state.tail.drain(..stale);
    }

    /// Has a waiter woken by the next batch, unless there is something after `next` already.
    /// Returns whether it may sleep.
    pub(super) fn may_sleep(&self, next: i64, waiter: &Arc<Waiter>) -> bool {
        let mut state = self.state.lock();
        if state.end > next {
            return false;
        }
        if !state.waiters.iter().any(|other| Arc::ptr_eq(other, waiter)) {
            state.waiters.push(Arc::clone(waiter));
        }
        true
    }
}

/// A segment to which nothing is added any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    /// First offset.
    pub(super) base: i64,
    /// First offset of the next segment.
    pub(super) next: i64,
    /// Bytes of its batches.
    pub(super) bytes: u64,
    /// Time of its last record.
    pub(super) time_ms: i64,
}

impl Segment {
    /// The row of this segment when it is closed before `next`.
    pub(super) fn row(&self, next: i64, time_ms: i64) -> Vec<u8> {
        let closed = Closed {
            base: self.base,
            next,
            bytes: self.bytes,
            time_ms,
        };
        closed.row()
    }
}

impl Closed {
    /// The value of its row; the key has the base.
    pub(super) fn row(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(24);
        row.extend(self.next.to_be_bytes());
        row.extend(self.bytes.to_be_bytes());
        row.extend(self.time_ms.to_be_bytes());
        row
    }

    pub(super) fn from_row(base: i64, row: &[u8]) -> Option<Self> {
        Some(Self {
            base,
            next: keys::offset(row, 0)?,
            bytes: keys::number(row, 8)?,
            time_ms: keys::offset(row, 16)?,
        })
    }
}

impl State {
    /// The batch in memory that covers an offset.
    pub(super) fn in_tail(&self, offset: i64) -> Option<Arc<Batch>> {
        let after = self
            .tail
            .partition_point(|batch| batch.header.next <= offset);
        let batch = self.tail.get(after)?;
        (batch.header.base <= offset).then(|| Arc::clone(batch))
    }
}

/// A thread that waits for records or for a change of its assignment.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Waiter {
    /// Wakes it, now or when it next wants to sleep.
    pub(super) fn wake(&self) {
        *self.woken.lock() = true;
        self.changed.notify_one();
    }

    /// Sleeps until woken or until `deadline`.
    pub(super) fn sleep_until(&self, deadline: Instant) {
        let mut woken = self.woken.lock();
        while !*woken {
            if self.changed.wait_until(&mut woken, deadline).timed_out() {
                break;
            }
        }
        *woken = false;
    }
}

/// The moment after which a wait is over.
pub(super) fn deadline(wait: Duration) -> Instant {
    let now = Instant::now();
    // A wait for ever ends with the process.
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_secs(24 * 60 * 60))
}
