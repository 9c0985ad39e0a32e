//! One audit: what is read, and which checkers look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stagedoor_processors::concert::CONCERT;
use stagedoor_processors::concert::queries::{SeatMap, seat_map};
use stagedoor_state::{StorageProvider, TaskState};
use stagedoor_topology::log::{InputPosition, Log};
use stagedoor_topology::{
    Position, STAMP_HEADER, Secret, Stamp, SubTopology, TopicNaming, Topology,
};

use crate::checkers::{answers, capacity, crash, expiry, limits, owners, positions, replayed};
use crate::checkers::{restored, sets, stamps};
use crate::contents::Contents;
use crate::error::AuditError;
use crate::facts::What;
use crate::history::History;
use crate::load::{self, Origin, read_to_end};
use crate::replay::{Replay, Rules};
use crate::report::{Place, Report};

/// What an audit reads. Nothing is written and no group is joined.
pub struct Sources<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// What ran on it.
    pub topology: &'a Topology,
    /// Names and partition counts of its topics.
    pub naming: &'a TopicNaming,
    /// Key of the MAC on Ticks.
    pub secret: &'a Secret,
    /// Largest record that tasks may forward, as it was configured.
    pub max_record_bytes: usize,
    /// The stores, which no process may have open. Every task of them is audited.
    pub stores: &'a dyn StorageProvider,
    /// What the group has committed, by partition of the command topic.
    pub committed: &'a BTreeMap<i32, InputPosition>,
    /// How late a hold may expire, if the service was up all the time.
    pub most_late_ms: Option<i64>,
}

impl Sources<'_> {
    fn part(&self) -> Result<(usize, &SubTopology), AuditError> {
        let mut parts = self.topology.sub_topologies().iter().enumerate();
        parts
            .find(|(_, part)| part.name == CONCERT)
            .ok_or(AuditError::Unknown(CONCERT))
    }

    fn partitions(&self) -> std::ops::Range<i32> {
        0..self.naming.partitions
    }
}

/// Audits a run at rest: every process closed in good order, nothing in flight.
///
/// # Errors
/// Where something cannot be read. Broken promises are in the report.
pub fn run(sources: &Sources<'_>) -> Result<Report, AuditError> {
    let (index, part) = sources.part()?;
    let mut contents = BTreeMap::new();
    for partition in sources.partitions() {
        let read = Contents::read(sources.log, sources.naming, part.name, partition)?;
        contents.insert(partition, read);
    }
    let history = read_history(sources, part, &contents)?;
    let mut report = Report::default();
    owners::one_live_owner(&history, &mut report);
    limits::within_limit(&history, &mut report);
    expiry::at_the_deadline(&history, sources.most_late_ms, &mut report);
    answers::same_answer(&history, &mut report);
    stamps::answered_in_order(&history, &mut report);
    sets::no_torn_set(&history, &mut report);
    let mut maps = BTreeMap::new();
    let mut replays = replays(sources, part, &history)?;
    for (partition, contents) in &contents {
        let storage = sources.stores.storage(&format!("{index}_{partition}"))?;
        let live = TaskState::new(storage, Arc::clone(&part.stores))?;
        let committed = sources.committed.get(partition).copied();
        positions::agree(contents, &live, committed, &mut report)?;
        restored::is_live_store(contents, &live, &part.stores, &mut report)?;
        let lane = usize::try_from(*partition)
            .ok()
            .and_then(|at| history.lanes.get(at));
        if let (Some(replay), Some(lane)) = (replays.remove(partition), lane) {
            replayed::same_bytes(lane, &replay, contents, &part.stores, &mut report)?;
        }
        seat_maps(&history, *partition, &live, &mut maps)?;
    }
    capacity::adds_up(&history, &maps, &mut report);
    Ok(report)
}

/// Audits stores as a crash left them, before anything is restarted: each must be the replay of
/// its commands up to its own checkpoint. A store in the middle of a restore proves nothing.
///
/// # Errors
/// Where something cannot be read. Broken promises are in the report.
pub fn after_crash(sources: &Sources<'_>) -> Result<Report, AuditError> {
    let (index, part) = sources.part()?;
    let mut report = Report::default();
    let mut stores = BTreeMap::new();
    for partition in sources.partitions() {
        let name = format!("{index}_{partition}");
        if !sources.stores.tasks().contains(&name) {
            continue;
        }
        let storage = sources.stores.storage(&name)?;
        let checkpoint = storage
            .reader()
            .read(|snapshot| Ok(crash::checkpoint(snapshot)))??;
        // Only whole stores are opened as states, which may write: the next owner is to find the
        // others as they are.
        match checkpoint.filter(|checkpoint| !checkpoint.restoring) {
            Some(checkpoint) => {
                let live = TaskState::new(storage, Arc::clone(&part.stores))?;
                stores.insert(partition, (live, checkpoint));
            }
            None => crash::look_at_unproven(&mut report),
        }
    }
    let until: BTreeMap<i32, InputPosition> = stores
        .iter()
        .map(|(partition, store)| (*partition, store.1.position.input()))
        .collect();
    let replays = replay_until(sources, part, &until)?;
    for (partition, (live, checkpoint)) in &stores {
        let place = Place::new(sources.naming.topic(part.source.topic), *partition, 0);
        if let Some(replay) = replays.get(partition) {
            crash::is_replay(place, live, checkpoint, replay, &mut report)?;
        }
    }
    Ok(report)
}

fn read_history(
    sources: &Sources<'_>,
    part: &SubTopology,
    contents: &BTreeMap<i32, Contents>,
) -> Result<History, AuditError> {
    let positions = || contents.values().map(|contents| contents.position.as_ref());
    let input = |last: Option<&(Position, Place)>| last.map(|(position, _)| position.input());
    let processed: Vec<InputPosition> = positions()
        .map(|last| input(last).unwrap_or_default())
        .collect();
    let ids = positions()
        .flatten()
        .map(|(position, _)| position.source_topic_id.as_bytes());
    let log_id = ids
        .filter_map(|id| id.first_chunk::<8>())
        .next()
        .map(|id| u64::from_be_bytes(*id));
    let (naming, secret) = (sources.naming, sources.secret);
    let origin = Origin {
        naming,
        source: part.source.topic,
        log_id,
        secret,
    };
    load::history(sources.log, &origin, &processed)
}

fn replays<'a>(
    sources: &'a Sources<'a>,
    part: &'a SubTopology,
    history: &History,
) -> Result<BTreeMap<i32, Replay<'a>>, AuditError> {
    let until = |lane: &crate::history::Lane| {
        (
            lane.partition,
            InputPosition {
                next_offset: lane.processed,
                unit: lane.units,
            },
        )
    };
    replay_until(sources, part, &history.lanes.iter().map(until).collect())
}

/// Replays partitions of the command topic, each up to a position.
fn replay_until<'a>(
    sources: &'a Sources<'a>,
    part: &'a SubTopology,
    until: &BTreeMap<i32, InputPosition>,
) -> Result<BTreeMap<i32, Replay<'a>>, AuditError> {
    let rules = Rules {
        part,
        partitions: sources.naming.partitions,
        secret: sources.secret,
        max_record_bytes: sources.max_record_bytes,
    };
    let mut skips = skipped_units(sources)?;
    let mut replays = BTreeMap::new();
    for partition in until.keys() {
        let skips = skips.remove(partition).unwrap_or_default();
        replays.insert(*partition, Replay::new(rules, *partition, skips)?);
    }
    let partitions: Vec<i32> = until.keys().copied().collect();
    if partitions.is_empty() {
        return Ok(replays);
    }
    let mut failure = None;
    read_to_end(
        sources.log,
        &sources.naming.topic(part.source.topic),
        &partitions,
        &mut |record| {
            let (Some(replay), Some(until)) = (
                replays.get_mut(&record.partition),
                until.get(&record.partition),
            ) else {
                return;
            };
            if failure.is_none() {
                failure = replay.take(record, *until).err();
            }
        },
    )?;
    failure.map_or(Ok(replays), Err)
}

/// Units that dead letters say were skipped because they killed the process.
fn skipped_units(sources: &Sources<'_>) -> Result<BTreeMap<i32, BTreeSet<(i64, u32)>>, AuditError> {
    let mut skips: BTreeMap<i32, BTreeSet<(i64, u32)>> = BTreeMap::new();
    let partitions: Vec<i32> = sources.partitions().collect();
    read_to_end(
        sources.log,
        &sources.naming.dead_letters(),
        &partitions,
        &mut |record| {
            let is_skip = record.header("__streams.errors.exception") == Some(b"crash_loop");
            if let (true, Some(stamp)) =
                (is_skip, record.header(STAMP_HEADER).and_then(Stamp::decode))
            {
                skips
                    .entry(stamp.partition)
                    .or_default()
                    .insert((stamp.offset, stamp.unit));
            }
        },
    )?;
    Ok(skips)
}

/// The seats of the concerts of a partition as readers would see them in the store.
fn seat_maps(
    history: &History,
    partition: i32,
    live: &TaskState,
    maps: &mut BTreeMap<String, SeatMap>,
) -> Result<(), AuditError> {
    let lanes = history
        .lanes
        .iter()
        .filter(|lane| lane.partition == partition);
    for fact in lanes.flat_map(|lane| &lane.facts) {
        if let What::Listed(concert, _) = &fact.what
            && let Some(map) = seat_map(live, concert)?
        {
            maps.insert(concert.clone(), map);
        }
    }
    Ok(())
}
