//! One audit: what is read, in which order, and which checkers look at it.
//!
//! The order lets a running service go on. First the changelogs: each says up to which input its
//! task had committed. Then the outputs: whatever belongs to those inputs is there by now, and
//! what is newer is left alone. Then the command partitions, one after the other, each up to the
//! position that its changelog had. The other way round an input could be found without the
//! answer that came while the audit was reading.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use stagedoor_state::Digest;
use stagedoor_topology::log::Isolation;

use crate::checkers::{positions, replayed, restored};
use crate::contents::Contents;
use crate::error::AuditError;
use crate::lane::{Checkers, Pass};
use crate::outputs::{LaneOutputs, Outputs};
use crate::read::Progress;
use crate::replay::Replay;
use crate::report::{Checker, Report};
use crate::sources::Sources;
use crate::turn::Lane;

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
    let mut logs = changelogs.values();
    let log_id = logs.find_map(|changelog| changelog.contents.log_id());
    let chosen = lanes.iter().copied().collect();
    let outputs = Outputs::read(sources, log_id, chosen, &mut report)?;
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
