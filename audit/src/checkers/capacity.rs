//! S2: free, held and sold add up to the capacity after every offset, seat by seat.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use stagedoor_processors::concert::queries::{SeatMap, seat_map};
use stagedoor_processors::concert::records::{ConcertListing, SectionPlan};
use stagedoor_state::ReadState;

use crate::error::AuditError;
use crate::facts::{Taken, What};
use crate::report::{Checker, Place, Report};
use crate::turn::Turn;

/// Counts every section through all events, and compares the end with what readers of a store
/// see. It keeps one entry for every section and for every seat that is held.
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    halls: BTreeMap<Rc<str>, Hall>,
    offsets: usize,
}

/// A concert's sections by id.
#[derive(Debug, Default)]
struct Hall(HashMap<String, Section>);

/// What a section has and what of it is held.
#[derive(Debug)]
struct Section {
    plan: SectionPlan,
    held: HashSet<(i32, i32)>,
    places: i64,
}

impl Capacity {
    /// Takes one turn.
    pub(crate) fn turn(&mut self, turn: &Turn<'_>, report: &mut Report) {
        for (output, what) in turn.facts() {
            self.offsets += 1;
            let (taken, holds) = match what {
                What::Listed(concert, listing) => {
                    self.halls.insert(Rc::clone(concert), Hall::of(listing));
                    continue;
                }
                What::Held(taken, _) => (taken, true),
                What::Released(taken, _) | What::Expired(taken, _) => (taken, false),
            };
            let outcome = match self.halls.get_mut(&taken.concert) {
                Some(hall) => hall.change(taken, holds),
                None => Err(format!(
                    "the concert {} was never put on sale",
                    taken.concert
                )),
            };
            if let Err(text) = outcome {
                report.find(Checker::S2, &output.place, text);
            }
        }
    }

    /// Compares the end with the seats of a state as readers would see them.
    pub(crate) fn finish(
        &self,
        end: &Place,
        state: &dyn ReadState,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        report.look(Checker::S2, "offsets", self.offsets);
        for (concert, hall) in &self.halls {
            report.look(Checker::S2, "seats and places", hall.capacity());
            hall.compare(concert, seat_map(state, concert)?.as_ref(), end, report);
        }
        Ok(())
    }

    /// Entries that are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        let sections = self.halls.values().flat_map(|hall| hall.0.values());
        sections.map(|section| 1 + section.held.len()).sum()
    }
}

impl Hall {
    fn of(listing: &ConcertListing) -> Self {
        let section = |plan: &SectionPlan| {
            let (held, places) = (HashSet::new(), 0);
            let plan = plan.clone();
            (plan.id.clone(), Section { plan, held, places })
        };
        Self(listing.sections.iter().map(section).collect())
    }

    fn capacity(&self) -> usize {
        let all: i64 = self.0.values().map(|section| section.plan.size()).sum();
        usize::try_from(all).unwrap_or_default()
    }

    fn change(&mut self, taken: &Taken, holds: bool) -> Result<(), String> {
        for label in &taken.seats {
            let (section, seat) = place_of(label).ok_or_else(|| format!("{label} is no seat"))?;
            let found = self
                .0
                .get_mut(section)
                .ok_or_else(|| format!("there is no section {section}"))?;
            found.change_seat(label, seat, holds)?;
        }
        for general in &taken.general {
            let found = self.0.get_mut(general.section.as_str());
            let found = found.ok_or_else(|| format!("there is no section {}", general.section))?;
            let quantity = i64::from(general.quantity);
            found.places += if holds { quantity } else { -quantity };
            let capacity = found.plan.capacity.map_or(0, i64::from);
            if quantity <= 0 || !(0..=capacity).contains(&found.places) {
                let (held, free) = (found.places, capacity - found.places);
                let id = &general.section;
                return Err(format!(
                    "{id} of {capacity} places has {held} held and {free} free"
                ));
            }
        }
        Ok(())
    }

    fn compare(&self, concert: &str, map: Option<&SeatMap>, place: &Place, report: &mut Report) {
        let Some(map) = map else {
            report.find(Checker::S2, place, format!("{concert} is not in its store"));
            return;
        };
        if map.sections.len() != self.0.len() {
            report.find(
                Checker::S2,
                place,
                format!("{concert} has other sections in its store"),
            );
        }
        for found in &map.sections {
            let Some(section) = self.0.get(found.id.as_str()) else {
                continue;
            };
            let held = i64::try_from(section.held.len()).unwrap_or(i64::MAX) + section.places;
            let counts = &found.counts;
            let all = [counts.free, counts.held, counts.sold, counts.blocked].map(i64::from);
            let adds_up = all.iter().sum::<i64>() == section.plan.size() && all[1] == held;
            if !adds_up || !section.is_shown_in(&found.seats) {
                let text = format!(
                    "{concert} {}: {held} of {} are held by the events, and the store has {counts:?}",
                    found.id,
                    section.plan.size()
                );
                report.find(Checker::S2, place, text);
            }
        }
    }
}

impl Section {
    fn change_seat(&mut self, label: &str, seat: (i32, i32), holds: bool) -> Result<(), String> {
        let (rows, numbers) = (
            self.plan.rows.unwrap_or(0),
            self.plan.seats_per_row.unwrap_or(0),
        );
        if !(1..=rows).contains(&seat.0) || !(1..=numbers).contains(&seat.1) {
            return Err(format!("there is no seat {label}"));
        }
        match (
            holds,
            if holds {
                self.held.insert(seat)
            } else {
                self.held.remove(&seat)
            },
        ) {
            (_, true) => Ok(()),
            (true, false) => Err(format!("{label} is held although it is not free")),
            (false, false) => Err(format!("{label} is set free although it is not held")),
        }
    }

    /// Whether a seat map marks exactly the held seats.
    fn is_shown_in(&self, seats: &str) -> bool {
        let width = self.plan.seats_per_row.unwrap_or(1).max(1);
        let place = |index: i32| (index / width + 1, index % width + 1);
        (0..).zip(seats.bytes()).all(|(index, state)| {
            (state == b'1') == self.held.contains(&place(index)) && state <= b'3'
        })
    }
}

trait Size {
    fn size(&self) -> i64;
}

impl Size for SectionPlan {
    fn size(&self) -> i64 {
        let seats = i64::from(self.rows.unwrap_or(0)) * i64::from(self.seats_per_row.unwrap_or(0));
        seats + i64::from(self.capacity.unwrap_or(0))
    }
}

fn place_of(label: &str) -> Option<(&str, (i32, i32))> {
    let (rest, number) = label.rsplit_once('-')?;
    let (section, row) = rest.rsplit_once('-')?;
    Some((section, (row.parse().ok()?, number.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Story, map};

    fn check(story: &Story, seats: &str, places: u32) -> Report {
        let mut capacity = Capacity::default();
        let mut report = story.walk(|_, turn, report| capacity.turn(turn, report));
        let (shown, place) = (map(seats, places), Place::new("commands", 0, 9));
        report.look(Checker::S2, "offsets", capacity.offsets);
        for (concert, hall) in &capacity.halls {
            report.look(Checker::S2, "seats and places", hall.capacity());
            hall.compare(concert, Some(&shown), &place, &mut report);
        }
        report
    }

    #[test]
    fn what_is_held_and_what_is_free_is_the_capacity() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-2"])
            .hold_places(1_100, "r2", "bob", 3)
            .hold(1_200, "r3", "cat", &["A-2-1"])
            .release(1_300, "r1");
        let report = check(&story, "0010", 3);
        assert!(report.is_clean(&[Checker::S2]), "{report}");
        assert_eq!(report.looked_at(Checker::S2, "seats and places"), 9);
    }

    #[test]
    fn more_places_than_there_are_are_found() {
        let story = Story::new()
            .hold_places(1_000, "r1", "ann", 3)
            .hold_places(1_100, "r2", "bob", 3);
        let report = check(&story, "0000", 6);
        assert!(
            report.violations[0]
                .text
                .contains("5 places has 6 held and -1 free"),
            "{report}"
        );
    }

    #[test]
    fn a_seat_outside_of_the_plan_and_a_seat_freed_twice_are_found() {
        let story = Story::new().hold(1_000, "r1", "ann", &["A-9-9"]);
        assert_eq!(check(&story, "0000", 0).found(Checker::S2), 1);
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1"])
            .release(1_100, "r1")
            .end_again(1_200, "r1");
        let report = check(&story, "0000", 0);
        assert!(
            report.violations[0]
                .text
                .contains("although it is not held"),
            "{report}"
        );
    }

    #[test]
    fn a_store_that_marks_another_seat_than_the_event_names_is_found() {
        let story = Story::new().hold(1_000, "r1", "ann", &["A-1-1"]);
        assert_eq!(check(&story, "1000", 0).found(Checker::S2), 0);
        assert_eq!(check(&story, "0100", 0).found(Checker::S2), 1);
        assert_eq!(check(&story, "0000", 0).found(Checker::S2), 1);
    }
}
