//! Compaction: of each key the last record stays, under its offset.
//!
//! As Kafka's cleaner: the keys of what was written since the last time are brought into memory with
//! the offset of their last record, as far as they fit; then everything before is copied without the
//! records that have a later one. Copies cover the range of what they replace, in the same batch of
//! the database, so a reader finds the old rows or the new ones and never a gap.
//!
//! A tombstone goes once it is older than `delete.retention.ms`: by then whoever reads on has seen it.
//! The records that it deletes are before it, so they go in the same pass, and first.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;

use stagedoor_state::StateError;

use super::Shared;
use super::batch::{Batch, BatchWriter, FULL, Header, Stored};
use super::keys;
use super::partition::Partition;
use super::retention::closed_segments;
use super::topics::Topic;

/// Most keys in memory at once.
const KEYS: usize = 200_000;

/// A day, as on Kafka.
const DELETE_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// Compacts a partition where at least half of it is new.
pub(super) fn compact(
    shared: &Shared,
    topic: &Topic,
    partition: &Partition,
) -> Result<(), StateError> {
    let closed = closed_segments(shared, partition)?;
    let Some(until) = closed.last().map(|segment| segment.next) else {
        return Ok(());
    };
    let row = shared
        .rows
        .get(&keys::of_partition(keys::CLEANED, partition.id))?;
    let row = row.unwrap_or_default();
    let cleaned = keys::offset(&row, 0).unwrap_or(0);
    let clean_bytes = keys::number(&row, 8).unwrap_or(0);
    let dirty = closed.iter().filter(|segment| segment.base >= cleaned);
    let dirty_bytes: u64 = dirty.map(|segment| segment.bytes).sum();
    if dirty_bytes == 0 || dirty_bytes < clean_bytes {
        return Ok(());
    }
    let kept_ms = topic.limit("delete.retention.ms", DELETE_RETENTION_MS);
    let mut pass = Pass {
        shared,
        partition,
        last: HashMap::new(),
        hashers: (RandomState::new(), RandomState::new()),
        tombstones_before_ms: shared.config.clock.wall_ms() - kept_ms.unwrap_or(i64::MAX / 2),
        kept_bytes: 0,
    };
    let first = partition.bounds().0;
    let until = pass.learn(cleaned.max(first), until)?;
    pass.copy(first, until)?;
    let mut batch = shared.rows.batch()?;
    let done = [until.to_be_bytes(), pass.kept_bytes.to_be_bytes()].concat();
    batch.put(&keys::of_partition(keys::CLEANED, partition.id), &done);
    shared.rows.write(batch, false)?;
    partition.evict_before(until);
    tracing::debug!(partition = %partition.name, until, "compacted");
    Ok(())
}

struct Pass<'a> {
    shared: &'a Shared,
    partition: &'a Partition,
    /// Offset of the last record by the hash of its key.
    last: HashMap<(u64, u64), i64>,
    /// Two, because 64 bits of one could meet by chance; seeded, so that nobody can choose keys
    /// that meet.
    hashers: (RandomState, RandomState),
    tombstones_before_ms: i64,
    kept_bytes: u64,
}

impl Pass<'_> {
    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    /// Learns the last offset of each key from one offset to another, as far as there is memory.
    /// Returns how far that is.
    fn learn(&mut self, from: i64, until: i64) -> Result<i64, StateError> {
        let mut reached = from;
        let shared = self.shared;
        each_batch(shared, self.partition, from, until, &mut |batch| {
            for record in batch.records() {
                if let Some(key) = record.key {
                    self.last.insert(self.hash(key), record.offset);
                }
            }
            reached = batch.header.next;
            Ok(self.last.len() < KEYS && !shared.cleaner.is_stopped())
        })?;
        Ok(reached)
    }

    /// Whether a record stays.
    fn keeps(&self, record: &Stored<'_>) -> bool {
        let Some(key) = record.key else {
            return true;
        };
        let is_last = self
            .last
            .get(&self.hash(key))
            .is_none_or(|last| *last <= record.offset);
        let is_over = record.value.is_none() && record.time_ms < self.tombstones_before_ms;
        is_last && !is_over
    }

    /// Copies what stays, some batches at a time.
    fn copy(&mut self, from: i64, until: i64) -> Result<(), StateError> {
        let mut sources: Vec<Batch> = Vec::new();
        let mut bytes = 0;
        let (shared, partition) = (self.shared, self.partition);
        each_batch(shared, partition, from, until, &mut |batch| {
            let kept = batch.records().filter(|record| self.keeps(record)).count();
            bytes += batch.bytes().len() * kept
                / usize::try_from(batch.header.count.max(1)).unwrap_or(1);
            sources.push(batch);
            if bytes >= FULL || sources.len() >= 1_000 {
                self.replace(&std::mem::take(&mut sources))?;
                bytes = 0;
            }
            Ok(true)
        })?;
        self.replace(&sources)
    }

    /// Replaces some batches by one that covers the same offsets.
    fn replace(&mut self, sources: &[Batch]) -> Result<(), StateError> {
        let (Some(first), Some(last)) = (sources.first(), sources.last()) else {
            return Ok(());
        };
        let place = Header {
            base: first.header.base,
            next: last.header.next,
            time_ms: last.header.time_ms,
            count: 0,
        };
        let mut writer = BatchWriter::default();
        for record in sources.iter().flat_map(Batch::records) {
            if self.keeps(&record) {
                writer.copy(&record, &place);
            }
        }
        self.kept_bytes += writer.len() as u64;
        let is_same = sources.len() == 1 && writer.count() == first.header.count;
        if is_same {
            return Ok(());
        }
        let mut batch = self.shared.rows.batch()?;
        for source in &sources[1..] {
            batch.delete(&keys::at_offset(
                keys::BATCH,
                self.partition.id,
                source.header.base,
            ));
        }
        let key = keys::at_offset(keys::BATCH, self.partition.id, place.base);
        batch.put(&key, writer.seal_as(place).bytes());
        self.shared.rows.write(batch, false)
    }
}

/// Shows the batches of a range in order, while the visitor wants more.
fn each_batch(
    shared: &Shared,
    partition: &Partition,
    from: i64,
    until: i64,
    visit: &mut dyn FnMut(Batch) -> Result<bool, StateError>,
) -> Result<(), StateError> {
    let (from, until) = keys::range(keys::BATCH, partition.id, from, until);
    let mut outcome = Ok(());
    shared.rows.scan(&from, &until, &mut |_, value| {
        let visited = Batch::read(value.to_vec())
            .map_err(|reason| StateError::Damaged {
                place: partition.name.to_string(),
                reason: reason.to_owned(),
            })
            .and_then(&mut *visit);
        match visited {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    outcome
}
