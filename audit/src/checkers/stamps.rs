//! C3: stamps: every input has its answer once and in order, without gap and without repeat.

use std::collections::BTreeMap;

use stagedoor_topology::Stamp;

use crate::inputs::InputKind;
use crate::report::{Checker, Place, Report};
use crate::spill::RunKey;
use crate::turn::{Channel, Lane, Output, Turn};

/// In each output partition the stamps of one input partition grow. It keeps the last stamp of
/// each pair of partitions.
#[derive(Debug, Default)]
pub(crate) struct Order {
    last: BTreeMap<(i32, RunKey), Stamp>,
    log_id: Option<u64>,
    stamps: usize,
}

impl Order {
    /// Takes outputs in the order of their topics.
    pub(crate) fn output(
        &mut self,
        stamp: Stamp,
        run: RunKey,
        place: &dyn Fn() -> Place,
        report: &mut Report,
    ) {
        self.stamps += 1;
        let before = self.last.insert((stamp.partition, run), stamp);
        if let Some(before) = before.filter(|before| *before >= stamp) {
            let text = format!("{stamp:?} follows {before:?}");
            report.find(Checker::C3, &place(), text);
        }
        if *self.log_id.get_or_insert(stamp.log_id) != stamp.log_id {
            let text = "the stamp names another input log";
            report.find(Checker::C3, &place(), text);
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::C3, "stamps", self.stamps);
    }
}

/// Compares each input with what is stamped with its offset: a command has one answer, poison has
/// a dead letter and no answer, a Tick has neither. It keeps counts alone.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    inputs: usize,
    commands: usize,
}

impl Stamps {
    /// Takes one turn.
    pub(crate) fn turn(&mut self, lane: &Lane, turn: &Turn<'_>, report: &mut Report) {
        if !turn.over {
            return;
        }
        self.inputs += 1;
        let answers = turn.of(Channel::Results).count();
        let letters = turn.of(Channel::DeadLetters).count();
        let wrong = match turn.input.kind {
            InputKind::Command { .. } => {
                self.commands += 1;
                (answers != 1).then_some("a command with not exactly one answer")
            }
            InputKind::Tick => (answers != 0).then_some("a Tick with an answer"),
            InputKind::Poison if letters == 0 => Some("poison without a dead letter"),
            InputKind::Poison => (answers != 0).then_some("poison with an answer"),
        };
        if let Some(text) = wrong {
            let text = format!("{text}: {answers} answers, {letters} dead letters");
            report.find(Checker::C3, &lane.at(turn.input.offset), text);
        }
    }

    /// Takes outputs whose stamps name an offset at which there is no input.
    pub(crate) fn stray(outputs: &[Output], report: &mut Report) {
        for output in outputs {
            let text = format!(
                "it came of offset {}, where there is nothing",
                output.stamp.offset
            );
            report.find(Checker::C3, &output.place, text);
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::C3, "inputs", self.inputs);
        report.look(Checker::C3, "commands", self.commands);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;
    use crate::turn::Verdict;

    fn check(story: &Story) -> Report {
        let (mut order, mut stamps) = (Order::default(), Stamps::default());
        let mut report = story.walk(|lane, turn, report| stamps.turn(lane, turn, report));
        for output in story.written() {
            let run = (output.channel, output.place.partition);
            order.output(output.stamp, run, &|| output.place.clone(), &mut report);
        }
        order.finish(&mut report);
        stamps.finish(&mut report);
        report
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
