//! S5: a hold ends at the first record at or after its deadline: never early, never used late.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Fact, HoldTimes, Taken, What};
use crate::history::{History, Lane, with_key};
use crate::inputs::Input;
use crate::report::{Checker, Report};

/// Walks the inputs of each partition with its live holds. Log time comes from the inputs, and the
/// deadline from the concert's plan. `most_late_ms` bounds how late a timer may be, where the
/// service was up all the time.
pub(crate) fn at_the_deadline(history: &History, most_late_ms: Option<i64>, report: &mut Report) {
    for lane in &history.lanes {
        let mut clock = Clock::new(lane, most_late_ms);
        for input in lane.decided() {
            let facts = with_key(&lane.facts, input.offset, |fact| fact.stamp.offset);
            clock.pass(input, facts, report);
        }
        report.look(Checker::S5, "records", lane.decided().len());
        report.look(Checker::S5, "expired holds", clock.expired);
    }
}

struct Clock<'a> {
    lane: &'a Lane,
    most_late_ms: Option<i64>,
    hold_ms: BTreeMap<&'a str, i64>,
    deadlines: BTreeMap<&'a str, i64>,
    due: BTreeSet<(i64, &'a str)>,
    expired: usize,
}

impl<'a> Clock<'a> {
    fn new(lane: &'a Lane, most_late_ms: Option<i64>) -> Self {
        Self {
            lane,
            most_late_ms,
            hold_ms: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            due: BTreeSet::new(),
            expired: 0,
        }
    }

    fn pass(&mut self, input: &Input, facts: &'a [Fact], report: &mut Report) {
        let (timers, rest) =
            facts.split_at(facts.partition_point(|fact| matches!(fact.what, What::Expired(..))));
        for fact in timers {
            self.take(input, fact, report);
        }
        let place = self.lane.at(input.offset);
        while let Some((deadline, name)) = self.due.first().copied() {
            if deadline > input.time_ms {
                break;
            }
            self.due.pop_first();
            let text = format!(
                "{name} is live at {} past its deadline {deadline}",
                input.time_ms
            );
            report.find(Checker::S5, &place, text);
        }
        for fact in rest {
            self.take(input, fact, report);
        }
    }

    fn take(&mut self, input: &Input, fact: &'a Fact, report: &mut Report) {
        let outcome = match &fact.what {
            What::Listed(concert, listing) => {
                self.hold_ms
                    .insert(concert, i64::from(listing.hold_seconds) * 1_000);
                Ok(())
            }
            What::Held(taken, times) => self.hold(input, taken, *times),
            What::Released(taken, at_ms) => self.release(input, taken, *at_ms),
            What::Expired(taken, at_ms) => self.expire(input, taken, *at_ms),
        };
        if let Err(text) = outcome {
            report.find(Checker::S5, &fact.place, text);
        }
    }

    fn hold(&mut self, input: &Input, taken: &'a Taken, times: HoldTimes) -> Result<(), String> {
        let hold_ms = self
            .hold_ms
            .get(taken.concert.as_str())
            .copied()
            .unwrap_or(0);
        let deadline = input.time_ms + hold_ms;
        self.deadlines.insert(&taken.reservation, deadline);
        self.due.insert((deadline, &taken.reservation));
        if (times.held_at_ms, times.expires_at_ms) == (input.time_ms, deadline) {
            return Ok(());
        }
        let name = &taken.reservation;
        let time_ms = input.time_ms;
        Err(format!(
            "{name} is held at {time_ms} until {deadline}, and says {times:?}"
        ))
    }

    fn end(&mut self, taken: &'a Taken) -> Option<i64> {
        let deadline = self.deadlines.get(taken.reservation.as_str()).copied()?;
        self.due.remove(&(deadline, taken.reservation.as_str()));
        Some(deadline)
    }

    fn release(&mut self, input: &Input, taken: &'a Taken, at_ms: i64) -> Result<(), String> {
        let (name, now_ms) = (&taken.reservation, input.time_ms);
        match self.end(taken) {
            None => Err(format!("{name} is released and was never held")),
            Some(deadline) if deadline <= now_ms => Err(format!(
                "{name} is released at {now_ms}, at or after its deadline {deadline}"
            )),
            Some(_) if at_ms != now_ms => {
                Err(format!("{name} is released at {now_ms}, and says {at_ms}"))
            }
            Some(_) => Ok(()),
        }
    }

    fn expire(&mut self, input: &Input, taken: &'a Taken, at_ms: i64) -> Result<(), String> {
        self.expired += 1;
        let (name, now_ms) = (&taken.reservation, input.time_ms);
        let deadline = self
            .end(taken)
            .ok_or(format!("{name} expires and was never held"))?;
        if now_ms < deadline {
            return Err(format!(
                "{name} expires at {now_ms}, before its deadline {deadline}"
            ));
        }
        if at_ms != now_ms {
            return Err(format!("{name} expires at {now_ms}, and says {at_ms}"));
        }
        match self.most_late_ms {
            Some(most) if now_ms - deadline > most => Err(format!(
                "{name} expires {} ms late, {most} are allowed",
                now_ms - deadline
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Story, found};

    fn check(story: &Story, most_late_ms: Option<i64>) -> Report {
        found(|report| at_the_deadline(&story.history(), most_late_ms, report))
    }

    #[test]
    fn a_hold_of_ten_seconds_ends_with_the_first_record_after_them() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .hold(2_000, "r2", "bob", &["A-1-2"])
            .release(11_999, "r2")
            .expire_before("r1");
        let report = check(&story, Some(1_000));
        assert!(report.is_clean(&[Checker::S5]), "{report}");
    }

    #[test]
    fn an_early_expiry_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .expire(10_999, "r1");
        let report = check(&story, None);
        assert!(
            report.violations[0]
                .text
                .contains("before its deadline 11000"),
            "{report}"
        );
    }

    #[test]
    fn a_hold_that_is_used_at_its_deadline_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .release(11_000, "r1");
        let report = check(&story, None);
        assert!(
            report.violations[0]
                .text
                .contains("live at 11000 past its deadline"),
            "{report}"
        );
        assert!(
            report.violations[1]
                .text
                .contains("at or after its deadline"),
            "{report}"
        );
    }

    #[test]
    fn a_hold_that_outlives_a_record_past_its_deadline_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .tick(11_000);
        assert_eq!(check(&story, None).found(Checker::S5), 1);
    }

    #[test]
    fn an_expiry_later_than_allowed_is_found_only_where_there_is_a_bound() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .expire(15_000, "r1");
        assert_eq!(check(&story, None).found(Checker::S5), 0);
        assert_eq!(check(&story, Some(3_999)).found(Checker::S5), 1);
    }

    #[test]
    fn an_event_that_names_another_deadline_than_the_plan_gives_is_found() {
        let story = Story::new().hold_until(1_000, "r1", "ann", &["A-1-1"], 11_001);
        assert_eq!(check(&story, None).found(Checker::S5), 1);
    }
}
