//! Retention: whole segments go from the front, by range.

use std::ops::ControlFlow;

use stagedoor_state::StateError;

use super::Shared;
use super::keys;
use super::partition::{Closed, Partition};
use super::topics::Topic;

/// A week, as on Kafka.
const RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Deletes the closed segments that are too old or too much.
pub(super) fn delete_old(
    shared: &Shared,
    topic: &Topic,
    partition: &Partition,
) -> Result<(), StateError> {
    let most_ms = topic.limit("retention.ms", RETENTION_MS);
    let most_bytes = topic.limit("retention.bytes", -1).map(i64::unsigned_abs);
    if most_ms.is_none() && most_bytes.is_none() {
        return Ok(());
    }
    let now_ms = shared.config.clock.wall_ms();
    let closed = closed_segments(shared, partition)?;
    let mut bytes = partition.state().segment.bytes + closed.iter().map(|it| it.bytes).sum::<u64>();
    let mut old = Vec::new();
    for segment in closed {
        let too_old = most_ms.is_some_and(|most| now_ms.saturating_sub(segment.time_ms) > most);
        if !too_old && most_bytes.is_none_or(|most| bytes <= most) {
            break;
        }
        bytes -= segment.bytes;
        old.push(segment);
    }
    match old.last() {
        Some(last) => delete(shared, partition, &old, last.next),
        None => Ok(()),
    }
}

/// The closed segments of a partition, oldest first.
pub(super) fn closed_segments(
    shared: &Shared,
    partition: &Partition,
) -> Result<Vec<Closed>, StateError> {
    let (from, until) = keys::range(keys::SEGMENT, partition.id, 0, i64::MAX);
    let mut closed = Vec::new();
    shared.rows.scan(&from, &until, &mut |key, value| {
        let base = keys::offset(key, 9);
        closed.extend(base.and_then(|base| Closed::from_row(base, value)));
        ControlFlow::Continue(())
    })?;
    Ok(closed)
}

fn delete(
    shared: &Shared,
    partition: &Partition,
    old: &[Closed],
    first: i64,
) -> Result<(), StateError> {
    // Readers see the new start before the records go: they are told, and nobody finds a gap.
    partition.state().first = first;
    let (from, until) = keys::range(keys::BATCH, partition.id, 0, first);
    let mut batch = shared.rows.batch()?;
    batch.put(
        &keys::of_partition(keys::START, partition.id),
        &first.to_be_bytes(),
    );
    batch.delete_range(&from, &until);
    for segment in old {
        batch.delete(&keys::at_offset(keys::SEGMENT, partition.id, segment.base));
    }
    shared.rows.write(batch, false)?;
    shared.rows.delete_files(&from, &until)?;
    tracing::debug!(partition = %partition.name, first, "old records deleted");
    Ok(())
}
