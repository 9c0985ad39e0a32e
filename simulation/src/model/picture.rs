//! The model beside a store: what readers would see of each must be the same.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use stagedoor_processors::concert::queries::seat_map;
use stagedoor_processors::concert::records::{Place, Reservation, SeatGroup};
use stagedoor_processors::concert::stores::{
    CONCERTS, DEADLINES, FREE_BY_SECTION, RECEIPTS, RESERVATIONS, SEATS_BY_USER,
};
use stagedoor_processors::id::Hash;
use stagedoor_state::{KeyRange, ReadState, StateError, TypedRead as _};

use super::Model;
use super::concert::{Concert, Hold};

/// What a store says otherwise, in a sentence.
type Difference = String;

impl Model {
    /// Compares what has changed since the last comparison: the seats of those concerts, those
    /// holds, and the limits of their users.
    pub(crate) fn differs(
        &mut self,
        store: &dyn ReadState,
    ) -> Result<Option<Difference>, StateError> {
        let changed: BTreeSet<(String, Hash)> =
            std::mem::take(&mut self.changed).into_iter().collect();
        let mut seen = None;
        for (id, name) in &changed {
            let concert = self.concerts.get(id);
            if seen != Some(id) {
                seen = Some(id);
                if let Some(found) = seats_differ(store, id, concert)? {
                    return Ok(Some(found));
                }
            }
            if let Some(found) = hold_differs(store, id, concert, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Compares everything.
    pub(crate) fn differs_anywhere(
        &self,
        store: &dyn ReadState,
    ) -> Result<Option<Difference>, StateError> {
        for (id, concert) in &self.concerts {
            if let Some(found) = seats_differ(store, id, Some(concert))? {
                return Ok(Some(found));
            }
            for name in concert.holds.keys() {
                if let Some(found) = hold_differs(store, id, Some(concert), name)? {
                    return Ok(Some(found));
                }
            }
        }
        if let Some(found) = self.rows_differ(store)? {
            return Ok(Some(found));
        }
        self.receipts_differ(store)
    }

    /// No row is there that the model does not know, and the calendar is the same.
    fn rows_differ(&self, store: &dyn ReadState) -> Result<Option<Difference>, StateError> {
        let mut concerts = Vec::new();
        store.scan(&CONCERTS, KeyRange::all(), &mut |id, _| {
            concerts.push(id);
            ControlFlow::Continue(())
        })?;
        let known: Vec<&String> = self.concerts.keys().collect();
        if concerts.iter().collect::<Vec<_>>() != known {
            return Ok(Some(format!(
                "it has the concerts {concerts:?} and should have {known:?}"
            )));
        }
        let mut reservations = 0;
        store.scan(&RESERVATIONS, KeyRange::all(), &mut |_, _| {
            reservations += 1;
            ControlFlow::Continue(())
        })?;
        let known: usize = self
            .concerts
            .values()
            .map(|concert| concert.holds.len())
            .sum();
        if reservations != known {
            return Ok(Some(format!(
                "it has {reservations} reservations and should have {known}"
            )));
        }
        let mut deadlines = Vec::new();
        store.scan_index(&DEADLINES, KeyRange::all(), &mut |entry| {
            deadlines.push(entry);
            ControlFlow::Continue(())
        })?;
        let known: Vec<_> = self.calendar.entries().cloned().collect();
        Ok((deadlines != known)
            .then(|| format!("its deadlines are {deadlines:?} and should be {known:?}")))
    }

    fn receipts_differ(&self, store: &dyn ReadState) -> Result<Option<Difference>, StateError> {
        let mut found = BTreeSet::new();
        store.scan_at(&RECEIPTS, KeyRange::all(), self.now_ms, &mut |key, row| {
            found.insert((key, row.answer, row.expires_at_ms));
            ControlFlow::Continue(())
        })?;
        let mut known = BTreeSet::new();
        for (id, concert) in &self.concerts {
            for (name, (_, answer, until_ms)) in &concert.releases {
                if *until_ms > self.now_ms {
                    known.insert(((id.clone(), *name), answer.clone(), *until_ms));
                }
            }
        }
        let odd = found.symmetric_difference(&known).next();
        Ok(odd.map(|(key, _, until_ms)| {
            format!("of the receipts of {key:?} until {until_ms} one is missing or too many")
        }))
    }
}

/// Every seat of a concert, and the sums that rules look at.
fn seats_differ(
    store: &dyn ReadState,
    id: &str,
    concert: Option<&Concert>,
) -> Result<Option<Difference>, StateError> {
    let (map, concert) = match (seat_map(store, id)?, concert) {
        (None, None) => return Ok(None),
        (Some(map), Some(concert)) => (map, concert),
        (map, _) => {
            let is = if map.is_some() { "is" } else { "is not" };
            return Ok(Some(format!(
                "the concert {id} {is} there, and should be otherwise"
            )));
        }
    };
    let ids: Vec<&String> = map.sections.iter().map(|section| &section.id).collect();
    let known: Vec<&String> = concert.halls.iter().map(|hall| &hall.id).collect();
    if ids != known {
        return Ok(Some(format!(
            "{id} has the sections {ids:?} and should have {known:?}"
        )));
    }
    for (section, hall) in map.sections.iter().zip(&concert.halls) {
        let digit = |owner: &Option<Hash>| if owner.is_some() { '1' } else { '0' };
        let seats: String = hall.rows.iter().flatten().map(digit).collect();
        if section.seats != seats {
            return Ok(Some(format!(
                "the seats of {id} {} are {} and should be {seats}",
                hall.id, section.seats
            )));
        }
        let free = hall.free_count();
        let sum = store.sum(&FREE_BY_SECTION, &(id.to_owned(), hall.id.clone()))?;
        if (sum, i64::from(section.counts.free)) != (free, free) {
            return Ok(Some(format!(
                "of {id} {} there are {} free, {sum} by their sum, and there should be {free}",
                hall.id, section.counts.free
            )));
        }
    }
    Ok(None)
}

/// One reservation, and the live seats of its user.
fn hold_differs(
    store: &dyn ReadState,
    id: &str,
    concert: Option<&Concert>,
    name: &Hash,
) -> Result<Option<Difference>, StateError> {
    let row = store.get(&RESERVATIONS, &(id.to_owned(), *name))?;
    let known = concert.and_then(|concert| Some((concert, concert.holds.get(name)?)));
    let (row, (concert, hold)) = match (row, known) {
        (None, None) => return Ok(None),
        (Some(row), Some(known)) => (row, known),
        (row, known) => {
            let known = known.map(|(_, hold)| hold);
            return Ok(Some(format!(
                "a reservation of {id} is {row:?} and should be {known:?}"
            )));
        }
    };
    if !is_row_of(&row, concert, hold) {
        return Ok(Some(format!(
            "a reservation of {id} is {row:?} and should be {hold:?}"
        )));
    }
    let user = &hold.command.user;
    let sum = store.sum(&SEATS_BY_USER, &(id.to_owned(), user.clone()))?;
    let live = concert.live_seats(user);
    Ok((sum != live).then(|| format!("{user} has {sum} seats of {id} and should have {live}")))
}

fn is_row_of(row: &Reservation, concert: &Concert, hold: &Hold) -> bool {
    let label = |section: &str, place: &Place| format!("{section}-{}-{}", place.row, place.number);
    let labels = |group: &SeatGroup| -> Vec<String> {
        group
            .seats
            .iter()
            .map(|place| label(&group.section, place))
            .collect()
    };
    row.user == hold.command.user
        && row.command_id == hold.command.command_id
        && row
            .seats
            .iter()
            .flat_map(labels)
            .eq(hold.seats.iter().cloned())
        && row.general == hold.general
        && row.amount_minor == hold.amount_minor
        && row.currency == concert.plan.currency
        && row.state == hold.state()
        && row.held_at_ms == hold.held_at_ms
        && row.first_deadline_ms == hold.deadline_ms
        && row.deadline_ms == hold.deadline_ms
        && row.ended_at_ms == hold.ended.map(|(_, at_ms)| at_ms)
}
