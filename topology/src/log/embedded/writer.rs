//! The one thread that writes: everything that waits becomes one batch of the database.
//!
//! Commits and appends that come in while one batch is on its way to the disk go out together with
//! the next one: that is the group commit, and many small transactions share one synchronisation.
//! Offsets are given here, so there is nothing in the log that is not committed, and no record of a
//! thrown-away session ever had an offset.
//!
//! The order, and why no other will do:
//!
//! 1. *Check epochs.* A session that was fenced while it waited writes nothing.
//! 2. *Write and synchronise* one batch: records, offsets and the link of the chain. A crash before
//!    leaves none of it, a crash after all of it.
//! 3. *Anchor.* Before anybody can have heard of the commit, so that its loss would be noticed;
//!    after the synchronisation, so that it never claims what a power cut may take.
//! 4. *Publish records, then committed positions.* Whoever reads a position and then the end of a
//!    partition sees everything that the position stands for.
//! 5. *Answer.*

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stagedoor_state::{KeyspaceBatch, StateError};

use super::anchor::Anchor;
use super::batch::Batch;
use super::config::Durability;
use super::keys::{self, PartitionId};
use super::partition::{Partition, Segment};
use super::queue::{Appends, Bases, Commit, Part, Slot, Waiting};
use super::{Shared, encode_position};
use crate::log::{AppendDone, Appended, InputPosition, LogError};

/// Bytes of a batch of the database besides records: more is no harm, less is a copy.
const ROOM_FOR_KEYS: usize = 4 << 10;

/// The thread's own state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    anchor: Anchor,
    /// Number of the last commit of the log.
    sequence: u64,
    /// Where each partition ends with what is written; published later.
    ends: HashMap<PartitionId, End>,
    /// Batches in memory, oldest first.
    tail: VecDeque<(Arc<Partition>, i64, usize)>,
    tail_bytes: usize,
    unsynced_since: Option<Instant>,
}

#[derive(Clone, Copy)]
struct End {
    next: i64,
    time_ms: i64,
    segment: Segment,
}

/// What one batch of the database will have made real.
#[derive(Default)]
struct Outcome {
    batches: Vec<(Arc<Partition>, Arc<Batch>, Segment)>,
    offsets: Vec<(PartitionId, InputPosition)>,
    commits: Vec<(Arc<Slot>, Result<Bases, LogError>)>,
    appends: Vec<(AppendDone, Appended)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, anchor: Anchor) -> Self {
        Self {
            sequence: shared.sequence.load(Ordering::SeqCst),
            shared,
            anchor,
            ends: HashMap::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            unsynced_since: None,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(waiting) = self.shared.queue.take(self.sync_deadline()) {
            if !waiting.is_empty() {
                self.write(waiting);
            }
            if self
                .sync_deadline()
                .is_some_and(|due| Instant::now() >= due)
            {
                self.sync();
            }
        }
        if self.unsynced_since.is_some() {
            self.sync();
        }
    }

    /// When what is written must be on the disk.
    fn sync_deadline(&self) -> Option<Instant> {
        match self.shared.config.durability {
            Durability::Every(interval) => Some(self.unsynced_since? + interval),
            Durability::EachCommit | Durability::Never => None,
        }
    }

    fn write(&mut self, waiting: Waiting) {
        if let Err(error) = self.shared.room() {
            return refuse(waiting, &error);
        }
        let shared = Arc::clone(&self.shared);
        let mut outcome = Outcome::default();
        let written = self
            .prepare(&shared, waiting, &mut outcome)
            .and_then(|batch| {
                let sync = shared.config.durability == Durability::EachCommit;
                shared.rows.write(batch, sync)
            });
        match written {
            Ok(()) => self.written(outcome),
            Err(error) => {
                // Nothing of it is readable: offsets and the number are given again.
                self.ends.clear();
                self.sequence -= 1;
                tracing::error!(%error, "the log cannot be written");
                outcome.fail(&error);
            }
        }
    }

    /// Puts everything into one batch. It counts as one commit of the log.
    fn prepare<'a>(
        &mut self,
        shared: &'a Shared,
        waiting: Waiting,
        outcome: &mut Outcome,
    ) -> Result<KeyspaceBatch<'a>, StateError> {
        self.sequence += 1;
        let now_ms = shared.config.clock.wall_ms();
        let mut batch = shared.rows.batch_of(waiting.bytes() + ROOM_FOR_KEYS)?;
        for (commit, slot) in waiting.commits {
            let result = match shared.check_epoch(commit.producer.as_ref()) {
                Ok(()) => Ok(self.put_commit(&mut batch, commit, now_ms, outcome)),
                Err(error) => Err(error),
            };
            outcome.commits.push((slot, result));
        }
        self.put_appends(&mut batch, waiting.appends, now_ms, outcome);
        batch.put(&keys::link(self.sequence), &[]);
        Ok(batch)
    }

    fn put_commit(
        &mut self,
        batch: &mut KeyspaceBatch<'_>,
        commit: Commit,
        now_ms: i64,
        outcome: &mut Outcome,
    ) -> Bases {
        for (key, value) in &commit.rows {
            batch.put(key, value);
        }
        for (partition, position) in &commit.offsets {
            let key = keys::of_partition(keys::OFFSET, *partition);
            batch.put(&key, &encode_position(*position));
        }
        outcome.offsets.extend(commit.offsets);
        let parts = commit.parts.into_iter();
        parts
            .map(|part| self.put_part(batch, part, now_ms, outcome))
            .collect()
    }

    fn put_appends(
        &mut self,
        batch: &mut KeyspaceBatch<'_>,
        appends: Appends,
        now_ms: i64,
        outcome: &mut Outcome,
    ) {
        let parts = appends.parts.into_list();
        let mut places = Vec::with_capacity(parts.len());
        for part in parts {
            let partition = part.partition.name.partition;
            places.push((partition, self.put_part(batch, part, now_ms, outcome)));
        }
        for (part, place, done) in appends.done {
            let (partition, base) = places[part];
            let offset = base + i64::from(place);
            outcome.appends.push((done, Appended { partition, offset }));
        }
    }

    /// Gives the records of a part their offsets and their time, which never goes back. Returns
    /// the first offset.
    fn put_part(
        &mut self,
        batch: &mut KeyspaceBatch<'_>,
        part: Part,
        now_ms: i64,
        outcome: &mut Outcome,
    ) -> i64 {
        let Part { partition, records } = part;
        let end = self.ends.entry(partition.id).or_insert_with(|| {
            let state = partition.state();
            End {
                next: state.end,
                time_ms: state.time_ms,
                segment: state.segment,
            }
        });
        let base = end.next;
        let sealed = records.seal(base, now_ms.max(end.time_ms));
        let size = sealed.bytes().len() as u64;
        if partition.rolls(&end.segment, size, sealed.header.time_ms) {
            let key = keys::at_offset(keys::SEGMENT, partition.id, end.segment.base);
            batch.put(&key, &end.segment.row(base, end.time_ms));
            end.segment = Segment {
                base,
                ..Segment::default()
            };
        }
        if end.segment.bytes == 0 {
            end.segment.since_ms = sealed.header.time_ms;
        }
        end.segment.bytes += size;
        end.next = sealed.header.next;
        end.time_ms = sealed.header.time_ms;
        let key = keys::at_offset(keys::BATCH, partition.id, base);
        batch.put(&key, sealed.bytes());
        let segment = end.segment;
        outcome.batches.push((partition, Arc::new(sealed), segment));
        base
    }

    fn written(&mut self, outcome: Outcome) {
        match self.shared.config.durability {
            Durability::EachCommit => self.drop_anchor(),
            Durability::Every(_) | Durability::Never => {
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
        }
        let mut bytes = 0;
        for (partition, batch, segment) in outcome.batches {
            let (base, size) = (batch.header.base, batch.bytes().len());
            bytes += size;
            partition.publish(batch, segment);
            self.remember(partition, base, size);
        }
        self.shared
            .written_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.sequence.store(self.sequence, Ordering::SeqCst);
        self.shared.committed.lock().extend(outcome.offsets);
        for (slot, result) in outcome.commits {
            slot.fill(result);
        }
        for (done, appended) in outcome.appends {
            done(Ok(appended));
        }
    }

    /// Keeps the newest batches in memory, within the bound for all partitions together.
    fn remember(&mut self, partition: Arc<Partition>, base: i64, size: usize) {
        self.tail.push_back((partition, base, size));
        self.tail_bytes += size;
        while self.tail_bytes > self.shared.config.tail_bytes {
            let Some((partition, base, size)) = self.tail.pop_front() else {
                break;
            };
            self.tail_bytes -= size;
            partition.evict(base);
        }
    }

    fn sync(&mut self) {
        match self.shared.rows.sync() {
            Ok(()) => {
                self.unsynced_since = None;
                self.drop_anchor();
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be synchronised; trying again");
                self.unsynced_since = Some(Instant::now() + Duration::from_secs(1));
            }
        }
    }

    fn drop_anchor(&mut self) {
        if let Err(error) = self.anchor.remember(self.sequence) {
            let file = self.anchor.path().display();
            tracing::warn!(%error, %file, "the anchor of the log cannot be written");
        }
    }
}

impl Outcome {
    /// Nobody was told anything yet. The database says that nothing is in, but a disk that fails
    /// is not to be trusted: only what is read after that counts.
    fn fail(self, error: &StateError) {
        for (slot, result) in self.commits {
            slot.fill(result.and(Err(LogError::InDoubt(error.to_string()))));
        }
        for (done, _) in self.appends {
            done(Err(LogError::Unavailable(error.to_string())));
        }
    }
}

fn refuse(waiting: Waiting, error: &LogError) {
    tracing::warn!(%error, "nothing is written");
    for (_, slot) in waiting.commits {
        slot.fill(Err(error.clone()));
    }
    for (_, _, done) in waiting.appends.done {
        done(Err(error.clone()));
    }
}
