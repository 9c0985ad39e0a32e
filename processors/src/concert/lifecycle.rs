//! The life of a reservation: the one function that moves it from state to state.

use super::records::{Reservation, ReservationState};

/// An ended reservation stays this long, so that its command id and its id still answer.
pub(super) const KEEP_ENDED_MS: i64 = 24 * 60 * 60 * 1_000;

/// What can happen to a reservation after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its owner gives it back.
    Release,
    /// Its deadline passes.
    Expire,
}

/// The state after a step; `None` where the step is not possible.
#[must_use]
pub(super) fn next(state: ReservationState, step: Step) -> Option<ReservationState> {
    match (state, step) {
        (ReservationState::Pending, Step::Release) => Some(ReservationState::Released),
        (ReservationState::Pending, Step::Expire) => Some(ReservationState::Expired),
        (ReservationState::Released | ReservationState::Expired, _) => None,
    }
}

/// Whether a reservation in this state owns its seats.
#[must_use]
pub(super) fn is_live(state: ReservationState) -> bool {
    match state {
        ReservationState::Pending => true,
        ReservationState::Released | ReservationState::Expired => false,
    }
}

/// Log time at which something happens to the reservation by itself.
#[must_use]
pub(super) fn due_at_ms(reservation: &Reservation) -> i64 {
    reservation
        .ended_at_ms
        .map_or(reservation.deadline_ms, |ended| ended + KEEP_ENDED_MS)
}

/// Number of seats and places in it.
#[must_use]
pub(super) fn quantity(reservation: &Reservation) -> i64 {
    let seats: usize = reservation
        .seats
        .iter()
        .map(|group| group.seats.len())
        .sum();
    let places: i64 = reservation
        .general
        .iter()
        .map(|general| i64::from(general.quantity))
        .sum();
    i64::try_from(seats)
        .unwrap_or(i64::MAX)
        .saturating_add(places)
}
