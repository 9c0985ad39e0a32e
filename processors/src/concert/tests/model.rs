//! A naive model of one concert: seats by name, holds by name, nothing compact, nothing shared
//! with the code under test but the records themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::naive_best;
use crate::concert::Command;
use crate::concert::records::{CommandResult, GeneralPlaces, HoldSeats, PutConcert, SectionPlan};
use crate::id::{Id, scoped_hash};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A command by its sender.
type Name = (String, String);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hold {
    pub(super) seats: Vec<String>,
    pub(super) general: Vec<GeneralPlaces>,
    pub(super) amount: i64,
    pub(super) deadline_ms: i64,
    pub(super) ended: Option<(&'static str, i64)>,
}

/// What a command should be answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    Refused(&'static str),
    Created(bool),
    Reservation(&'static str, Hold),
}

#[derive(Default)]
pub(super) struct Model {
    plan: Option<PutConcert>,
    pub(super) holds: BTreeMap<Name, Hold>,
    /// Commands that had an effect: what they asked, what was answered, until when it is known.
    effects: BTreeMap<Name, (Command, Expected, Option<i64>)>,
}

impl Model {
    /// Everything that time alone does.
    pub(super) fn pass(&mut self, now_ms: i64) {
        for hold in self.holds.values_mut() {
            if hold.ended.is_none() && hold.deadline_ms <= now_ms {
                hold.ended = Some(("EXPIRED", now_ms));
            }
        }
        let over = |hold: &Hold| hold.ended.is_some_and(|(_, at)| at + DAY_MS <= now_ms);
        let gone: Vec<Name> = self
            .holds
            .iter()
            .filter(|(_, hold)| over(hold))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.holds.remove(&name);
            self.effects.remove(&name);
        }
        self.effects
            .retain(|_, (_, _, until)| until.is_none_or(|until| until > now_ms));
    }

    pub(super) fn play(
        &mut self,
        now_ms: i64,
        command: &Command,
        valid_until: Option<i64>,
    ) -> Expected {
        self.pass(now_ms);
        let name = (command.user().to_owned(), command.command_id().to_owned());
        if let Some((first, answer, _)) = self.effects.get(&name) {
            let same = first == command;
            return if same {
                answer.clone()
            } else {
                Expected::Refused("idempotency_mismatch")
            };
        }
        if valid_until.is_some_and(|until| until < now_ms) {
            return Expected::Refused("command_expired");
        }
        let answer = match command {
            Command::PutConcert(plan) => self.put(plan),
            Command::HoldSeats(wish) => self.hold(now_ms, wish),
            Command::ReleaseHold(wish) => self.release(now_ms, &wish.user, &wish.reservation),
        };
        self.remember(name, now_ms, command, &answer);
        answer
    }

    fn remember(&mut self, name: Name, now_ms: i64, command: &Command, answer: &Expected) {
        let until = match (command, answer) {
            (_, Expected::Refused(_) | Expected::Created(false)) => return,
            (Command::ReleaseHold(_), _) => Some(now_ms + DAY_MS),
            _ => None,
        };
        if let (Command::HoldSeats(_), Expected::Reservation(_, hold)) = (command, answer) {
            self.holds.insert(name.clone(), hold.clone());
        }
        self.effects
            .insert(name, (command.clone(), answer.clone(), until));
    }

    fn put(&mut self, plan: &PutConcert) -> Expected {
        let anonymous = |plan: &PutConcert| PutConcert {
            user: String::new(),
            command_id: String::new(),
            ..plan.clone()
        };
        match &self.plan {
            Some(known) if anonymous(known) == anonymous(plan) => Expected::Created(false),
            Some(_) => Expected::Refused("concert_differs"),
            None => {
                self.plan = Some(plan.clone());
                Expected::Created(true)
            }
        }
    }

    fn hold(&self, now_ms: i64, wish: &HoldSeats) -> Expected {
        match self.try_hold(now_ms, wish) {
            Ok(hold) => Expected::Reservation("PENDING", hold),
            Err(code) => Expected::Refused(code),
        }
    }

    fn try_hold(&self, now_ms: i64, wish: &HoldSeats) -> Result<Hold, &'static str> {
        let ways = [
            !wish.seats.is_empty(),
            wish.best.is_some(),
            wish.general.is_some(),
        ];
        let wanted = match (&wish.best, &wish.general) {
            (Some(best), _) => best.quantity,
            (_, Some(places)) => places.quantity,
            _ => i32::try_from(wish.seats.len()).unwrap(),
        };
        if ways.iter().filter(|way| **way).count() != 1 || !(1..=10).contains(&wanted) {
            return Err("invalid_request");
        }
        let plan = self.plan.as_ref().ok_or("concert_not_found")?;
        if now_ms < plan.sale_opens_at_ms {
            return Err("sale_not_open");
        }
        if now_ms >= plan.sale_closes_at_ms {
            return Err("sale_closed");
        }
        if wish.seats.iter().collect::<BTreeSet<_>>().len() < wish.seats.len() {
            return Err("invalid_request");
        }
        if wish
            .seats
            .iter()
            .any(|seat| !self.all_seats().contains(&seat.as_str().to_owned()))
        {
            return Err("unknown_seat");
        }
        if self.live_of(&wish.user) + wanted > plan.max_seats_per_user {
            return Err("limit_reached");
        }
        let (seats, general) = self.selection(wish, wanted)?;
        let amount = seats.iter().map(|seat| self.price(seat)).sum::<i64>()
            + general
                .iter()
                .map(|g| self.price(&g.section) * i64::from(g.quantity))
                .sum::<i64>();
        let deadline_ms = now_ms + i64::from(plan.hold_seconds) * 1_000;
        Ok(Hold {
            seats,
            general,
            amount,
            deadline_ms,
            ended: None,
        })
    }

    fn selection(
        &self,
        wish: &HoldSeats,
        wanted: i32,
    ) -> Result<(Vec<String>, Vec<GeneralPlaces>), &'static str> {
        if let Some(places) = &wish.general {
            let section = self.section(&places.section).ok_or("unknown_seat")?;
            let capacity = section.capacity.ok_or("unknown_seat")?;
            let enough = self.places_held(&places.section) + wanted <= capacity;
            return if enough {
                Ok((vec![], vec![places.clone()]))
            } else {
                Err("not_enough_seats")
            };
        }
        if let Some(best) = &wish.best {
            let sections = match &best.section {
                Some(id) => vec![
                    self.section(id)
                        .filter(|s| s.rows.is_some())
                        .ok_or("unknown_seat")?,
                ],
                None => self.plan.iter().flat_map(|plan| &plan.sections).collect(),
            };
            let quantity = usize::try_from(wanted).unwrap();
            let found = sections
                .into_iter()
                .find_map(|s| self.best(s, quantity, best.split));
            return found.map(|seats| (seats, vec![])).ok_or("not_enough_seats");
        }
        let taken = wish.seats.iter().any(|seat| self.owners(seat) > 0);
        if taken {
            Err("seat_taken")
        } else {
            Ok((wish.seats.clone(), vec![]))
        }
    }

    fn best(&self, section: &SectionPlan, quantity: usize, split: bool) -> Option<Vec<String>> {
        let id = &section.id;
        let free = |row: i32, number: i32| self.owners(&format!("{id}-{row}-{number}")) == 0;
        let numbers = section.seats_per_row?;
        let row = |row: i32| (1..=numbers).map(|number| free(row, number)).collect();
        let rows: naive_best::Rows = (1..=section.rows?).map(row).collect();
        let seats = naive_best::best(&rows, quantity, split)?;
        Some(
            seats
                .into_iter()
                .map(|(row, number)| format!("{id}-{row}-{number}"))
                .collect(),
        )
    }

    fn release(&mut self, now_ms: i64, user: &str, reservation: &str) -> Expected {
        if self.plan.is_none() {
            return Expected::Refused("concert_not_found");
        }
        let is_it = |name: &Name| reservation_id(&name.0, &name.1) == reservation;
        let Some((name, hold)) = self.holds.iter_mut().find(|(name, _)| is_it(name)) else {
            return Expected::Refused("hold_not_found");
        };
        if name.0 != user {
            return Expected::Refused("not_owner");
        }
        match hold.ended {
            Some(("EXPIRED", _)) => Expected::Refused("hold_expired"),
            Some(_) => Expected::Refused("wrong_state"),
            None => {
                hold.ended = Some(("RELEASED", now_ms));
                Expected::Reservation("RELEASED", hold.clone())
            }
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (&Name, &Hold)> {
        self.holds.iter().filter(|(_, hold)| hold.ended.is_none())
    }

    /// How many live holds own a seat.
    pub(super) fn owners(&self, seat: &str) -> usize {
        self.live()
            .filter(|(_, hold)| hold.seats.iter().any(|own| own == seat))
            .count()
    }

    pub(super) fn places_held(&self, section: &str) -> i32 {
        let places = self.live().flat_map(|(_, hold)| &hold.general);
        places
            .filter(|places| places.section == section)
            .map(|places| places.quantity)
            .sum()
    }

    pub(super) fn live_of(&self, user: &str) -> i32 {
        let own = self.live().filter(|((owner, _), _)| owner == user);
        let count = |hold: &Hold| {
            let places: i32 = hold.general.iter().map(|places| places.quantity).sum();
            i32::try_from(hold.seats.len()).unwrap() + places
        };
        own.map(|(_, hold)| count(hold)).sum()
    }

    fn section(&self, id: &str) -> Option<&SectionPlan> {
        self.plan
            .iter()
            .flat_map(|plan| &plan.sections)
            .find(|section| section.id == id)
    }

    fn price(&self, seat: &str) -> i64 {
        self.section(seat.split('-').next().unwrap())
            .unwrap()
            .price_minor
    }

    fn all_seats(&self) -> Vec<String> {
        let mut seats = Vec::new();
        for section in self.plan.iter().flat_map(|plan| &plan.sections) {
            for row in 1..=section.rows.unwrap_or(0) {
                for number in 1..=section.seats_per_row.unwrap_or(0) {
                    seats.push(format!("{}-{row}-{number}", section.id));
                }
            }
        }
        seats
    }
}

/// The opaque id of the reservation that a command of the usual concert makes.
pub(super) fn reservation_id(user: &str, command_id: &str) -> String {
    Id::reservation(super::harness::CONCERT, scoped_hash(user, command_id)).to_string()
}

/// An answer in the model's words.
pub(super) fn said(answer: &CommandResult) -> String {
    match (
        &answer.rejection,
        &answer.reservation,
        answer.concert_created,
    ) {
        (Some(rejection), None, None) => format!("refused {}", rejection.code),
        (None, Some(view), None) => format!(
            "{:?} {:?} {:?} {} until {}",
            view.state, view.seats, view.general, view.amount_minor, view.expires_at_ms
        ),
        (None, None, Some(created)) => format!("created {created}"),
        other => format!("malformed {other:?}"),
    }
}

/// The model's answer in the same words.
pub(super) fn should_say(expected: &Expected) -> String {
    match expected {
        Expected::Refused(code) => format!("refused {code}"),
        Expected::Created(created) => format!("created {created}"),
        Expected::Reservation(state, hold) => {
            let state = if *state == "PENDING" {
                "Pending"
            } else {
                "Released"
            };
            format!(
                "{state} {:?} {:?} {} until {}",
                hold.seats, hold.general, hold.amount, hold.deadline_ms
            )
        }
    }
}
