//! Answers: what a decision looks like to the sender of the command, and to other systems.

use super::command::Request;
use super::records::{
    CommandResult, Concert, ConcertListing, HoldExpired, HoldReleased, PutConcert, Rejection,
    Reservation, ReservationState, ReservationView, SeatsHeld,
};
use super::seats::label;
use crate::id::{Hash, Id};

/// An answer that says who asked, and nothing else yet.
fn answer(request: &Request) -> CommandResult {
    CommandResult {
        id: request.scope,
        user: request.command.user().to_owned(),
        command_id: request.command.command_id().to_owned(),
        concert: request.concert.clone(),
        ..CommandResult::default()
    }
}

/// The answer to a command that does not happen.
#[must_use]
pub(super) fn refused(request: &Request, rejection: Rejection) -> CommandResult {
    CommandResult {
        rejection: Some(rejection),
        ..answer(request)
    }
}

/// The answer to `PutConcert`.
#[must_use]
pub(super) fn concert_put(request: &Request, created: bool) -> CommandResult {
    CommandResult {
        concert_created: Some(created),
        ..answer(request)
    }
}

/// The answer to `ReleaseHold`.
#[must_use]
pub(super) fn released(request: &Request, hash: Hash, reservation: &Reservation) -> CommandResult {
    let view = view(&request.concert, hash, reservation);
    CommandResult {
        reservation: Some(view),
        ..answer(request)
    }
}

/// The first answer to the command that made a reservation, rebuilt from its row. It reads only
/// what never changes in a reservation, so it is the same bytes for as long as the row exists.
#[must_use]
pub(super) fn held(concert: &str, hash: Hash, reservation: &Reservation) -> CommandResult {
    let first = ReservationView {
        state: ReservationState::Pending,
        expires_at_ms: reservation.first_deadline_ms,
        ..view(concert, hash, reservation)
    };
    CommandResult {
        id: hash,
        user: reservation.user.clone(),
        command_id: reservation.command_id.clone(),
        concert: concert.to_owned(),
        reservation: Some(first),
        ..CommandResult::default()
    }
}

/// A reservation as its owner sees it now.
#[must_use]
pub(super) fn view(concert: &str, hash: Hash, reservation: &Reservation) -> ReservationView {
    ReservationView {
        id: Id::reservation_text(concert, &hash),
        concert: concert.to_owned(),
        user: reservation.user.clone(),
        state: reservation.state,
        seats: labels(reservation),
        general: reservation.general.clone(),
        amount_minor: reservation.amount_minor,
        currency: reservation.currency.clone(),
        expires_at_ms: reservation.deadline_ms,
    }
}

fn labels(reservation: &Reservation) -> Vec<String> {
    let groups = reservation.seats.iter();
    groups
        .flat_map(|group| {
            group
                .seats
                .iter()
                .map(|place| label(&group.section, *place))
        })
        .collect()
}

/// The hold as other systems hear of it: what its owner is shown, and when it began.
#[must_use]
pub(super) fn seats_held(view: ReservationView, held_at_ms: i64) -> SeatsHeld {
    SeatsHeld {
        reservation: view.id,
        concert: view.concert,
        user: view.user,
        seats: view.seats,
        general: view.general,
        amount_minor: view.amount_minor,
        currency: view.currency,
        held_at_ms,
        expires_at_ms: view.expires_at_ms,
    }
}

/// The release as other systems hear of it.
#[must_use]
pub(super) fn hold_released(concert: &str, hash: Hash, reservation: &Reservation) -> HoldReleased {
    HoldReleased {
        reservation: Id::reservation_text(concert, &hash),
        concert: concert.to_owned(),
        user: reservation.user.clone(),
        seats: labels(reservation),
        general: reservation.general.clone(),
        released_at_ms: reservation.ended_at_ms.unwrap_or_default(),
    }
}

/// The expiry as other systems hear of it.
#[must_use]
pub(super) fn hold_expired(concert: &str, hash: Hash, reservation: &Reservation) -> HoldExpired {
    HoldExpired {
        reservation: Id::reservation_text(concert, &hash),
        concert: concert.to_owned(),
        user: reservation.user.clone(),
        seats: labels(reservation),
        general: reservation.general.clone(),
        expired_at_ms: reservation.ended_at_ms.unwrap_or_default(),
    }
}

/// The concert as the catalogue lists it.
#[must_use]
pub(super) fn listing(plan: &PutConcert, concert: &Concert) -> ConcertListing {
    ConcertListing {
        title: plan.title.clone(),
        artist: plan.artist.clone(),
        venue: plan.venue.clone(),
        hall: plan.hall.clone(),
        run: plan.run.clone(),
        time_zone: plan.time_zone.clone(),
        starts_at_ms: plan.starts_at_ms,
        ends_at_ms: plan.ends_at_ms,
        sale_opens_at_ms: plan.sale_opens_at_ms,
        sale_closes_at_ms: plan.sale_closes_at_ms,
        currency: plan.currency.clone(),
        max_seats_per_user: plan.max_seats_per_user,
        hold_seconds: plan.hold_seconds,
        organiser: plan.user.clone(),
        created_at_ms: concert.created_at_ms,
        sections: plan.sections.clone(),
    }
}
