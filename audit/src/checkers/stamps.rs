//! C3: stamps: every input has its answer once and in order, without gap and without repeat.

use std::collections::BTreeMap;

use stagedoor_topology::Stamp;

use crate::history::{Channel, History, Lane, with_key};
use crate::inputs::InputKind;
use crate::report::{Checker, Report};

/// Compares inputs with what is stamped with their offsets: a command has one answer, poison has
/// a dead letter and no answer, a Tick has neither; and in each output partition the stamps of one
/// input partition grow.
pub(crate) fn answered_in_order(history: &History, report: &mut Report) {
    for lane in &history.lanes {
        in_order(lane, report);
        complete(lane, report);
    }
}

fn in_order(lane: &Lane, report: &mut Report) {
    let mut last: BTreeMap<(Channel, i32), Stamp> = BTreeMap::new();
    let mut log_id = None;
    for output in &lane.outputs {
        let before = last.insert((output.channel, output.place.partition), output.stamp);
        if before.is_some_and(|before| before >= output.stamp) {
            let text = format!(
                "{:?} follows {:?}",
                output.stamp,
                before.unwrap_or_default()
            );
            report.find(Checker::C3, &output.place, text);
        }
        if *log_id.get_or_insert(output.stamp.log_id) != output.stamp.log_id {
            report.find(
                Checker::C3,
                &output.place,
                "the stamp names another input log",
            );
        }
        if output.channel == Channel::Results && lane.input(output.stamp.offset).is_none() {
            let text = format!(
                "it answers offset {}, where there is nothing",
                output.stamp.offset
            );
            report.find(Checker::C3, &output.place, text);
        }
    }
    report.look(Checker::C3, "stamps", lane.outputs.len());
}

fn complete(lane: &Lane, report: &mut Report) {
    let results = lane.results();
    let is_letter = |channel| channel == Channel::DeadLetters;
    let mut letters: Vec<_> = lane
        .outputs
        .iter()
        .filter(|output| is_letter(output.channel))
        .collect();
    letters.sort_by_key(|output| output.stamp);
    let mut commands = 0;
    for input in lane.decided() {
        let answers = with_key(&results, input.offset, |output| output.stamp.offset).len();
        let letters = with_key(&letters, input.offset, |output| output.stamp.offset).len();
        let wrong = match input.kind {
            InputKind::Command { .. } => {
                commands += 1;
                (answers != 1).then_some("a command with not exactly one answer")
            }
            InputKind::Tick => (answers != 0).then_some("a Tick with an answer"),
            InputKind::Poison if letters == 0 => Some("poison without a dead letter"),
            InputKind::Poison => (answers != 0).then_some("poison with an answer"),
        };
        if let Some(text) = wrong {
            let text = format!("{text}: {answers} answers, {letters} dead letters");
            report.find(Checker::C3, &lane.at(input.offset), text);
        }
    }
    report.look(Checker::C3, "inputs", lane.decided().len());
    report.look(Checker::C3, "commands", commands);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Verdict;
    use crate::samples::{Story, found};

    fn check(story: &Story) -> Report {
        found(|report| answered_in_order(&story.history(), report))
    }

    fn clean() -> Story {
        Story::new()
            .command("k1", "body", Verdict::Effect, "answer")
            .tick(5_000)
            .poison()
            .command("k2", "body", Verdict::Refused, "no")
    }

    #[test]
    fn commands_have_answers_poison_has_letters_and_ticks_have_nothing() {
        let report = check(&clean());
        assert!(report.is_clean(&[Checker::C3]), "{report}");
    }

    #[test]
    fn a_gap_is_found() {
        let report = check(
            &clean()
                .unanswered("k3")
                .command("k4", "b", Verdict::Refused, "no"),
        );
        assert!(report.violations[0].text.contains("0 answers"), "{report}");
    }

    #[test]
    fn a_repeat_is_found() {
        let report = check(&clean().answered_twice("k3"));
        assert_eq!(
            report.found(Checker::C3),
            2,
            "once by order, once by count: {report}"
        );
    }

    #[test]
    fn answers_in_the_wrong_order_are_found() {
        let report = check(
            &clean()
                .command("k3", "b", Verdict::Refused, "no")
                .swap_last_answers(),
        );
        assert_eq!(report.found(Checker::C3), 1, "{report}");
    }

    #[test]
    fn an_answer_to_a_tick_and_poison_without_a_letter_are_found() {
        let report = check(&clean().answered_tick(6_000));
        assert!(
            report.violations[0].text.contains("a Tick with an answer"),
            "{report}"
        );
        let report = check(&clean().lost_poison());
        assert!(
            report.violations[0].text.contains("without a dead letter"),
            "{report}"
        );
    }
}
