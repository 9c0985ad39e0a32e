//! `HoldSeats`: chosen seats, best available, or general admission; all or nothing.

mod best;
mod chosen;
mod general;

use std::rc::Rc;
use std::sync::Arc;

use super::{Event, Stop, View, existing};
use crate::concert::best_available::Blocks;
use crate::concert::code::{Code, error, invalid};
use crate::concert::command::Request;
use crate::concert::records::{
    BestAvailable, Concert, GeneralPlaces, HoldSeats, Place, Rejection, Reservation,
    ReservationState, SeatBlock, SeatGroup, Section,
};
use crate::concert::seats::Layout;

/// Most seats of one hold, whatever the concert allows a user in total.
pub const MAX_SEATS_PER_HOLD: usize = 10;

/// What a hold takes.
#[derive(Default)]
struct Selection {
    seats: Vec<SeatGroup>,
    general: Vec<GeneralPlaces>,
    amount_minor: i64,
}

/// The one way in which the seats of a hold are named.
enum Wish<'a> {
    Chosen(&'a [String]),
    Best(&'a BestAvailable, usize),
    General(&'a GeneralPlaces, usize),
}

pub(super) fn hold<V: View>(
    request: &Request,
    wish: &HoldSeats,
    concert: Option<&Concert>,
    view: &V,
) -> Result<Event, Stop<V::Error>> {
    let named = one_wish(wish)?;
    let concert = existing(concert)?;
    on_sale(concert, request.now_ms)?;
    let live = view.live_seats(&wish.user).map_err(Stop::Failed)?;
    let selection = match named {
        Wish::Chosen(labels) => chosen::select(labels, view, |n| within_limit(concert, live, n))?,
        Wish::Best(best, n) => {
            within_limit(concert, live, n)?;
            best::select(best, n, view)?
        }
        Wish::General(places, n) => {
            within_limit(concert, live, n)?;
            general::select(places, n, view)?
        }
    };
    let reservation = reservation(request, wish, concert, selection);
    Ok(Event::SeatsHeld {
        hash: request.scope,
        reservation,
    })
}

fn reservation(
    request: &Request,
    wish: &HoldSeats,
    concert: &Concert,
    selection: Selection,
) -> Reservation {
    let deadline_ms = request.now_ms + i64::from(concert.hold_seconds) * 1_000;
    Reservation {
        user: wish.user.clone(),
        command_id: wish.command_id.clone(),
        body_hash: request.body_hash,
        seats: selection.seats,
        general: selection.general,
        amount_minor: selection.amount_minor,
        currency: concert.currency.clone(),
        state: ReservationState::Pending,
        held_at_ms: request.now_ms,
        first_deadline_ms: deadline_ms,
        deadline_ms,
        ended_at_ms: None,
    }
}

fn one_wish(wish: &HoldSeats) -> Result<Wish<'_>, Rejection> {
    match (wish.seats.as_slice(), &wish.best, &wish.general) {
        (labels @ [_, ..], None, None) => {
            bounded("seats", labels.len())?;
            Ok(Wish::Chosen(labels))
        }
        ([], Some(best), None) => Ok(Wish::Best(best, quantity("best.quantity", best.quantity)?)),
        ([], None, Some(places)) => Ok(Wish::General(
            places,
            quantity("general.quantity", places.quantity)?,
        )),
        ([], None, None) => bounded("seats", 0).map(|()| Wish::Chosen(&[])),
        _ => {
            let detail = "stands beside another one: give one of seats, best and general";
            Err(invalid(vec![error(
                if wish.seats.is_empty() {
                    "best"
                } else {
                    "seats"
                },
                detail,
            )]))
        }
    }
}

fn quantity(field: &str, wanted: i32) -> Result<usize, Rejection> {
    let quantity = usize::try_from(wanted).unwrap_or(0);
    bounded(field, quantity).map(|()| quantity)
}

fn bounded(field: &str, seats: usize) -> Result<(), Rejection> {
    if (1..=MAX_SEATS_PER_HOLD).contains(&seats) {
        return Ok(());
    }
    Err(invalid(vec![error(
        field,
        format!("must be 1 to {MAX_SEATS_PER_HOLD} seats"),
    )]))
}

fn on_sale(concert: &Concert, now_ms: i64) -> Result<(), Rejection> {
    if now_ms < concert.sale_opens_at_ms {
        return Err(Code::SaleNotOpen.rejection("the sale has not begun; try again when it has"));
    }
    if now_ms >= concert.sale_closes_at_ms {
        return Err(Code::SaleClosed.rejection("the sale is over"));
    }
    Ok(())
}

fn within_limit(concert: &Concert, live: i64, wanted: usize) -> Result<(), Rejection> {
    let limit = i64::from(concert.max_seats_per_user);
    let total = i64::try_from(wanted)
        .unwrap_or(i64::MAX)
        .saturating_add(live);
    if total <= limit {
        return Ok(());
    }
    let detail = format!("one user may have {limit} seats of this concert and you have {live}");
    Err(Code::LimitReached.rejection(detail))
}

fn unknown_section(id: &str) -> Rejection {
    let name = crate::concert::code::quoted(id);
    Code::UnknownSeat.rejection(format!("the concert has no section {name}"))
}

fn price(section: &Section, quantity: usize) -> i64 {
    section
        .price_minor
        .saturating_mul(i64::try_from(quantity).unwrap_or(i64::MAX))
}

/// The blocks of one section of a view.
struct SectionBlocks<'a, V> {
    view: &'a V,
    section: &'a str,
}

impl<V: View> Blocks for SectionBlocks<'_, V> {
    type Error = V::Error;

    fn block(&self, block: u16) -> Result<Option<Rc<SeatBlock>>, V::Error> {
        self.view.block(self.section, block)
    }
}

/// A reserved-seating section with its layout.
struct Hall {
    id: String,
    section: Arc<Section>,
    layout: Layout,
}

impl Hall {
    fn find<V: View>(id: &str, view: &V) -> Result<Self, Stop<V::Error>> {
        let found = view.section(id).map_err(Stop::Failed)?;
        let section = found.ok_or_else(|| unknown_section(id))?;
        match Layout::of(&section) {
            Some(layout) => Ok(Self {
                id: id.to_owned(),
                section,
                layout,
            }),
            None => {
                let detail = format!("section {id} has places but no numbered seats");
                Err(Code::UnknownSeat.rejection(detail).into())
            }
        }
    }

    fn group(&self, seats: Vec<Place>) -> SeatGroup {
        SeatGroup {
            section: self.id.clone(),
            seats,
        }
    }
}
