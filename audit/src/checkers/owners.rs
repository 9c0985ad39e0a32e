//! S1: a seat has one live owner over all time.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use crate::checkers::REMEMBERED_MS;
use crate::facts::{Taken, What};
use crate::report::{Checker, Place, Report};
use crate::turn::Turn;

/// Follows every seat of a command partition through all events, in the order of its decisions.
///
/// It keeps one entry for every seat that was ever held, and reservations until a day after their
/// end: from then on their command id, and so their name, may be used again.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// The live reservation of each seat that was ever taken, by concert.
    seats: HashMap<Rc<str>, Hall>,
    live: HashMap<Rc<str>, Rc<Taken>>,
    ended: HashSet<Rc<str>>,
    endings: VecDeque<(i64, Rc<str>)>,
    events: usize,
}

/// Reservations of seats by their labels.
type Hall = HashMap<Rc<str>, Option<Rc<str>>>;

impl Owners {
    /// Takes one turn.
    pub(crate) fn turn(&mut self, turn: &Turn<'_>, report: &mut Report) {
        self.forget(turn.input.time_ms);
        for (output, what) in turn.facts() {
            match what {
                What::Held(taken, _) => self.hold(&output.place, taken, report),
                What::Released(taken, at_ms) | What::Expired(taken, at_ms) => {
                    self.end(&output.place, (taken, *at_ms), report);
                }
                What::Listed(..) => continue,
            }
            self.events += 1;
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::S1, "events", self.events);
        let seats = self.seats.values().map(HashMap::len);
        report.look(Checker::S1, "seats", seats.sum());
    }

    /// Entries that are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        let seats: usize = self.seats.values().map(HashMap::len).sum();
        seats + self.live.len() + self.ended.len() + self.endings.len()
    }

    fn forget(&mut self, now_ms: i64) {
        while let Some((_, name)) = self
            .endings
            .pop_front_if(|(at_ms, _)| *at_ms + REMEMBERED_MS <= now_ms)
        {
            self.ended.remove(&name);
        }
    }

    fn hold(&mut self, place: &Place, taken: &Rc<Taken>, report: &mut Report) {
        let name = &taken.reservation;
        if self.ended.contains(name) || self.live.contains_key(name) {
            let text = format!("{name} is held for the second time");
            report.find(Checker::S1, place, text);
        }
        let seats = self.seats.entry(Rc::clone(&taken.concert)).or_default();
        for seat in &taken.seats {
            let owner = seats.entry(Rc::clone(seat)).or_default();
            if let Some(owner) = owner.replace(Rc::clone(name)) {
                let concert = &taken.concert;
                let text = format!("seat {seat} of {concert} goes to {name} and is {owner}'s");
                report.find(Checker::S1, place, text);
            }
        }
        self.live.insert(Rc::clone(name), Rc::clone(taken));
    }

    fn end(&mut self, place: &Place, (taken, at_ms): (&Rc<Taken>, i64), report: &mut Report) {
        let name = &taken.reservation;
        let Some((name, held)) = self.live.remove_entry(name) else {
            report.find(Checker::S1, place, format!("{name} ends and is not live"));
            return;
        };
        if held != *taken {
            let text = format!("{name} ends with other seats, concert or owner than it began");
            report.find(Checker::S1, place, text);
        }
        for seat in &held.seats {
            let seats = self.seats.get_mut(&held.concert);
            if let Some(owner) = seats.and_then(|seats| seats.get_mut(seat)) {
                owner.take();
            }
        }
        self.ended.insert(Rc::clone(&name));
        self.endings.push_back((at_ms, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;

    fn check(story: &Story) -> Report {
        let mut owners = Owners::default();
        let mut report = story.walk(|_, turn, report| owners.turn(turn, report));
        owners.finish(&mut report);
        report
    }

    #[test]
    fn seats_that_are_given_back_may_be_held_again() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .release(1_500, "r1")
            .hold(2_000, "r2", "bob", &["A-1-1"])
            .expire(12_000, "r2");
        let report = check(&story);
        assert!(report.is_clean(&[Checker::S1]), "{report}");
        assert_eq!(report.looked_at(Checker::S1, "seats"), 2);
    }

    #[test]
    fn a_seat_with_two_live_owners_is_found() {
        let story =
            Story::new()
                .hold(1_000, "r1", "ann", &["A-1-1"])
                .hold(2_000, "r2", "bob", &["A-1-1"]);
        let report = check(&story);
        assert_eq!(report.found(Checker::S1), 1);
        assert!(
            report.violations[0].text.contains("goes to r2 and is r1's"),
            "{report}"
        );
    }

    #[test]
    fn a_reservation_that_ends_twice_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .release(1_500, "r1")
            .expire(12_000, "r1");
        let report = check(&story);
        assert!(
            report.violations[0]
                .text
                .contains("r1 ends and is not live"),
            "{report}"
        );
    }

    #[test]
    fn a_name_may_be_used_again_a_day_after_its_reservation_ended_and_not_before() {
        let again = |at_ms| {
            let story = Story::new()
                .hold(1_000, "r1", "ann", &["A-1-1"])
                .release(2_000, "r1")
                .hold(at_ms, "r1", "ann", &["A-1-1"]);
            check(&story).found(Checker::S1)
        };
        assert_eq!(again(2_000 + REMEMBERED_MS - 1), 1);
        assert_eq!(again(2_000 + REMEMBERED_MS), 0);
    }
}
