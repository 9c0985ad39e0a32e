//! D1: replay of the command log from offset 0 gives the same bytes: outputs and changelog rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use stagedoor_state::{ChangelogKind, ReadState as _, StoreKind, StoreSet, TaskState};
use stagedoor_topology::Stamp;

use crate::contents::{Contents, Rows};
use crate::error::AuditError;
use crate::history::{Channel, Lane, Output};
use crate::replay::{Given, Replay};
use crate::report::{Checker, Place, Report};

/// Compares a replay with what a task wrote, record by record and row by row.
pub(crate) fn same_bytes(
    lane: &Lane,
    replay: &Replay<'_>,
    contents: &Contents,
    stores: &Arc<StoreSet>,
    report: &mut Report,
) -> Result<(), AuditError> {
    outputs(lane, &replay.given, report);
    rows(&lane.at(lane.processed), replay, contents, stores, report)?;
    report.look(Checker::D1, "records", replay.records);
    Ok(())
}

/// Outputs by their stamps; only what the replay did not give, or gave otherwise, is found.
fn outputs(lane: &Lane, given: &[Given], report: &mut Report) {
    let key = |stamp: Stamp, channel: Channel| (Stamp { log_id: 0, ..stamp }, channel);
    let mut written: Vec<&Output> = lane.outputs.iter().collect();
    written.sort_by_key(|output| key(output.stamp, output.channel));
    let mut given: Vec<&Given> = given.iter().collect();
    given.sort_by_key(|given| key(given.stamp, given.channel));
    report.look(Checker::D1, "outputs", written.len());
    let (mut left, mut right) = (written.into_iter().peekable(), given.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(one), Some(other)) => {
                key(one.stamp, one.channel).cmp(&key(other.stamp, other.channel))
            }
        };
        let written = if order.is_le() { left.next() } else { None };
        let given = if order.is_ge() { right.next() } else { None };
        match (written, given) {
            (Some(written), Some(given)) if written.digest == given.digest => {}
            (Some(written), Some(_)) => {
                report.find(Checker::D1, &written.place, "the replay gives other bytes");
            }
            (Some(written), None) => {
                report.find(
                    Checker::D1,
                    &written.place,
                    "the replay does not give this record",
                );
            }
            (None, given) => {
                let stamp = given.map(|given| given.stamp).unwrap_or_default();
                let text = format!("the replay gives a record that is not there: {stamp:?}");
                report.find(Checker::D1, &lane.at(stamp.offset), text);
            }
        }
    }
}

/// Rows of the changelogs after compaction against those of the replayed state. Digests decide,
/// because they leave out windowed rows past their time, which the topic forgets by itself.
fn rows(
    place: &Place,
    replay: &Replay<'_>,
    contents: &Contents,
    stores: &Arc<StoreSet>,
    report: &mut Report,
) -> Result<(), AuditError> {
    let expected = replay.state.digest(replay.time_ms)?;
    let found = contents.restored(stores)?.digest(replay.time_ms)?;
    report.look(
        Checker::D1,
        "rows",
        usize::try_from(expected.rows).unwrap_or(usize::MAX),
    );
    if expected == found {
        return Ok(());
    }
    report.find(
        Checker::D1,
        place,
        format!("the replay gives {expected}, the changelog {found}"),
    );
    for (id, name, kind) in stores.list() {
        if kind == StoreKind::Store(ChangelogKind::Compacted) {
            differences(place, (id, name), &replay.state, &contents.rows, report)?;
        }
    }
    Ok(())
}

/// Names the rows of one store that differ.
fn differences(
    place: &Place,
    (id, name): (u8, &str),
    replayed: &TaskState,
    logged: &Rows,
    report: &mut Report,
) -> Result<(), AuditError> {
    let mut expected = Rows::new();
    replayed.scan_bytes(&[id], &[id + 1], &mut |key, value| {
        expected.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    let logged: Rows = logged
        .range(vec![id]..vec![id + 1])
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for key in expected
        .keys()
        .chain(logged.keys().filter(|key| !expected.contains_key(*key)))
    {
        if expected.get(key) != logged.get(key) {
            let key = String::from_utf8_lossy(key).escape_debug().to_string();
            report.find(Checker::D1, place, format!("{name}: the row {key} differs"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Run, found};

    fn check(run: &Run) -> Report {
        found(|report| {
            run.with_replay(|lane, replay, contents, stores| {
                same_bytes(lane, replay, contents, stores, report).unwrap();
            });
        })
    }

    #[test]
    fn a_run_that_is_what_its_commands_give_passes() {
        let report = check(&Run::sale());
        assert!(report.is_clean(&[Checker::D1]), "{report}");
    }

    #[test]
    fn an_output_of_other_bytes_is_found() {
        let mut run = Run::sale();
        run.lane.outputs[1].digest[0] ^= 1;
        let report = check(&run);
        assert!(
            report.violations[0].text.contains("other bytes"),
            "{report}"
        );
    }

    #[test]
    fn an_output_too_few_and_one_too_many_are_found() {
        let mut run = Run::sale();
        let lost = run.lane.outputs.remove(1);
        assert!(check(&run).violations[0].text.contains("not there"));
        run.lane.outputs.extend([lost.clone(), lost]);
        assert!(check(&run).violations[0].text.contains("does not give"));
    }

    #[test]
    fn one_row_that_differs_and_one_too_many_are_found() {
        let mut run = Run::sale();
        let (key, value) = run.contents.rows.pop_first().unwrap();
        assert_eq!(check(&run).found(Checker::D1), 2);
        run.contents
            .rows
            .insert(key.clone(), [value.as_slice(), b"x"].concat());
        assert_eq!(check(&run).found(Checker::D1), 2);
        run.contents.rows.insert(key.clone(), value.clone());
        run.contents
            .rows
            .insert([key.as_slice(), b"x"].concat(), value);
        assert_eq!(check(&run).found(Checker::D1), 2);
    }
}
