//! C1: one answer per accepted command, one effect per key, from then on the same bytes.

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::checkers::REMEMBERED_MS;
use crate::facts::What;
use crate::inputs::{Input, InputKind, Scope};
use crate::report::{Checker, Report};
use crate::turn::{Answer, Channel, Hash, Lane, Output, Turn, Verdict};

/// Walks the commands of a partition with the effects of their keys.
///
/// An effect is remembered until a day after it is over: a release is over at once, a hold when it
/// ends, a concert never. So it keeps one entry for every concert and live reservation, and the
/// keys of one day of log time.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    effects: HashMap<Scope, Effect>,
    /// The keys of live reservations, by their names.
    live: HashMap<Rc<str>, Scope>,
    /// When keys are forgotten.
    forgotten: BTreeSet<(i64, Scope)>,
    commands: usize,
    made: usize,
    same: usize,
    other: usize,
}

/// The first effect of a key.
#[derive(Debug, Clone, Copy)]
struct Effect {
    body: Hash,
    answer: Hash,
}

impl Keys {
    /// Takes one turn: first its timers, then its command.
    pub(crate) fn turn(&mut self, lane: &Lane, turn: &Turn<'_>, report: &mut Report) {
        for (_, what) in turn.facts() {
            self.end(what);
        }
        self.forget(turn.input.time_ms);
        let InputKind::Command { scope, body } = turn.input.kind else {
            return;
        };
        if !turn.over {
            return;
        }
        self.commands += 1;
        let mut answers = turn.of(Channel::Results);
        match (answers.next(), answers.count()) {
            (Some(only), 0) => self.judge(turn, (scope, body), only, report),
            (first, more) => {
                let found = more + usize::from(first.is_some());
                let text = format!("the command has {found} answers and not one");
                report.find(Checker::C1, &lane.at(turn.input.offset), text);
            }
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::C1, "commands", self.commands);
        report.look(Checker::C1, "effects", self.made);
        report.look(Checker::C1, "repeats with the same body", self.same);
        report.look(Checker::C1, "repeats with another body", self.other);
    }

    /// Entries that are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.effects.len() + self.live.len() + self.forgotten.len()
    }

    /// A reservation that ends is remembered for a day from then on.
    fn end(&mut self, what: &What) {
        let (What::Released(taken, at_ms) | What::Expired(taken, at_ms)) = what else {
            return;
        };
        if let Some(scope) = self.live.remove(&taken.reservation) {
            self.forgotten.insert((at_ms + REMEMBERED_MS, scope));
        }
    }

    fn forget(&mut self, now_ms: i64) {
        while self
            .forgotten
            .first()
            .is_some_and(|(at_ms, _)| *at_ms <= now_ms)
            && let Some((_, scope)) = self.forgotten.pop_first()
        {
            self.effects.remove(&scope);
        }
    }

    fn judge(
        &mut self,
        turn: &Turn<'_>,
        (scope, body): (Scope, Hash),
        output: &Output,
        report: &mut Report,
    ) {
        let mut find = |text: &str| report.find(Checker::C1, &output.place, text);
        let Some(answer) = output.answer else {
            return find("the answer cannot be read");
        };
        if answer.scope != scope {
            find("the answer names another user, concert or command id than the command");
        }
        let own = || {
            turn.facts()
                .map(|(_, what)| what)
                .filter(|what| !is_timer(what))
        };
        let expected = match self.effects.get(&scope).copied() {
            None if answer.verdict == Verdict::Effect => {
                let first = Effect {
                    body,
                    answer: answer.bytes,
                };
                self.remember(scope, first, own().next(), &turn.input);
                1
            }
            None => {
                if answer.verdict == Verdict::Mismatch {
                    find("refused for another body although the key had no effect before");
                }
                0
            }
            Some(first) => {
                match first.body == body {
                    true => self.same += 1,
                    false => self.other += 1,
                }
                if let Some(text) = repeated(first, body, answer) {
                    find(text);
                }
                0
            }
        };
        let facts = own().count();
        if facts != expected {
            let text = format!("{facts} things happened with this answer, and not {expected}");
            find(&text);
        }
    }

    fn remember(&mut self, scope: Scope, effect: Effect, what: Option<&What>, input: &Input) {
        self.made += 1;
        self.effects.insert(scope, effect);
        match what {
            Some(What::Held(taken, _)) => {
                self.live.insert(Rc::clone(&taken.reservation), scope);
            }
            Some(What::Listed(..)) => {}
            Some(What::Released(..) | What::Expired(..)) | None => {
                self.forgotten
                    .insert((input.time_ms + REMEMBERED_MS, scope));
            }
        }
    }
}

fn is_timer(what: &What) -> bool {
    matches!(what, What::Expired(..))
}

fn repeated(first: Effect, body: Hash, answer: Answer) -> Option<&'static str> {
    if first.body != body {
        let refused = answer.verdict == Verdict::Mismatch;
        return (!refused).then_some("the key had an effect with another body; it must be refused");
    }
    (first.answer != answer.bytes).then_some("the repeated command has other bytes than the first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;

    fn check(story: &Story) -> Report {
        let mut keys = Keys::default();
        let mut report = story.walk(|lane, turn, report| keys.turn(lane, turn, report));
        keys.finish(&mut report);
        report
    }

    fn clean() -> Story {
        Story::new()
            .command("k1", "body", Verdict::Effect, "answer")
            .command("k2", "body", Verdict::Refused, "taken")
            .command("k2", "body", Verdict::Effect, "held")
            .command("k1", "body", Verdict::Effect, "answer")
            .command("k1", "other", Verdict::Mismatch, "mismatch")
    }

    #[test]
    fn a_refused_key_may_be_tried_again_and_an_effect_is_repeated_byte_for_byte() {
        let report = check(&clean());
        assert!(report.is_clean(&[Checker::C1]), "{report}");
    }

    #[test]
    fn other_bytes_for_a_repeat_are_found() {
        let report = check(&clean().command("k1", "body", Verdict::Effect, "new answer"));
        assert!(
            report.violations[0]
                .text
                .contains("other bytes than the first"),
            "{report}"
        );
    }

    #[test]
    fn a_refusal_of_a_repeat_is_found() {
        let report = check(&clean().command("k1", "body", Verdict::Refused, "no"));
        assert_eq!(report.found(Checker::C1), 1, "{report}");
    }

    #[test]
    fn an_effect_with_another_body_is_found() {
        let report = check(&clean().command("k1", "other", Verdict::Effect, "answer"));
        assert!(
            report.violations[0].text.contains("must be refused"),
            "{report}"
        );
    }

    #[test]
    fn a_missing_answer_and_a_second_answer_are_found() {
        let report = check(&clean().unanswered("k9"));
        assert!(
            report.violations[0].text.contains("has 0 answers"),
            "{report}"
        );
        let report = check(&clean().answered_twice("k9"));
        assert!(
            report.violations[0].text.contains("has 2 answers"),
            "{report}"
        );
    }

    #[test]
    fn a_second_effect_behind_the_same_answer_is_found() {
        let report = check(&clean().effect_again("k1", "body", "answer"));
        assert!(
            report.violations[0].text.contains("1 things happened"),
            "{report}"
        );
    }
}
