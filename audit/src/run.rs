//! One audit: what is read, in which order, and which checkers look at it.
//!
//! The order lets a running service go on. First the changelogs: each says up to which input its
//! task had committed. Then the outputs: whatever belongs to those inputs is there by now, and
//! what is newer is left alone. Then the command partitions, one after the other, each up to the
//! position that its changelog had. The other way round an input could be found without the
//! answer that came while the audit was reading.

use std::sync::{Mutex, PoisonError};

use stagedoor_state::Digest;
use stagedoor_topology::log::Isolation;

use crate::ahead;
use crate::checkers::{positions, replayed, restored};
use crate::contents::Contents;
use crate::error::AuditError;
use crate::lane::{Checkers, Pass};
use crate::outputs::{LaneOutputs, Outputs};
use crate::parallel::in_order;
use crate::read::Progress;
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
    let read = in_order(sources.threads, lanes.iter().copied(), |partition| {
        Changelog::read(sources, partition)
    });
    let mut changelogs = Vec::new();
    for changelog in read {
        let (changelog, found) = changelog?;
        report.merge(found);
        changelogs.push(changelog);
    }
    let mut logs = changelogs.iter();
    let log_id = logs.find_map(|changelog| changelog.contents.log_id());
    let chosen = lanes.into_iter().collect();
    let outputs = Mutex::new(Outputs::read(sources, log_id, chosen, &mut report)?);
    let audited = in_order(sources.threads, &changelogs, |changelog| {
        let mut all = outputs.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = all.of(changelog.partition);
        drop(all);
        audit_lane(sources, changelog, mine?)
    });
    for lane in audited {
        report.merge(lane?);
    }
    Ok(report)
}

/// Says how many offsets will be passed.
fn announce(sources: &Sources<'_>, lanes: &[i32]) -> Result<(), AuditError> {
    let (_, part) = sources.part()?;
    let mut topics: Vec<(String, Vec<i32>)> = vec![
        (sources.commands()?, lanes.to_vec()),
        (sources.naming.changelog(part.name), lanes.to_vec()),
        (sources.naming.window_changelog(part.name), lanes.to_vec()),
    ];
    let outputs = sources.outputs();
    topics.extend(
        outputs
            .iter()
            .map(|topic| (topic.name.to_string(), topic.every_partition())),
    );
    let mut total = 0;
    for (topic, partitions) in topics {
        let ends = sources
            .source()
            .ends(Isolation::ReadCommitted, &topic, &partitions)?;
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
    partition: i32,
    contents: Contents,
    digest: Digest,
}

impl Changelog {
    fn read(sources: &Sources<'_>, partition: i32) -> Result<(Self, Report), AuditError> {
        let (_, part) = sources.part()?;
        let (source, mut report) = (sources.source(), Report::default());
        let (contents, mut restored) = Contents::read(&source, sources.naming, part, partition)?;
        report.records += contents.read;
        positions::changelog(&contents, &mut report);
        if let Some(committed) = sources.committed {
            let committed = committed.get(&partition).copied();
            positions::group(&contents, committed, &mut report);
        }
        let live = sources.live(partition)?;
        if let Some(live) = &live {
            positions::store(&contents, live, &mut report)?;
        }
        let live = live.as_ref();
        let digest = restored::is_live_store(&contents, &mut restored, live, &mut report)?;
        let changelog = Self {
            partition,
            contents,
            digest,
        };
        Ok((changelog, report))
    }
}

/// Audits one command partition.
fn audit_lane(
    sources: &Sources<'_>,
    changelog: &Changelog,
    outputs: LaneOutputs,
) -> Result<Report, AuditError> {
    let (_, part) = sources.part()?;
    let (partition, contents) = (changelog.partition, &changelog.contents);
    let mut report = Report::default();
    report.partitions = 1;
    let lane = Lane {
        topic: sources.commands()?.into(),
        partition,
        until: contents.input(),
    };
    let mut pass = Pass {
        lane: lane.clone(),
        checkers: Checkers::new(sources.most_late_ms),
        merge: outputs.merge,
        complete_after_ms: outputs.complete_after_ms.unwrap_or(i64::MIN),
        outputs: Vec::new(),
    };
    let (replay, records) = ahead::replay(sources, &lane, outputs.skips, &mut |turn| {
        pass.take(&turn, &mut report)
    })?;
    report.records += records;
    let changelog_topic = sources.naming.changelog(part.name);
    let at_rest = contents.is_unchanged(&sources.source(), &changelog_topic, partition)?;
    let live = sources.live(partition)?;
    pass.finish(&replay, live.as_ref(), at_rest, &mut report)?;
    let expected = contents.digest_of(&replay.state)?;
    let place = lane.end();
    let same = replayed::same_rows(&place, (&expected, &changelog.digest), &mut report);
    if !same && sources.stores.is_none() {
        let text = format!(
            "it restores {}, and the replay gives {expected}",
            changelog.digest
        );
        report.find(Checker::D2, &restored::place_of(contents), text);
    }
    if !same && at_rest {
        let (_, now) = Contents::read(&sources.source(), sources.naming, part, partition)?;
        replayed::differences(&place, &replay.state, &now, &mut report)?;
    }
    Ok(report)
}
