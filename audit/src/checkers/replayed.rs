//! D1: replay of the command log from offset 0 gives the same bytes: outputs and changelog rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use stagedoor_state::{ChangelogKind, Digest, ReadState as _, StoreKind, TaskState};
use stagedoor_topology::Stamp;

use crate::error::AuditError;
use crate::replay::{Given, Replay};
use crate::report::{Checker, Place, Report};
use crate::turn::{Channel, Lane, Output, Turn};

/// Compares a replay with what a task wrote, record by record. It keeps counts alone.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    outputs: usize,
}

impl Comparison {
    /// Takes one turn with what the replay gives for it. Only what the replay did not give, or
    /// gave otherwise, is found.
    pub(crate) fn turn(
        &mut self,
        lane: &Lane,
        turn: &Turn<'_>,
        given: &[Given],
        report: &mut Report,
    ) {
        self.outputs += turn.outputs.len();
        let mut left = turn.outputs.iter().peekable();
        let mut right = given.iter().peekable();
        while left.peek().is_some() || right.peek().is_some() {
            let order = match (left.peek(), right.peek()) {
                (None, _) => std::cmp::Ordering::Greater,
                (Some(_), None) => std::cmp::Ordering::Less,
                (Some(one), Some(other)) => {
                    key(one.stamp, one.channel).cmp(&key(other.stamp, other.channel))
                }
            };
            let written = if order.is_le() { left.next() } else { None };
            let given = if order.is_ge() { right.next() } else { None };
            compare(lane, written, given, report);
        }
    }

    /// Takes outputs of an offset at which there is no input.
    pub(crate) fn stray(outputs: &[Output], report: &mut Report) {
        for output in outputs {
            let text = "the replay does not give this record";
            report.find(Checker::D1, &output.place, text);
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, replay: &Replay<'_>, report: &mut Report) {
        report.look(Checker::D1, "outputs", self.outputs);
        report.look(Checker::D1, "records", replay.records);
    }
}

fn key(stamp: Stamp, channel: Channel) -> (Stamp, Channel) {
    (Stamp { log_id: 0, ..stamp }, channel)
}

fn compare(lane: &Lane, written: Option<&Output>, given: Option<&Given>, report: &mut Report) {
    match (written, given) {
        (Some(written), Some(given)) if is_same(written, given) => {}
        (Some(written), Some(_)) => {
            report.find(Checker::D1, &written.place, "the replay gives other bytes");
        }
        (Some(written), None) => Comparison::stray(std::slice::from_ref(written), report),
        (None, Some(given)) => {
            let stamp = given.stamp;
            let text = format!("the replay gives a record that is not there: {stamp:?}");
            report.find(Checker::D1, &lane.at(stamp.offset), text);
        }
        (None, None) => {}
    }
}

fn is_same(written: &Output, given: &Given) -> bool {
    let partition = given.partition.unwrap_or(written.place.partition);
    partition == written.place.partition && written.key == given.key && written.value == given.value
}

/// Compares the digest of a replayed state with that of the restored changelog. Digests decide,
/// because they leave out windowed rows past their time, which the topic forgets by itself.
pub(crate) fn same_rows(
    place: &Place,
    (expected, found): (&Digest, &Digest),
    report: &mut Report,
) -> bool {
    let rows = usize::try_from(expected.rows).unwrap_or(usize::MAX);
    report.look(Checker::D1, "rows", rows);
    if expected != found {
        let text = format!("the replay gives {expected}, the changelog {found}");
        report.find(Checker::D1, place, text);
    }
    expected == found
}

/// Names the rows that differ.
pub(crate) fn differences(
    place: &Place,
    replayed: &TaskState,
    restored: &TaskState,
    report: &mut Report,
) -> Result<(), AuditError> {
    for (store, key) in different_rows(replayed, restored)? {
        report.find(
            Checker::D1,
            place,
            format!("{store}: the row {key} differs"),
        );
    }
    Ok(())
}

/// Stores and keys of the rows that are not the same on both sides; windowed stores are left out.
pub(crate) fn different_rows(
    replayed: &TaskState,
    other: &TaskState,
) -> Result<Vec<(&'static str, String)>, AuditError> {
    let mut different = Vec::new();
    for (id, name, kind) in replayed.stores().list() {
        if kind != StoreKind::Store(ChangelogKind::Compacted) {
            continue;
        }
        let (expected, found) = (rows_of(replayed, id)?, rows_of(other, id)?);
        let keys: BTreeSet<&Vec<u8>> = expected.keys().chain(found.keys()).collect();
        let differ = |key: &&Vec<u8>| expected.get(*key) != found.get(*key);
        let keys = keys.into_iter().filter(differ);
        different.extend(keys.map(|key| (name, shown(&key[1..]))));
    }
    Ok(different)
}

/// The rows of one store.
fn rows_of(state: &TaskState, id: u8) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, AuditError> {
    let mut rows = BTreeMap::new();
    state.scan_bytes(&[id], &[id + 1], &mut |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// A key for people: text as far as it is some.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Run;

    fn check(run: &Run) -> Report {
        let mut replayed = Comparison::default();
        let (mut report, replay) = run.walk(|lane, turn, given, report| {
            replayed.turn(lane, turn, given, report);
        });
        replayed.finish(&replay, &mut report);
        let restored = run.restored();
        let [expected, found] =
            [&replay.state, &restored].map(|state| run.contents.digest_of(state).unwrap());
        let place = run.lane.end();
        if !same_rows(&place, (&expected, &found), &mut report) {
            differences(&place, &replay.state, &restored, &mut report).unwrap();
        }
        report
    }

    #[test]
    fn a_run_that_is_what_its_commands_give_passes() {
        let report = check(&Run::sale());
        assert!(report.is_clean(&[Checker::D1]), "{report}");
    }

    #[test]
    fn an_output_of_other_bytes_is_found() {
        let mut run = Run::sale();
        run.outputs[1].value[0] ^= 1;
        let report = check(&run);
        assert!(
            report.violations[0].text.contains("other bytes"),
            "{report}"
        );
    }

    #[test]
    fn an_output_too_few_and_one_too_many_are_found() {
        let mut run = Run::sale();
        let lost = run.outputs.remove(1);
        assert!(check(&run).violations[0].text.contains("not there"));
        run.outputs.extend([lost.clone(), lost]);
        assert!(check(&run).violations[0].text.contains("does not give"));
    }

    #[test]
    fn one_row_that_differs_and_one_too_many_are_found() {
        let mut run = Run::sale();
        let (key, value) = run.rows.pop_first().unwrap();
        assert_eq!(check(&run).found(Checker::D1), 2);
        run.rows
            .insert(key.clone(), [value.as_slice(), b"x"].concat());
        assert_eq!(check(&run).found(Checker::D1), 2);
        run.rows.insert(key.clone(), value.clone());
        run.rows.insert([key.as_slice(), b"x"].concat(), value);
        assert_eq!(check(&run).found(Checker::D1), 2);
    }
}
