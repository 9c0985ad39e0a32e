//! A hold of the model: one objection after the other, and if there is none, it happens.

use std::collections::BTreeSet;

use stagedoor_processors::concert::records::{
    BestAvailable, CommandResult, GeneralPlaces, HoldSeats, SeatsHeld,
};
use stagedoor_processors::id::Id;

use super::Sender;
use super::best::best;
use super::calendar::Calendar;
use super::concert::{Concert, Hold};
use super::expected::{Channel, Expected, Refusal, Said};
use super::near::nearest_free;
use crate::script::encoded;

/// Most seats of one hold.
const MOST: usize = 10;

/// Seats by their labels, and places.
type Taken = (Vec<String>, Vec<GeneralPlaces>);

/// What is wrong with the request by itself.
pub(super) fn malformed(wish: &HoldSeats) -> Option<Refusal> {
    let (chosen, best, general) = (!wish.seats.is_empty(), &wish.best, &wish.general);
    let ways = [chosen, best.is_some(), general.is_some()];
    if ways.iter().filter(|way| **way).count() > 1 {
        return Some(Refusal::field(if chosen { "seats" } else { "best" }));
    }
    let (field, wanted) = match (best, general) {
        (Some(best), _) => ("best.quantity", best.quantity),
        (_, Some(places)) => ("general.quantity", places.quantity),
        _ => ("seats", i32::try_from(wish.seats.len()).unwrap_or(i32::MAX)),
    };
    let fits = usize::try_from(wanted).is_ok_and(|wanted| (1..=MOST).contains(&wanted));
    (!fits).then(|| Refusal::field(field))
}

impl Concert {
    /// Holds seats, or says why not.
    pub(super) fn hold(
        &mut self,
        sender: &Sender,
        wish: HoldSeats,
        now_ms: i64,
        calendar: &mut Calendar,
    ) -> Result<Vec<Expected>, Refusal> {
        if let Some(refusal) = malformed(&wish) {
            return Err(refusal);
        }
        if now_ms < self.plan.sale_opens_at_ms {
            return Err(Refusal::code("sale_not_open"));
        }
        if now_ms >= self.plan.sale_closes_at_ms {
            return Err(Refusal::code("sale_closed"));
        }
        let (seats, general) = match (&wish.best, &wish.general) {
            (Some(best), _) => self.best(&wish.user, best)?,
            (_, Some(places)) => self.general(&wish.user, places)?,
            _ => self.chosen(&wish.user, &wish.seats)?,
        };
        let hold = Hold {
            amount_minor: self.price(&seats, &general),
            command: wish,
            seats,
            general,
            held_at_ms: now_ms,
            deadline_ms: now_ms + i64::from(self.plan.hold_seconds) * 1_000,
            ended: None,
            answer: Vec::new(),
        };
        Ok(self.make(sender, hold, calendar))
    }

    fn within_limit(&self, user: &str, wanted: i64) -> Result<(), Refusal> {
        let limit = i64::from(self.plan.max_seats_per_user);
        match self.live_seats(user) + wanted <= limit {
            true => Ok(()),
            false => Err(Refusal::code("limit_reached")),
        }
    }

    fn chosen(&self, user: &str, labels: &[String]) -> Result<Taken, Refusal> {
        let mut seen = BTreeSet::new();
        let twice = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| !seen.insert(*label));
        let twice: Vec<String> = twice.map(|(at, _)| format!("seats[{at}]")).collect();
        if !twice.is_empty() {
            return Err(Refusal::fields(twice));
        }
        if labels.iter().any(|label| self.find_seat(label).is_none()) {
            return Err(Refusal::code("unknown_seat"));
        }
        self.within_limit(user, i64::try_from(labels.len()).unwrap_or(i64::MAX))?;
        let is_taken = |label: &&String| {
            let found = self.find_seat(label);
            found.is_some_and(|(hall, seat)| !self.halls[hall].is_free(seat))
        };
        let taken: Vec<String> = labels.iter().filter(is_taken).cloned().collect();
        if taken.is_empty() {
            return Ok((labels.to_vec(), Vec::new()));
        }
        let alternatives = nearest_free(self, &taken, labels);
        Err(Refusal {
            taken,
            alternatives,
            ..Refusal::code("seat_taken")
        })
    }

    fn best(&self, user: &str, wish: &BestAvailable) -> Result<Taken, Refusal> {
        self.within_limit(user, i64::from(wish.quantity))?;
        let quantity = usize::try_from(wish.quantity).unwrap_or(0);
        let wanted = |id: &str| wish.section.as_ref().is_none_or(|section| section == id);
        let mut halls = self.halls.iter().filter(|hall| wanted(&hall.id)).peekable();
        let known = halls
            .peek()
            .is_some_and(|hall| wish.section.is_none() || hall.capacity.is_none());
        if !known {
            return Err(Refusal::code("unknown_seat"));
        }
        let found = halls.find_map(|hall| {
            let seats = best(&hall.free(), quantity, wish.split)?;
            Some(seats.into_iter().map(|seat| hall.label(seat)).collect())
        });
        let found = found.ok_or_else(|| Refusal::code("not_enough_seats"))?;
        Ok((found, Vec::new()))
    }

    fn general(&self, user: &str, wish: &GeneralPlaces) -> Result<Taken, Refusal> {
        self.within_limit(user, i64::from(wish.quantity))?;
        let hall = self.halls.iter().find(|hall| hall.id == wish.section);
        let Some((hall, capacity)) = hall.and_then(|hall| Some((hall, hall.capacity?))) else {
            return Err(Refusal::code("unknown_seat"));
        };
        if hall.places_held + wish.quantity > capacity {
            return Err(Refusal::code("not_enough_seats"));
        }
        Ok((Vec::new(), vec![wish.clone()]))
    }

    fn price(&self, seats: &[String], general: &[GeneralPlaces]) -> i64 {
        let of_seat = |label: &String| {
            let found = self.find_seat(label);
            found.map_or(0, |(hall, _)| self.halls[hall].price)
        };
        let of_places = |places: &GeneralPlaces| {
            let hall = self.halls.iter().find(|hall| hall.id == places.section);
            hall.map_or(0, |hall| hall.price) * i64::from(places.quantity)
        };
        seats.iter().map(of_seat).sum::<i64>() + general.iter().map(of_places).sum::<i64>()
    }

    /// It happens: seats have an owner, the calendar a deadline, and people are told.
    fn make(&mut self, sender: &Sender, mut hold: Hold, calendar: &mut Calendar) -> Vec<Expected> {
        let name = sender.name;
        for label in &hold.seats {
            if let Some((hall, seat)) = self.find_seat(label) {
                self.halls[hall].set(seat, Some(name));
            }
        }
        for places in &hold.general {
            let hall = self.halls.iter_mut().find(|hall| hall.id == places.section);
            if let Some(hall) = hall {
                hall.places_held += places.quantity;
            }
        }
        calendar.add(hold.deadline_ms, &self.id, name);
        let fact = SeatsHeld {
            reservation: Id::reservation(&self.id, name).to_string(),
            concert: self.id.clone(),
            user: sender.user.clone(),
            seats: hold.seats.clone(),
            general: hold.general.clone(),
            amount_minor: hold.amount_minor,
            currency: self.plan.currency.clone(),
            held_at_ms: hold.held_at_ms,
            expires_at_ms: hold.deadline_ms,
        };
        hold.answer = encoded(&CommandResult {
            reservation: Some(self.view(&name, &hold)),
            ..sender.result(&self.id)
        });
        let answer = Said::Exactly(hold.answer.clone());
        self.holds.insert(name, hold);
        vec![
            Expected::fact(Channel::Events, &sender.user, encoded(&fact)),
            Expected::answer(sender, answer),
        ]
    }
}
