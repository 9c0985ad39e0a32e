//! C1: one answer per accepted command, one effect per key, from then on the same bytes.

use std::collections::BTreeMap;

use crate::facts::What;
use crate::history::{Answer, Hash, History, Lane, Output, Verdict, with_key};
use crate::inputs::{Input, InputKind, Scope};
use crate::report::{Checker, Report};

/// How long a key is remembered.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;

/// Walks the commands of each partition with the effects of their keys.
pub(crate) fn same_answer(history: &History, report: &mut Report) {
    for lane in &history.lanes {
        let results = lane.results();
        let mut keys = Keys::default();
        for input in lane.decided() {
            let InputKind::Command { scope, body } = input.kind else {
                continue;
            };
            let answers = with_key(&results, input.offset, |output| output.stamp.offset);
            keys.commands += 1;
            match answers {
                [only] => keys.judge(lane, input, (scope, body), only, report),
                _ => {
                    let text = format!("the command has {} answers and not one", answers.len());
                    report.find(Checker::C1, &lane.at(input.offset), text);
                }
            }
        }
        report.look(Checker::C1, "commands", keys.commands);
        report.look(Checker::C1, "effects", keys.effects.len());
        report.look(Checker::C1, "repeats with the same body", keys.same);
        report.look(Checker::C1, "repeats with another body", keys.other);
    }
}

/// The first effect of a key.
struct Effect {
    body: Hash,
    answer: Hash,
    at_ms: i64,
}

#[derive(Default)]
struct Keys {
    effects: BTreeMap<Scope, Effect>,
    commands: usize,
    same: usize,
    other: usize,
}

impl Keys {
    fn judge(
        &mut self,
        lane: &Lane,
        input: &Input,
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
        let facts = with_key(&lane.facts, input.offset, |fact| fact.stamp.offset);
        let is_own = |what: &What| !matches!(what, What::Expired(..));
        let facts = facts.iter().filter(|fact| is_own(&fact.what)).count();
        let known = self.effects.get(&scope);
        let known = known.filter(|first| input.time_ms - first.at_ms <= REMEMBERED_MS);
        let expected = match known {
            None => {
                let effect = answer.verdict == Verdict::Effect;
                if effect {
                    let first = Effect {
                        body,
                        answer: answer.bytes,
                        at_ms: input.time_ms,
                    };
                    self.effects.insert(scope, first);
                } else if answer.verdict == Verdict::Mismatch {
                    find("refused for another body although the key had no effect before");
                }
                usize::from(effect)
            }
            Some(first) => {
                if first.body == body {
                    self.same += 1
                } else {
                    self.other += 1
                }
                if let Some(text) = repeated(first, body, answer) {
                    find(text);
                }
                0
            }
        };
        if facts != expected {
            find(&format!(
                "{facts} things happened with this answer, and not {expected}"
            ));
        }
    }
}

fn repeated(first: &Effect, body: Hash, answer: Answer) -> Option<&'static str> {
    if first.body != body {
        let refused = answer.verdict == Verdict::Mismatch;
        return (!refused).then_some("the key had an effect with another body; it must be refused");
    }
    (first.answer != answer.bytes).then_some("the repeated command has other bytes than the first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Story, found};

    fn check(story: &Story) -> Report {
        found(|report| same_answer(&story.history(), report))
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
