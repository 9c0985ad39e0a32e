//! One concert of the model: its halls, its holds, and what was answered to whom.

use std::collections::BTreeMap;

use stagedoor_processors::concert::records::{
    CommandResult, ConcertListing, GeneralPlaces, HoldExpired, HoldSeats, PutConcert, ReleaseHold,
    ReservationState, ReservationView,
};
use stagedoor_processors::id::{Hash, Id};

use super::calendar::Calendar;
use super::expected::{Channel, Expected, Refusal, Said};
use super::hall::{Hall, Seat};
use super::{Asked, DAY_MS, Sender};
use crate::script::encoded;

/// A concert on sale.
#[derive(Debug, Clone)]
pub(super) struct Concert {
    pub(super) id: String,
    /// The command that made it.
    pub(super) made_by: Hash,
    pub(super) plan: PutConcert,
    pub(super) created_at_ms: i64,
    pub(super) halls: Vec<Hall>,
    pub(super) holds: BTreeMap<Hash, Hold>,
    /// Releases that happened: what was asked, what was answered, until when that is known.
    pub(super) releases: BTreeMap<Hash, (ReleaseHold, Vec<u8>, i64)>,
}

/// A hold, alive or ended.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    /// The command that made it.
    pub(super) command: HoldSeats,
    pub(super) seats: Vec<String>,
    pub(super) general: Vec<GeneralPlaces>,
    pub(super) amount_minor: i64,
    pub(super) held_at_ms: i64,
    pub(super) deadline_ms: i64,
    pub(super) ended: Option<(ReservationState, i64)>,
    /// The answer that its maker got.
    pub(super) answer: Vec<u8>,
}

impl Hold {
    /// Seats and places together.
    pub(super) fn quantity(&self) -> i64 {
        let places: i64 = self
            .general
            .iter()
            .map(|places| i64::from(places.quantity))
            .sum();
        i64::try_from(self.seats.len()).unwrap_or(i64::MAX) + places
    }

    pub(super) fn state(&self) -> ReservationState {
        self.ended
            .map_or(ReservationState::Pending, |(state, _)| state)
    }

    /// When something happens to it by itself.
    pub(super) fn due_ms(&self) -> i64 {
        self.ended
            .map_or(self.deadline_ms, |(_, at_ms)| at_ms + DAY_MS)
    }
}

impl Concert {
    pub(super) fn new(id: &str, made_by: Hash, plan: PutConcert, created_at_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            made_by,
            created_at_ms,
            halls: plan.sections.iter().map(Hall::new).collect(),
            holds: BTreeMap::new(),
            releases: BTreeMap::new(),
            plan,
        }
    }

    /// What its maker and the catalogue are told.
    pub(super) fn made(&self, sender: &Sender) -> Vec<Expected> {
        let plan = self.plan.clone();
        let listing = ConcertListing {
            title: plan.title,
            artist: plan.artist,
            venue: plan.venue,
            hall: plan.hall,
            run: plan.run,
            time_zone: plan.time_zone,
            starts_at_ms: plan.starts_at_ms,
            ends_at_ms: plan.ends_at_ms,
            sale_opens_at_ms: plan.sale_opens_at_ms,
            sale_closes_at_ms: plan.sale_closes_at_ms,
            currency: plan.currency,
            max_seats_per_user: plan.max_seats_per_user,
            hold_seconds: plan.hold_seconds,
            organiser: plan.user,
            created_at_ms: self.created_at_ms,
            sections: plan.sections,
        };
        vec![
            Expected::fact(Channel::Catalogue, &self.id, encoded(&listing)),
            Expected::answer(sender, Said::Exactly(self.put_answer(sender, true))),
        ]
    }

    /// The same concert again changes nothing, and another one is refused.
    pub(super) fn put_again(
        &self,
        sender: &Sender,
        command: &PutConcert,
    ) -> Result<Vec<Expected>, Refusal> {
        if !same_plan(&self.plan, command) {
            return Err(Refusal::code("concert_differs"));
        }
        let answer = self.put_answer(sender, false);
        Ok(vec![Expected::answer(sender, Said::Exactly(answer))])
    }

    /// The first answer to a command that had an effect, or why it cannot be given again.
    pub(super) fn answered_before(
        &self,
        sender: &Sender,
        asked: &Asked,
        now_ms: i64,
    ) -> Option<Result<Vec<u8>, &'static str>> {
        let again = |same: bool, answer: &Vec<u8>| match same {
            true => Ok(answer.clone()),
            false => Err("idempotency_mismatch"),
        };
        if sender.name == self.made_by {
            let same = matches!(asked, Asked::Put(command) if *command == self.plan);
            return Some(again(same, &self.put_answer(sender, true)));
        }
        if let Some(hold) = self.holds.get(&sender.name) {
            let same = matches!(asked, Asked::Hold(command) if *command == hold.command);
            return Some(again(same, &hold.answer));
        }
        let (first, answer, until_ms) = self.releases.get(&sender.name)?;
        if *until_ms <= now_ms {
            return None;
        }
        let same = matches!(asked, Asked::Release(command) if command == first);
        Some(again(same, answer))
    }

    /// Time does something to a hold: it expires, or it is forgotten a day after its end.
    pub(super) fn time_is_up(
        &mut self,
        name: &Hash,
        now_ms: i64,
        calendar: &mut Calendar,
    ) -> Option<Expected> {
        let hold = self.holds.get_mut(name)?;
        if hold.ended.is_some() {
            self.holds.remove(name);
            return None;
        }
        hold.ended = Some((ReservationState::Expired, now_ms));
        let hold = hold.clone();
        self.give_back(&hold);
        calendar.add(hold.due_ms(), &self.id, *name);
        let fact = HoldExpired {
            reservation: Id::reservation(&self.id, *name).to_string(),
            concert: self.id.clone(),
            user: hold.command.user.clone(),
            seats: hold.seats,
            general: hold.general,
            expired_at_ms: now_ms,
        };
        Some(Expected::fact(
            Channel::Events,
            &hold.command.user,
            encoded(&fact),
        ))
    }

    /// The seats and places of a hold are on sale again.
    pub(super) fn give_back(&mut self, hold: &Hold) {
        for label in &hold.seats {
            if let Some((hall, seat)) = self.find_seat(label) {
                self.halls[hall].set(seat, None);
            }
        }
        for places in &hold.general {
            let hall = self.halls.iter_mut().find(|hall| hall.id == places.section);
            if let Some(hall) = hall {
                hall.places_held -= places.quantity;
            }
        }
    }

    /// The hall and the seat of a label.
    pub(super) fn find_seat(&self, label: &str) -> Option<(usize, Seat)> {
        let halls = self.halls.iter().enumerate();
        halls
            .filter_map(|(at, hall)| Some((at, hall.seat(label)?)))
            .next()
    }

    /// Seats and places of a user's live holds.
    pub(super) fn live_seats(&self, user: &str) -> i64 {
        let live = self.holds.values().filter(|hold| hold.ended.is_none());
        let own = live.filter(|hold| hold.command.user == user);
        own.map(Hold::quantity).sum()
    }

    /// A hold as its owner is told.
    pub(super) fn view(&self, name: &Hash, hold: &Hold) -> ReservationView {
        ReservationView {
            id: Id::reservation(&self.id, *name).to_string(),
            concert: self.id.clone(),
            user: hold.command.user.clone(),
            state: hold.state(),
            seats: hold.seats.clone(),
            general: hold.general.clone(),
            amount_minor: hold.amount_minor,
            currency: self.plan.currency.clone(),
            expires_at_ms: hold.deadline_ms,
        }
    }

    fn put_answer(&self, sender: &Sender, created: bool) -> Vec<u8> {
        encoded(&CommandResult {
            concert_created: Some(created),
            ..sender.result(&self.id)
        })
    }
}

/// The same concert, whoever asks for it.
fn same_plan(one: &PutConcert, other: &PutConcert) -> bool {
    let anonymous = |plan: &PutConcert| PutConcert {
        user: String::new(),
        command_id: String::new(),
        ..plan.clone()
    };
    anonymous(one) == anonymous(other)
}
