//! `ReleaseHold`: its owner gives a hold back before its deadline.

use super::{Event, Stop, View, existing};
use crate::concert::code::Code;
use crate::concert::command::Request;
use crate::concert::lifecycle::{Step, next};
use crate::concert::records::{Concert, Rejection, ReleaseHold, Reservation, ReservationState};
use crate::id::{Hash, Id, IdKind};

pub(super) fn release<V: View>(
    request: &Request,
    wish: &ReleaseHold,
    concert: Option<&Concert>,
    view: &V,
) -> Result<Event, Stop<V::Error>> {
    existing(concert)?;
    let hash = hash_of(request, wish)?;
    let found = view.reservation(&hash).map_err(Stop::Failed)?;
    let reservation = found.ok_or_else(hold_not_found)?;
    owned_by(&reservation, &wish.user)?;
    let reservation = released(reservation, request.now_ms)?;
    Ok(Event::HoldReleased { hash, reservation })
}

fn hash_of(request: &Request, wish: &ReleaseHold) -> Result<Hash, Rejection> {
    let id = Id::parse(&wish.reservation).ok_or_else(hold_not_found)?;
    let here = id.kind == IdKind::Reservation && id.partition_key == request.concert;
    if here {
        Ok(id.hash)
    } else {
        Err(hold_not_found())
    }
}

fn owned_by(reservation: &Reservation, user: &str) -> Result<(), Rejection> {
    if reservation.user == user {
        return Ok(());
    }
    Err(Code::NotOwner.rejection("this hold belongs to somebody else"))
}

fn released(reservation: Reservation, now_ms: i64) -> Result<Reservation, Rejection> {
    let overdue = reservation.deadline_ms <= now_ms;
    match next(reservation.state, Step::Release) {
        Some(state) if !overdue => Ok(Reservation {
            state,
            ended_at_ms: Some(now_ms),
            ..reservation
        }),
        None if reservation.state == ReservationState::Released => {
            Err(Code::WrongState.rejection("the hold was released before"))
        }
        _ => Err(Code::HoldExpired.rejection("the hold has expired; its seats are on sale again")),
    }
}

fn hold_not_found() -> Rejection {
    Code::HoldNotFound.rejection("there is no such hold in this concert")
}
