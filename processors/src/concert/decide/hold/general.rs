//! General admission: a number of places.

use super::{Selection, price, unknown_section};
use crate::concert::code::Code;
use crate::concert::decide::{Stop, View};
use crate::concert::records::GeneralPlaces;
use crate::concert::seats::Layout;

pub(super) fn select<V: View>(
    wish: &GeneralPlaces,
    quantity: usize,
    view: &V,
) -> Result<Selection, Stop<V::Error>> {
    let id = &wish.section;
    let found = view.section(id).map_err(Stop::Failed)?;
    let section = found.ok_or_else(|| unknown_section(id))?;
    if Layout::of(&section).is_some() {
        let detail = format!("section {id} has numbered seats; choose them, or the best available");
        return Err(Code::UnknownSeat.rejection(detail).into());
    }
    let stock = view.stock(id).map_err(Stop::Failed)?;
    let taken = stock.held.saturating_add(stock.sold);
    let free = usize::try_from(section.capacity.saturating_sub(taken)).unwrap_or(0);
    if free < quantity {
        let detail = format!("section {id} has {free} places left; ask for fewer, or elsewhere");
        return Err(Code::NotEnoughSeats.rejection(detail).into());
    }
    let amount_minor = price(&section, quantity);
    Ok(Selection {
        seats: Vec::new(),
        general: vec![wish.clone()],
        amount_minor,
    })
}
