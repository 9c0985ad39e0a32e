//! A release of the model: its owner gives a hold back.

use stagedoor_processors::concert::records::{
    CommandResult, HoldReleased, ReleaseHold, ReservationState,
};
use stagedoor_processors::id::{Hash, Id};

use super::calendar::Calendar;
use super::concert::Concert;
use super::expected::{Channel, Expected, Refusal, Said};
use super::{DAY_MS, Sender};
use crate::script::encoded;

impl Concert {
    /// Gives a hold back, or says why not. Returns the hold too.
    pub(super) fn release(
        &mut self,
        sender: &Sender,
        wish: ReleaseHold,
        now_ms: i64,
        calendar: &mut Calendar,
    ) -> Result<(Hash, Vec<Expected>), Refusal> {
        let id = |name: &Hash| Id::reservation(&self.id, *name).to_string();
        let named = Id::parse(&wish.reservation).map(|id| id.hash);
        let name = named.filter(|name| id(name) == wish.reservation);
        let found = name.and_then(|name| Some((name, self.holds.get_mut(&name)?)));
        let Some((name, hold)) = found else {
            return Err(Refusal::code("hold_not_found"));
        };
        if hold.command.user != wish.user {
            return Err(Refusal::code("not_owner"));
        }
        match hold.ended {
            Some((ReservationState::Released, _)) => return Err(Refusal::code("wrong_state")),
            Some(_) => return Err(Refusal::code("hold_expired")),
            None => {}
        }
        calendar.cancel(hold.deadline_ms, &self.id, name);
        hold.ended = Some((ReservationState::Released, now_ms));
        let hold = hold.clone();
        calendar.add(hold.due_ms(), &self.id, name);
        self.give_back(&hold);
        let fact = HoldReleased {
            reservation: wish.reservation.clone(),
            concert: self.id.clone(),
            user: wish.user.clone(),
            seats: hold.seats.clone(),
            general: hold.general.clone(),
            released_at_ms: now_ms,
        };
        let answer = encoded(&CommandResult {
            reservation: Some(self.view(&name, &hold)),
            ..sender.result(&self.id)
        });
        let said = vec![
            Expected::fact(Channel::Events, &wish.user, encoded(&fact)),
            Expected::answer(sender, Said::Exactly(answer.clone())),
        ];
        let until_ms = now_ms + DAY_MS;
        self.releases.insert(sender.name, (wish, answer, until_ms));
        Ok((name, said))
    }
}
