//! What a due timer does: it expires a hold, or forgets a reservation that ended a day ago.

use super::Event;
use crate::concert::lifecycle::{Step, due_at_ms, next};
use crate::concert::records::Reservation;
use crate::id::Hash;

/// What is due for a reservation at a log time; `None`: nothing yet.
#[must_use]
pub fn due(hash: Hash, reservation: Reservation, now_ms: i64) -> Option<Event> {
    if due_at_ms(&reservation) > now_ms {
        return None;
    }
    Some(match next(reservation.state, Step::Expire) {
        Some(state) => {
            let reservation = Reservation {
                state,
                ended_at_ms: Some(now_ms),
                ..reservation
            };
            Event::HoldExpired { hash, reservation }
        }
        None => Event::ReservationForgotten { hash },
    })
}
