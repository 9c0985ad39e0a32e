//! S5: a hold ends at the first record at or after its deadline: never early, never used late.

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::facts::{HoldTimes, Taken, What};
use crate::inputs::Input;
use crate::report::{Checker, Place, Report};
use crate::turn::{Lane, Turn};

/// Walks the inputs of a command partition with its live holds. Log time comes from the inputs,
/// and the deadline from the concert's plan. It keeps one entry for every concert and live hold.
#[derive(Debug)]
pub(crate) struct Clock {
    most_late_ms: Option<i64>,
    hold_ms: HashMap<Rc<str>, i64>,
    deadlines: HashMap<Rc<str>, i64>,
    due: BTreeSet<(i64, Rc<str>)>,
    records: usize,
    expired: usize,
}

impl Clock {
    /// `most_late_ms` bounds how late a timer may be, where the service was up all the time.
    pub(crate) fn new(most_late_ms: Option<i64>) -> Self {
        Self {
            most_late_ms,
            hold_ms: HashMap::new(),
            deadlines: HashMap::new(),
            due: BTreeSet::new(),
            records: 0,
            expired: 0,
        }
    }

    /// Takes one turn: first its timers, then what is past its deadline all the same, then the rest.
    pub(crate) fn turn(&mut self, lane: &Lane, turn: &Turn<'_>, report: &mut Report) {
        let is_timer = |what: &What| matches!(what, What::Expired(..));
        let mut facts = turn.facts().peekable();
        while let Some((output, what)) = facts.next_if(|(_, what)| is_timer(what)) {
            self.take(&turn.input, &output.place, what, report);
        }
        if turn.over {
            self.records += 1;
            self.past_deadline(&turn.input, &lane.at(turn.input.offset), report);
        }
        for (output, what) in facts {
            self.take(&turn.input, &output.place, what, report);
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::S5, "records", self.records);
        report.look(Checker::S5, "expired holds", self.expired);
    }

    /// Entries that are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.hold_ms.len() + self.deadlines.len() + self.due.len()
    }

    fn past_deadline(&mut self, input: &Input, place: &Place, report: &mut Report) {
        let now_ms = input.time_ms;
        while self
            .due
            .first()
            .is_some_and(|(deadline, _)| *deadline <= now_ms)
            && let Some((deadline, name)) = self.due.pop_first()
        {
            let text = format!("{name} is live at {now_ms} past its deadline {deadline}");
            report.find(Checker::S5, place, text);
        }
    }

    fn take(&mut self, input: &Input, place: &Place, what: &What, report: &mut Report) {
        let outcome = match what {
            What::Listed(concert, listing) => {
                let hold_ms = i64::from(listing.hold_seconds) * 1_000;
                self.hold_ms.insert(Rc::clone(concert), hold_ms);
                Ok(())
            }
            What::Held(taken, times) => self.hold(input, taken, *times),
            What::Released(taken, at_ms) => self.release(input, taken, *at_ms),
            What::Expired(taken, at_ms) => self.expire(input, taken, *at_ms),
        };
        if let Err(text) = outcome {
            report.find(Checker::S5, place, text);
        }
    }

    fn hold(&mut self, input: &Input, taken: &Taken, times: HoldTimes) -> Result<(), String> {
        let hold_ms = self.hold_ms.get(&taken.concert).copied().unwrap_or(0);
        let deadline = input.time_ms + hold_ms;
        let name = &taken.reservation;
        self.deadlines.insert(Rc::clone(name), deadline);
        self.due.insert((deadline, Rc::clone(name)));
        if (times.held_at_ms, times.expires_at_ms) == (input.time_ms, deadline) {
            return Ok(());
        }
        let time_ms = input.time_ms;
        Err(format!(
            "{name} is held at {time_ms} until {deadline}, and says {times:?}"
        ))
    }

    fn end(&mut self, taken: &Taken) -> Option<i64> {
        let (name, deadline) = self.deadlines.remove_entry(&taken.reservation)?;
        self.due.remove(&(deadline, name));
        Some(deadline)
    }

    fn release(&mut self, input: &Input, taken: &Taken, at_ms: i64) -> Result<(), String> {
        let (name, now_ms) = (&taken.reservation, input.time_ms);
        match self.end(taken) {
            None => Err(format!("{name} is released and is not held")),
            Some(deadline) if deadline <= now_ms => Err(format!(
                "{name} is released at {now_ms}, at or after its deadline {deadline}"
            )),
            Some(_) if at_ms != now_ms => {
                Err(format!("{name} is released at {now_ms}, and says {at_ms}"))
            }
            Some(_) => Ok(()),
        }
    }

    fn expire(&mut self, input: &Input, taken: &Taken, at_ms: i64) -> Result<(), String> {
        self.expired += 1;
        let (name, now_ms) = (&taken.reservation, input.time_ms);
        let deadline = self
            .end(taken)
            .ok_or_else(|| format!("{name} expires and is not held"))?;
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
    use crate::samples::Story;

    fn check(story: &Story, most_late_ms: Option<i64>) -> Report {
        let mut clock = Clock::new(most_late_ms);
        let mut report = story.walk(|lane, turn, report| clock.turn(lane, turn, report));
        clock.finish(&mut report);
        report
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
