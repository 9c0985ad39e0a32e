//! S3: no user has more live seats of a concert than it allows.

use std::rc::Rc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::facts::{Taken, What};
use crate::report::{Checker, Place, Report};
use crate::turn::Turn;

/// Counts every user's live seats and places of every concert, event by event. It keeps one entry
/// for every concert, and one for every user who has live seats.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    limits: HashMap<Rc<str>, i64>,
    live: HashMap<Rc<str>, HashMap<Rc<str>, i64>>,
    holds: usize,
    users: usize,
}

impl Limits {
    /// Takes one turn.
    pub(crate) fn turn(&mut self, turn: &Turn<'_>, report: &mut Report) {
        for (output, what) in turn.facts() {
            match what {
                What::Listed(concert, listing) => {
                    let limit = i64::from(listing.max_seats_per_user);
                    self.limits.insert(Rc::clone(concert), limit);
                    self.live.entry(Rc::clone(concert)).or_default();
                }
                What::Held(taken, _) => self.hold(&output.place, taken, report),
                What::Released(taken, _) | What::Expired(taken, _) => self.end(taken),
            }
        }
    }

    /// Says how much was looked at.
    pub(crate) fn finish(&self, report: &mut Report) {
        report.look(Checker::S3, "holds", self.holds);
        report.look(Checker::S3, "users with seats", self.users);
    }

    /// Entries that are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.limits.len() + self.live.values().map(HashMap::len).sum::<usize>()
    }

    fn hold(&mut self, place: &Place, taken: &Taken, report: &mut Report) {
        self.holds += 1;
        let (concert, user) = (&taken.concert, &taken.user);
        let limit = self.limits.get(concert).copied().unwrap_or(0);
        let of = self.live.entry(Rc::clone(concert)).or_default();
        let seats = match of.entry(Rc::clone(user)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.users += 1;
                new.insert(0)
            }
        };
        *seats += taken.quantity();
        if *seats > limit {
            let text = format!("{user} has {seats} seats of {concert}, limit {limit}");
            report.find(Checker::S3, place, text);
        }
    }

    fn end(&mut self, taken: &Taken) {
        let Some(of) = self.live.get_mut(&taken.concert) else {
            return;
        };
        if let Some(seats) = of.get_mut(&taken.user) {
            *seats -= taken.quantity();
            if *seats == 0 {
                of.remove(&taken.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;

    fn check(story: &Story) -> Report {
        let mut limits = Limits::default();
        let mut report = story.walk(|_, turn, report| limits.turn(turn, report));
        limits.finish(&mut report);
        report
    }

    #[test]
    fn seats_that_were_given_back_do_not_count() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .release(1_100, "r1")
            .hold_places(1_200, "r2", "ann", 2)
            .hold(1_300, "r3", "bob", &["A-2-1"]);
        let report = check(&story);
        assert!(report.is_clean(&[Checker::S3]), "{report}");
    }

    #[test]
    fn one_seat_over_the_limit_of_two_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .hold_places(1_200, "r2", "ann", 1);
        let report = check(&story);
        assert!(
            report.violations[0]
                .text
                .contains("ann has 3 seats of c, limit 2"),
            "{report}"
        );
    }
}
