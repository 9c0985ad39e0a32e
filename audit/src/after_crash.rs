//! The audit of stores as a crash left them, and the replay that they are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stagedoor_state::TaskState;
use stagedoor_topology::log::{InputPosition, Isolation};
use stagedoor_topology::{Checkpoint, STAMP_HEADER, Stamp};

use crate::checkers::crash;
use crate::error::AuditError;
use crate::replay::Replay;
use crate::report::{Place, Report};
use crate::sources::Sources;

/// Audits stores as a crash left them, before anything is restarted: each must be the replay of
/// its commands up to its own checkpoint. A store in the middle of a restore proves nothing.
///
/// # Errors
/// Where something cannot be read. Broken promises are in the report.
pub fn after_crash(sources: &Sources<'_>) -> Result<Report, AuditError> {
    let (index, part) = sources.part()?;
    let mut report = Report::default();
    let Some(stores) = sources.stores else {
        return Ok(report);
    };
    let topic = sources.commands()?;
    let mut skips = None;
    for partition in sources.lanes()? {
        let name = format!("{index}_{partition}");
        if !stores.tasks().contains(&name) {
            continue;
        }
        let storage = stores.storage(&name)?;
        let checkpoint = storage
            .reader()
            .read(|snapshot| Ok(Checkpoint::of(snapshot)))??;
        // Only whole stores are opened as states, which may write: the next owner is to find the
        // others as they are.
        let Some(checkpoint) = checkpoint.filter(|checkpoint| !checkpoint.restoring) else {
            crash::look_at_unproven(&mut report);
            continue;
        };
        let live = TaskState::new(storage, Arc::clone(&part.stores))?;
        let until = checkpoint.position.input();
        let known = match &mut skips {
            Some(known) => known,
            None => skips.insert(skipped_units(sources)?),
        };
        let skipped = known.remove(&partition).unwrap_or_default();
        let replay = replay_until(sources, partition, until, skipped)?;
        let place = Place::new(topic.as_str(), partition, 0);
        crash::is_replay(place, &live, &checkpoint, &replay, &mut report)?;
    }
    Ok(report)
}

/// Replays a command partition up to a position. Nothing but the state is kept.
pub(crate) fn replay_until<'a>(
    sources: &'a Sources<'a>,
    partition: i32,
    until: InputPosition,
    skips: BTreeSet<(i64, u32)>,
) -> Result<Replay<'a>, AuditError> {
    let topic = sources.commands()?;
    let ends = sources.input_ends(&topic, partition, until)?;
    let mut replay = Replay::new(sources.rules()?, partition, skips)?;
    sources.source().read(&topic, &ends, &mut |record| {
        replay.given.clear();
        replay.take(record, until)
    })?;
    replay.settle()?;
    Ok(replay)
}

/// Units that dead letters say were skipped because they killed the process.
pub(crate) fn skipped_units(
    sources: &Sources<'_>,
) -> Result<BTreeMap<i32, BTreeSet<(i64, u32)>>, AuditError> {
    let mut skips: BTreeMap<i32, BTreeSet<(i64, u32)>> = BTreeMap::new();
    let (topic, source) = (sources.dead_letters(), sources.source());
    let every = topic.every_partition();
    let ends = source.ends(Isolation::ReadCommitted, &topic.name, &every)?;
    source.read(&topic.name, &ends, &mut |record| {
        let is_skip = record.header("__streams.errors.exception") == Some(b"crash_loop");
        let stamp = record.header(STAMP_HEADER).and_then(Stamp::decode);
        if let Some(stamp) = stamp.filter(|_| is_skip) {
            let skips = skips.entry(stamp.partition).or_default();
            skips.insert((stamp.offset, stamp.unit));
        }
        Ok(())
    })?;
    Ok(skips)
}
