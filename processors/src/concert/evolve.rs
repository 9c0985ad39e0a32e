//! Making it true: the rows that an event changes, as a total function.

use super::decide::{Event, View};
use super::records::{
    Concert, ConcertDetails, GeneralPlaces, GeneralStock, PutConcert, Reservation, SeatBlock,
    SeatGroup, Section, SectionPlan,
};
use super::seats::{FREE, HELD, Layout, seat, set_seat};
use crate::id::Hash;

/// One changed row of the concert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The concert itself.
    Concert(Concert),
    /// What readers need of it.
    Details(ConcertDetails),
    /// A section.
    Section(String, Section),
    /// A block of a section.
    Block(String, u16, SeatBlock),
    /// Taken places of a section.
    Stock(String, GeneralStock),
    /// A reservation.
    Reservation(Hash, Reservation),
    /// A reservation goes.
    Forgotten(Hash),
}

/// The rows that follow from an event.
///
/// # Errors
/// Only those of the view.
///
/// # Panics
/// Where the event contradicts the state, such as a hold of a held seat: a broken invariant, of
/// which nothing may reach the log.
pub fn evolve<V: View>(event: Event, view: &V) -> Result<Vec<Change>, V::Error> {
    match event {
        Event::ConcertPut { plan, concert } => Ok(concert_put(*plan, concert)),
        Event::SeatsHeld { hash, reservation } => {
            seats_moved(hash, reservation, (FREE, HELD), view)
        }
        Event::HoldReleased { hash, reservation } | Event::HoldExpired { hash, reservation } => {
            seats_moved(hash, reservation, (HELD, FREE), view)
        }
        Event::ReservationForgotten { hash } => Ok(vec![Change::Forgotten(hash)]),
    }
}

/// Blocks and stocks are not written: as long as a row is absent, everything in it is free.
fn concert_put(plan: PutConcert, concert: Concert) -> Vec<Change> {
    let sections = plan
        .sections
        .iter()
        .map(|section| section.id.clone())
        .collect();
    let details = ConcertDetails {
        title: plan.title,
        artist: plan.artist,
        venue: plan.venue,
        hall: plan.hall,
        run: plan.run,
        time_zone: plan.time_zone,
        starts_at_ms: plan.starts_at_ms,
        ends_at_ms: plan.ends_at_ms,
        organiser: plan.user,
        sections,
    };
    let rows = plan.sections.into_iter().map(section_row);
    [Change::Concert(concert), Change::Details(details)]
        .into_iter()
        .chain(rows)
        .collect()
}

fn section_row(plan: SectionPlan) -> Change {
    let small = |number: Option<i32>| u16::try_from(number.unwrap_or(0)).unwrap_or(0);
    let row = Section {
        name: plan.name,
        grade: plan.grade,
        price_minor: plan.price_minor,
        rows: small(plan.rows),
        seats_per_row: small(plan.seats_per_row),
        capacity: u32::try_from(plan.capacity.unwrap_or(0)).unwrap_or(0),
    };
    Change::Section(plan.id, row)
}

/// A block that an event changes: section, number, and the row as it will be.
type Touched = (String, u16, SeatBlock);

fn seats_moved<V: View>(
    hash: Hash,
    reservation: Reservation,
    codes: (u8, u8),
    view: &V,
) -> Result<Vec<Change>, V::Error> {
    let mut blocks = Vec::with_capacity(1);
    for group in &reservation.seats {
        mark(group, codes, view, &mut blocks)?;
    }
    let mut changes = Vec::with_capacity(2);
    changes.extend(
        blocks
            .into_iter()
            .map(|(id, number, row)| Change::Block(id, number, row)),
    );
    for places in &reservation.general {
        let stock = view.stock(&places.section)?;
        let row = move_places(&stock, places, codes.1);
        changes.push(Change::Stock(places.section.clone(), row));
    }
    changes.push(Change::Reservation(hash, reservation));
    Ok(changes)
}

fn move_places(stock: &GeneralStock, places: &GeneralPlaces, after: u8) -> GeneralStock {
    let quantity = u32::try_from(places.quantity).unwrap_or(0);
    let held = match after {
        HELD => stock.held.checked_add(quantity),
        _ => stock.held.checked_sub(quantity),
    };
    assert!(
        held.is_some(),
        "more places of {} are given back than held",
        places.section
    );
    GeneralStock {
        version: stock.version + 1,
        held: held.unwrap_or(stock.held),
        sold: stock.sold,
    }
}

/// Marks the seats of a group, in blocks that may be touched already.
fn mark<V: View>(
    group: &SeatGroup,
    (before, after): (u8, u8),
    view: &V,
    blocks: &mut Vec<Touched>,
) -> Result<(), V::Error> {
    let id = &group.section;
    let found = view.section(id)?;
    let layout = found.as_deref().and_then(Layout::of);
    assert!(
        layout.is_some(),
        "the section {id} of a reservation has no seats"
    );
    let Some(layout) = layout else { return Ok(()) };
    for place in &group.seats {
        assert!(
            layout.contains(*place),
            "the section {id} has no seat {place:?}"
        );
        let at = touch(id, layout, layout.block_of(place.row), view, blocks)?;
        let (bits, index) = (&mut blocks[at].2.bits, layout.index_of(*place));
        assert_eq!(
            seat(bits, index),
            before,
            "seat {place:?} of {id} is not as it was"
        );
        set_seat(bits, index, after);
    }
    Ok(())
}

/// The place of a block among the touched ones; its first touch counts as its one change.
fn touch<V: View>(
    section: &str,
    layout: Layout,
    number: u16,
    view: &V,
    blocks: &mut Vec<Touched>,
) -> Result<usize, V::Error> {
    let known = blocks
        .iter()
        .position(|(id, at, _)| id == section && *at == number);
    if let Some(at) = known {
        return Ok(at);
    }
    let mut block = match view.block(section, number)? {
        Some(block) => SeatBlock::clone(&block),
        None => layout.untouched(number),
    };
    block.version += 1;
    blocks.push((section.to_owned(), number, block));
    Ok(blocks.len() - 1)
}
