//! What happens: total functions from a command and a view of the state to a decision.
//!
//! No store, no I/O, no clock. A repeated command is recognised first; after it there is one
//! guard a line. A refusal leaves as a [`Decision`]; the only errors are the view's own.

mod hold;
mod put_concert;
mod release;
mod timer;
mod view;

pub use hold::MAX_SEATS_PER_HOLD;
pub use timer::due;
pub use view::View;

use super::code::Code;
use super::command::{Command, Request};
use super::records::{Concert, PutConcert, Rejection, Reservation};
use crate::id::Hash;

/// The answer of the rules to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It happens.
    Happens(Event),
    /// It happened already; the first answer is given again.
    Repeated(FirstAnswer),
    /// The concert exists just as asked; nothing happens.
    ConcertStands,
    /// It does not happen.
    Refused(Rejection),
}

/// Something that happened, from which all changes of the state follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A concert was put on sale.
    ConcertPut {
        /// As its organiser planned it.
        plan: Box<PutConcert>,
        /// Its row.
        concert: Concert,
    },
    /// A hold began.
    SeatsHeld {
        /// Name of the reservation: the scoped id of the command.
        hash: Hash,
        /// As it is now.
        reservation: Reservation,
    },
    /// Its owner gave a hold back.
    HoldReleased {
        /// Name of the reservation.
        hash: Hash,
        /// As it is now.
        reservation: Reservation,
    },
    /// A hold reached its deadline.
    HoldExpired {
        /// Name of the reservation.
        hash: Hash,
        /// As it is now.
        reservation: Reservation,
    },
    /// A reservation that ended long ago is forgotten.
    ReservationForgotten {
        /// Name of the reservation.
        hash: Hash,
    },
}

/// Where the first answer to a repeated command is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    /// The command made the concert.
    ConcertPut,
    /// The command made this reservation.
    Held(Reservation),
    /// The answer itself, as it was sent.
    Receipt(Vec<u8>),
}

/// Decides a command.
///
/// # Errors
/// Only those of the view.
pub fn decide<V: View>(request: &Request, view: &V) -> Result<Decision, V::Error> {
    let concert = view.concert()?;
    match try_decide(request, concert.as_deref(), view) {
        Ok(decision) => Ok(decision),
        Err(Stop::Refused(rejection)) => Ok(Decision::Refused(rejection)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn try_decide<V: View>(
    request: &Request,
    concert: Option<&Concert>,
    view: &V,
) -> Result<Decision, Stop<V::Error>> {
    if let Some(first) = first_answer(request, concert, view)? {
        return Ok(Decision::Repeated(first));
    }
    still_wanted(request)?;
    match &request.command {
        Command::PutConcert(plan) => put_concert::put_concert(request, plan, concert),
        Command::HoldSeats(wish) => hold::hold(request, wish, concert, view).map(Decision::Happens),
        Command::ReleaseHold(wish) => {
            release::release(request, wish, concert, view).map(Decision::Happens)
        }
    }
}

/// The first answer to this command id, if it had an effect; refused if that was for another body.
fn first_answer<V: View>(
    request: &Request,
    concert: Option<&Concert>,
    view: &V,
) -> Result<Option<FirstAnswer>, Stop<V::Error>> {
    let Some(concert) = concert else {
        return Ok(None);
    };
    let (body_hash, first) = if concert.command == request.scope {
        (concert.body_hash, FirstAnswer::ConcertPut)
    } else if let Some(reservation) = view.reservation(&request.scope).map_err(Stop::Failed)? {
        (reservation.body_hash, FirstAnswer::Held(reservation))
    } else if let Some(receipt) = view.receipt(&request.scope).map_err(Stop::Failed)? {
        (receipt.body_hash, FirstAnswer::Receipt(receipt.answer))
    } else {
        return Ok(None);
    };
    if body_hash == request.body_hash {
        return Ok(Some(first));
    }
    let detail = "this idempotency key was used for another request; take a new key";
    Err(Code::IdempotencyMismatch.rejection(detail).into())
}

fn still_wanted(request: &Request) -> Result<(), Rejection> {
    match request.valid_until_ms {
        Some(until) if until < request.now_ms => {
            let detail = "the command came too late to have an effect; send it again";
            Err(Code::CommandExpired.rejection(detail))
        }
        _ => Ok(()),
    }
}

fn existing(concert: Option<&Concert>) -> Result<&Concert, Rejection> {
    concert.ok_or_else(|| Code::ConcertNotFound.rejection("there is no such concert"))
}

/// Why a decision was broken off; never seen outside of this folder.
enum Stop<E> {
    Refused(Rejection),
    Failed(E),
}

impl<E> From<Rejection> for Stop<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}
