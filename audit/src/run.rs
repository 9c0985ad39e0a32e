//! One audit: what is read, in which order, and which checkers look at it.
//!
//! The order lets a running service go on. First the changelogs: each says up to which input its
//! task had committed. Then the outputs: whatever belongs to those inputs is there by now, and
//! what is newer is left alone. Then the command partitions, one after the other, each up to the
//! position that its changelog had. The other way round an input could be found without the
//! answer that came while the audit was reading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use stagedoor_processors::concert::{CATALOGUE, CONCERT, EVENTS, RESULTS};
use stagedoor_state::{Digest, StorageProvider, TaskState};
use stagedoor_topology::log::{InputPosition, Isolation, Log};
use stagedoor_topology::{
    Checkpoint, Record, STAMP_HEADER, Secret, Stamp, SubTopology, TopicNaming, Topology,
};

use crate::checkers::sets::Sets;
use crate::checkers::stamps::Order;
use crate::checkers::{crash, positions, replayed, restored};
use crate::contents::Contents;
use crate::error::AuditError;
use crate::lane::{Checkers, Pass};
use crate::read::{Ends, Progress, Source};
use crate::replay::{Replay, Rules};
use crate::report::{Checker, Place, Report};
use crate::spill::{Merge, Spill};
use crate::turn::{Channel, Lane};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What an audit reads. Nothing is written and no group is joined.
#[derive(Clone)]
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
    /// The stores, which no process may have open. Without them only topics are compared.
    pub stores: Option<&'a dyn StorageProvider>,
    /// What the group has committed, by partition of the command topic, if that was asked for.
    pub committed: Option<&'a BTreeMap<i32, InputPosition>>,
    /// How late a hold may expire, if the service was up all the time.
    pub most_late_ms: Option<i64>,
    /// Command partitions to look at; all of them where none is given.
    pub partitions: Vec<i32>,
    /// Bytes of outputs that are held in memory before they move to temporary space.
    pub memory_bytes: usize,
    /// Where temporary space is taken if it is needed.
    pub temporary: PathBuf,
    /// Command partitions that are audited at once; each takes the memory of its state.
    pub threads: usize,
    /// Is told how far the audit is, by any of its threads.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Sources<'a> {
    /// All partitions of what a topology wrote, by its topics alone.
    #[must_use]
    pub fn new(
        log: &'a dyn Log,
        topology: &'a Topology,
        naming: &'a TopicNaming,
        secret: &'a Secret,
    ) -> Self {
        Self {
            log,
            topology,
            naming,
            secret,
            max_record_bytes: 1_000_000,
            stores: None,
            committed: None,
            most_late_ms: None,
            partitions: Vec::new(),
            memory_bytes: 64 * 1024 * 1024,
            temporary: std::env::temp_dir(),
            threads: 1,
            progress: &|_| {},
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            log: self.log,
            progress: self.progress,
        }
    }

    pub(crate) fn part(&self) -> Result<(usize, &SubTopology), AuditError> {
        let mut parts = self.topology.sub_topologies().iter().enumerate();
        parts
            .find(|(_, part)| part.name == CONCERT)
            .ok_or(AuditError::Unknown(CONCERT))
    }

    pub(crate) fn rules(&self) -> Result<Rules<'_>, AuditError> {
        let (_, part) = self.part()?;
        Ok(Rules {
            part,
            partitions: self.naming.partitions,
            secret: self.secret,
            max_record_bytes: self.max_record_bytes,
        })
    }

    /// Full name of the command topic.
    pub(crate) fn commands(&self) -> Result<String, AuditError> {
        Ok(self.naming.topic(self.part()?.1.source.topic))
    }

    /// The command partitions that are looked at.
    pub(crate) fn lanes(&self) -> Result<Vec<i32>, AuditError> {
        let last = self.naming.partitions - 1;
        if let Some(wrong) = self
            .partitions
            .iter()
            .find(|lane| !(0..=last).contains(*lane))
        {
            return Err(AuditError::NoPartition {
                topic: self.commands()?,
                partition: *wrong,
                last,
            });
        }
        let chosen: BTreeSet<i32> = self.partitions.iter().copied().collect();
        match chosen.is_empty() {
            true => Ok((0..=last).collect()),
            false => Ok(chosen.into_iter().collect()),
        }
    }

    fn every_partition(&self) -> Vec<i32> {
        (0..self.naming.partitions).collect()
    }

    /// The topics that tasks forward to.
    fn outputs(&self) -> [(Arc<str>, Channel); 4] {
        let topic = |name: &str| self.naming.topic(name).into();
        [
            (topic(RESULTS.topic), Channel::Results),
            (topic(EVENTS.topic), Channel::Events),
            (topic(CATALOGUE.topic), Channel::Catalogue),
            (self.naming.dead_letters().into(), Channel::DeadLetters),
        ]
    }

    /// Ends of a command partition up to a position. It must still have its start.
    pub(crate) fn input_ends(
        &self,
        topic: &str,
        partition: i32,
        until: InputPosition,
    ) -> Result<Ends, AuditError> {
        let ends = self
            .source()
            .ends(Isolation::ReadCommitted, topic, &[partition])?;
        let mut bounded = Ends::new();
        for (partition, (start, end)) in ends {
            if start > 0 {
                return Err(AuditError::Cut {
                    topic: topic.to_owned(),
                    partition,
                    start,
                });
            }
            let next = until.next_offset + i64::from(until.unit > 0);
            bounded.insert(partition, (start, next.min(end)));
        }
        Ok(bounded)
    }

    /// The live store of a task, if stores are given.
    fn live(&self, partition: i32) -> Result<Option<TaskState>, AuditError> {
        let (index, part) = self.part()?;
        let Some(stores) = self.stores else {
            return Ok(None);
        };
        let storage = stores.storage(&format!("{index}_{partition}"))?;
        Ok(Some(TaskState::new(storage, Arc::clone(&part.stores))?))
    }
}

/// Audits a run, up to the last committed position of each task. Where nothing is in flight,
/// records past it are violations, too.
///
/// # Errors
/// Where something cannot be read. Broken promises are in the report.
pub fn run(sources: &Sources<'_>) -> Result<Report, AuditError> {
    let mut report = Report::default();
    let lanes = sources.lanes()?;
    announce(sources, &lanes)?;
    let mut changelogs = BTreeMap::new();
    for partition in &lanes {
        changelogs.insert(
            *partition,
            Changelog::read(sources, *partition, &mut report)?,
        );
    }
    let outputs = Outputs::read(sources, &changelogs, &mut report)?;
    for lane in audit_lanes(sources, &changelogs, outputs) {
        report.merge(lane?);
    }
    Ok(report)
}

/// Audits the command partitions, some at once. The outcomes are in the order of the partitions,
/// whatever the order of the threads.
fn audit_lanes(
    sources: &Sources<'_>,
    changelogs: &BTreeMap<i32, Changelog>,
    outputs: Outputs,
) -> Vec<Result<Report, AuditError>> {
    let (outputs, next) = (Mutex::new(outputs), Mutex::new(changelogs.iter()));
    let work = || {
        let mut done = Vec::new();
        loop {
            let taken = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((partition, changelog)) = taken else {
                return done;
            };
            let mut all = outputs.lock().unwrap_or_else(PoisonError::into_inner);
            let mine = all.of(*partition);
            drop(all);
            let audited = mine.and_then(|mine| audit_lane(sources, *partition, changelog, mine));
            done.push((*partition, audited));
        }
    };
    let threads = sources.threads.clamp(1, changelogs.len().max(1));
    let mut done = match threads {
        1 => work(),
        _ => std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                match other.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        }),
    };
    done.sort_by_key(|(partition, _)| *partition);
    done.into_iter().map(|(_, audited)| audited).collect()
}

/// Says how many offsets will be passed.
fn announce(sources: &Sources<'_>, lanes: &[i32]) -> Result<(), AuditError> {
    let (_, part) = sources.part()?;
    let every = sources.every_partition();
    let mut topics: Vec<(String, &[i32])> = vec![
        (sources.commands()?, lanes),
        (sources.naming.changelog(part.name), lanes),
        (sources.naming.window_changelog(part.name), lanes),
    ];
    let outputs = sources.outputs();
    topics.extend(
        outputs
            .iter()
            .map(|(topic, _)| (topic.to_string(), &every[..])),
    );
    let mut total = 0;
    for (topic, partitions) in topics {
        let ends = sources
            .source()
            .ends(Isolation::ReadCommitted, &topic, partitions)?;
        total += ends
            .values()
            .map(|(low, next)| next.abs_diff(*low))
            .sum::<u64>();
    }
    (sources.progress)(Progress::Total(total));
    Ok(())
}

/// What the changelogs of one task said: everything but their rows.
struct Changelog {
    contents: Contents,
    digest: Digest,
}

impl Changelog {
    fn read(
        sources: &Sources<'_>,
        partition: i32,
        report: &mut Report,
    ) -> Result<Self, AuditError> {
        let (_, part) = sources.part()?;
        let source = sources.source();
        let mut contents = Contents::read(&source, sources.naming, part.name, partition)?;
        report.records += contents.read;
        positions::changelog(&contents, report);
        if let Some(committed) = sources.committed {
            positions::group(&contents, committed.get(&partition).copied(), report);
        }
        let live = sources.live(partition)?;
        if let Some(live) = &live {
            positions::store(&contents, live, report)?;
        }
        let restored = contents.restored(&part.stores)?;
        let digest = restored::is_live_store(&contents, &restored, live.as_ref(), report)?;
        contents.forget_rows();
        Ok(Self { contents, digest })
    }
}

/// What tasks forwarded, sorted by command partitions.
struct Outputs {
    spill: Spill,
    order: Order,
    /// Units that dead letters say were skipped because they killed the process.
    skips: BTreeMap<i32, BTreeSet<(i64, u32)>>,
    complete_after_ms: Option<i64>,
}

impl Outputs {
    fn read(
        sources: &Sources<'_>,
        changelogs: &BTreeMap<i32, Changelog>,
        report: &mut Report,
    ) -> Result<Self, AuditError> {
        let mut outputs = Self {
            spill: Spill::new(&sources.temporary, sources.memory_bytes),
            order: Order::default(),
            skips: BTreeMap::new(),
            complete_after_ms: None,
        };
        let mut logs = changelogs.values();
        let reader = OutputReader {
            log_id: logs.find_map(|changelog| changelog.contents.log_id()),
            lanes: changelogs.keys().copied().collect(),
            partitions: sources.naming.partitions,
        };
        for (topic, channel) in sources.outputs() {
            let every = sources.every_partition();
            let ends = sources
                .source()
                .ends(Isolation::ReadCommitted, &topic, &every)?;
            let mut first = BTreeMap::new();
            sources.source().read(&topic, &ends, &mut |record| {
                first.entry(record.partition).or_insert(record.timestamp_ms);
                report.records += 1;
                reader.take(record, (&topic, channel), &mut outputs, report)
            })?;
            let cut = cut_before(channel, &ends, &first);
            outputs.complete_after_ms = outputs.complete_after_ms.max(cut);
        }
        report.complete_after_ms = report.complete_after_ms.max(outputs.complete_after_ms);
        outputs.order.finish(report);
        Ok(outputs)
    }
}

/// Log time up to which records may have left a topic. Retention takes the oldest first, so
/// whatever was appended after the first record that is left is left as well.
fn cut_before(channel: Channel, ends: &Ends, first: &BTreeMap<i32, i64>) -> Option<i64> {
    let retention_ms = match channel {
        Channel::Results => 7 * DAY_MS,
        Channel::Events | Channel::Catalogue | Channel::DeadLetters => 30 * DAY_MS,
    };
    let is_cut = |(_, (low, _)): &(&i32, &(i64, i64))| *low > 0;
    let cuts = ends.iter().filter(is_cut).map(|(partition, _)| {
        let emptied = || wall_clock_ms() - retention_ms;
        first.get(partition).copied().unwrap_or_else(emptied)
    });
    cuts.max()
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// What tells outputs that are audited from all others.
struct OutputReader {
    /// The input log's part of the stamps, where it is known.
    log_id: Option<u64>,
    lanes: BTreeSet<i32>,
    partitions: i32,
}

impl OutputReader {
    fn take(
        &self,
        record: &Record<'_>,
        (topic, channel): (&Arc<str>, Channel),
        outputs: &mut Outputs,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let place = || Place::new(Arc::clone(topic), record.partition, record.offset);
        let stamp = record.header(STAMP_HEADER).and_then(Stamp::decode);
        // Other command topics have other logs; their outputs are audited with them.
        let is_other = |stamp: &Stamp| self.log_id.is_some_and(|log_id| log_id != stamp.log_id);
        let Some(stamp) = stamp else {
            Sets::unstamped(&place(), report);
            return Ok(());
        };
        if is_other(&stamp) {
            return Ok(());
        }
        if !(0..self.partitions).contains(&stamp.partition) {
            Sets::unstamped(&place(), report);
            return Ok(());
        }
        if !self.lanes.contains(&stamp.partition) {
            return Ok(());
        }
        outputs
            .order
            .output(stamp, (channel, record.partition), &place(), report);
        if record.header("__streams.errors.exception") == Some(b"crash_loop") {
            let skips = outputs.skips.entry(stamp.partition).or_default();
            skips.insert((stamp.offset, stamp.unit));
        }
        let bytes = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        let at = (record.partition, record.offset);
        outputs.spill.push(stamp, (topic, channel), at, bytes)
    }
}

/// What tasks forwarded because of one command partition.
struct LaneOutputs {
    merge: Merge,
    skips: BTreeSet<(i64, u32)>,
    complete_after_ms: Option<i64>,
}

impl Outputs {
    /// Takes out what belongs to one command partition.
    fn of(&mut self, partition: i32) -> Result<LaneOutputs, AuditError> {
        Ok(LaneOutputs {
            merge: self.spill.merge(partition)?,
            skips: self.skips.remove(&partition).unwrap_or_default(),
            complete_after_ms: self.complete_after_ms,
        })
    }
}

/// Audits one command partition.
fn audit_lane(
    sources: &Sources<'_>,
    partition: i32,
    changelog: &Changelog,
    outputs: LaneOutputs,
) -> Result<Report, AuditError> {
    let mut report = Report::default();
    report.partitions = 1;
    let (_, part) = sources.part()?;
    let contents = &changelog.contents;
    let topic: Arc<str> = sources.commands()?.into();
    let lane = Lane {
        topic: Arc::clone(&topic),
        partition,
        until: contents.input(),
    };
    let ends = sources.input_ends(&topic, partition, lane.until)?;
    let mut pass = Pass {
        lane,
        replay: Replay::new(sources.rules()?, partition, outputs.skips)?,
        checkers: Checkers::new(sources.most_late_ms),
        merge: outputs.merge,
        complete_after_ms: outputs.complete_after_ms.unwrap_or(i64::MIN),
        secret: sources.secret,
        outputs: Vec::new(),
    };
    sources.source().read(&topic, &ends, &mut |record| {
        report.records += 1;
        pass.take(record, &mut report)
    })?;
    let changelog_topic = sources.naming.changelog(part.name);
    let at_rest = contents.is_unchanged(&sources.source(), &changelog_topic, partition)?;
    pass.finish(sources.live(partition)?.as_ref(), at_rest, &mut report)?;
    let expected = contents.digest_of(&pass.replay.state)?;
    let place = pass.lane.end();
    let same = replayed::same_rows(&place, (&expected, &changelog.digest), &mut report);
    if !same && sources.stores.is_none() {
        let text = format!(
            "it restores {}, and the replay gives {expected}",
            changelog.digest
        );
        report.find(Checker::D2, &restored::place_of(contents), text);
    }
    if !same && at_rest {
        let now = Contents::read(&sources.source(), sources.naming, part.name, partition)?;
        replayed::differences(&place, &pass.replay.state, &now, &mut report)?;
    }
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
    let (topic, every) = (sources.naming.dead_letters(), sources.every_partition());
    let ends = sources
        .source()
        .ends(Isolation::ReadCommitted, &topic, &every)?;
    sources.source().read(&topic, &ends, &mut |record| {
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
