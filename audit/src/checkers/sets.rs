//! C4: no torn set: of what one unit wrote, everything is there, and once.

use crate::history::{History, Lane, Output};
use crate::report::{Checker, Report};

/// Groups the outputs of each partition by input and unit, over all topics, and counts them
/// against what their stamps announce.
pub(crate) fn no_torn_set(history: &History, report: &mut Report) {
    for place in &history.unstamped {
        report.find(
            Checker::C4,
            place,
            "the record has no stamp; only tasks may write here",
        );
    }
    for lane in &history.lanes {
        check(lane, report);
    }
}

fn check(lane: &Lane, report: &mut Report) {
    let mut outputs: Vec<&Output> = lane.outputs.iter().collect();
    outputs.sort_by_key(|output| output.stamp);
    let unit = |output: &Output| (output.stamp.offset, output.stamp.unit);
    let mut sets = 0;
    for set in outputs.chunk_by(|one, other| unit(one) == unit(other)) {
        sets += 1;
        let [first, ..] = set else { continue };
        let count = first.stamp.count;
        let whole = u32::try_from(set.len()) == Ok(count)
            && (0..)
                .zip(set)
                .all(|(index, output)| output.stamp.index == index && output.stamp.count == count);
        if !whole {
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
    }
    report.look(Checker::C4, "sets", sets);
    report.look(Checker::C4, "records", outputs.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Verdict;
    use crate::samples::{Story, found};

    fn check(story: &Story) -> Report {
        found(|report| no_torn_set(&story.history(), report))
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

    #[test]
    fn a_record_without_a_stamp_is_found() {
        let report = check(&clean().unstamped());
        assert_eq!(report.found(Checker::C4), 1, "{report}");
    }
}
