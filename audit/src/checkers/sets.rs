//! C4: no torn set: of what one unit wrote, everything is there, and once.

use crate::report::{Checker, Place, Report};
use crate::turn::Output;

/// Groups what came of one input by its units, over all topics, and counts it against what the
/// stamps announce. It keeps counts alone.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    sets: usize,
    records: usize,
}

impl Sets {
    /// Takes what came of one input, in the order of the stamps.
    pub(crate) fn outputs(&mut self, outputs: &[Output], report: &mut Report) {
        self.records += outputs.len();
        let unit = |output: &Output| (output.stamp.offset, output.stamp.unit);
        for set in outputs.chunk_by(|one, other| unit(one) == unit(other)) {
            self.sets += 1;
            if !is_whole(set) {
                torn(set, report);
            }
        }
    }

    /// Takes the place of a record that has no stamp.
    pub(crate) fn unstamped(place: &Place, report: &mut Report) {
        let text = "the record has no stamp of this log; only tasks may write here";
        report.find(Checker::C4, place, text);
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::C4, "sets", self.sets);
        report.look(Checker::C4, "records", self.records);
    }
}

fn is_whole(set: &[Output]) -> bool {
    (0..).zip(set).all(|(index, output)| {
        output.stamp.index == index && u32::try_from(set.len()) == Ok(output.stamp.count)
    })
}

fn torn(set: &[Output], report: &mut Report) {
    let [first, ..] = set else { return };
    let found: Vec<String> = set
        .iter()
        .map(|output| format!("{} of {}", output.stamp.index, output.stamp.count))
        .collect();
    let text = format!(
        "the set of input {}, unit {} is torn: {}",
        first.stamp.offset,
        first.stamp.unit,
        found.join(", ")
    );
    report.find(Checker::C4, &first.place, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;
    use crate::turn::Verdict;

    fn check(story: &Story) -> Report {
        let mut sets = Sets::default();
        let mut report = story.walk(|_, turn, report| sets.outputs(turn.outputs, report));
        sets.finish(&mut report);
        report
    }

    fn clean() -> Story {
        Story::new()
            .command("k1", "b", Verdict::Effect, "held")
            .command("k2", "b", Verdict::Refused, "no")
    }

    #[test]
    fn whole_sets_pass() {
        let report = check(&clean());
        assert!(report.is_clean(&[Checker::C4]), "{report}");
        assert_eq!(report.looked_at(Checker::C4, "records"), 5);
    }

    #[test]
    fn an_answer_whose_event_is_missing_is_a_torn_set() {
        let report = check(&clean().command("k3", "b", Verdict::Effect, "held").tear());
        assert!(report.violations[0].text.contains("is torn"), "{report}");
    }

    #[test]
    fn a_set_of_one_that_is_there_twice_is_found() {
        let report = check(&clean().answered_twice("k3"));
        assert_eq!(report.found(Checker::C4), 1, "{report}");
    }
}
