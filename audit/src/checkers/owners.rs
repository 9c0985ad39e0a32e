//! S1: a seat has one live owner over all time.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Fact, Taken, What};
use crate::history::History;
use crate::report::{Checker, Report};

/// Follows every seat through all events, in the order in which its partition decided.
pub(crate) fn one_live_owner(history: &History, report: &mut Report) {
    for lane in &history.lanes {
        let mut owners = Owners::default();
        for fact in &lane.facts {
            owners.follow(fact, report);
        }
        report.look(Checker::S1, "events", owners.events);
        report.look(Checker::S1, "seats", owners.seen.len());
    }
}

#[derive(Default)]
struct Owners<'a> {
    /// Live reservation of each taken seat.
    seats: BTreeMap<(&'a str, &'a str), &'a str>,
    live: BTreeMap<&'a str, &'a Taken>,
    /// Reservations that were ever made.
    made: BTreeSet<&'a str>,
    seen: BTreeSet<(&'a str, &'a str)>,
    events: usize,
}

impl<'a> Owners<'a> {
    fn follow(&mut self, fact: &'a Fact, report: &mut Report) {
        match &fact.what {
            What::Held(taken, _) => self.hold(fact, taken, report),
            What::Released(taken, _) | What::Expired(taken, _) => self.end(fact, taken, report),
            What::Listed(..) => return,
        }
        self.events += 1;
    }

    fn hold(&mut self, fact: &Fact, taken: &'a Taken, report: &mut Report) {
        let name = taken.reservation.as_str();
        if !self.made.insert(name) {
            report.find(
                Checker::S1,
                &fact.place,
                format!("{name} is held for the second time"),
            );
        }
        for seat in &taken.seats {
            let seat = (taken.concert.as_str(), seat.as_str());
            self.seen.insert(seat);
            if let Some(owner) = self.seats.insert(seat, name) {
                let text = format!(
                    "seat {} of {} goes to {name} and is {owner}'s",
                    seat.1, seat.0
                );
                report.find(Checker::S1, &fact.place, text);
            }
        }
        self.live.insert(name, taken);
    }

    fn end(&mut self, fact: &Fact, taken: &'a Taken, report: &mut Report) {
        let name = taken.reservation.as_str();
        match self.live.remove(name) {
            None => {
                report.find(
                    Checker::S1,
                    &fact.place,
                    format!("{name} ends and is not live"),
                );
            }
            Some(held) if held != taken => {
                let text = format!("{name} ends with other seats, concert or owner than it began");
                report.find(Checker::S1, &fact.place, text);
            }
            Some(held) => {
                for seat in &held.seats {
                    self.seats.remove(&(held.concert.as_str(), seat.as_str()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Story, found};

    #[test]
    fn seats_that_are_given_back_may_be_held_again() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .release(1_500, "r1")
            .hold(2_000, "r2", "bob", &["A-1-1"])
            .expire(12_000, "r2");
        let report = found(|report| one_live_owner(&story.history(), report));
        assert!(report.is_clean(&[Checker::S1]), "{report}");
        assert_eq!(report.looked_at(Checker::S1, "seats"), 2);
    }

    #[test]
    fn a_seat_with_two_live_owners_is_found() {
        let story =
            Story::new()
                .hold(1_000, "r1", "ann", &["A-1-1"])
                .hold(2_000, "r2", "bob", &["A-1-1"]);
        let report = found(|report| one_live_owner(&story.history(), report));
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
        let report = found(|report| one_live_owner(&story.history(), report));
        assert!(
            report.violations[0]
                .text
                .contains("r1 ends and is not live"),
            "{report}"
        );
    }
}
