//! Queries: what readers see of a concert in one snapshot of its task's committed state.

use stagedoor_state::{KeyRange, ReadState, StateError, TypedRead as _};
use std::ops::ControlFlow;

use super::answers;
use super::concert_view::{ConcertView, Memos};
use super::decide::View as _;
use super::records::{CommandResult, ConcertDetails, ReservationView, Section};
use super::seats::{FREE, HELD, Layout, seat};
use super::stores::{DETAILS, GENERAL, SEATS};
use crate::id::Hash;

/// Every seat of a concert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatMap {
    /// Grows with every change of any seat or place: an entity tag.
    pub version: i64,
    /// Sections in the concert's own order.
    pub sections: Vec<SectionSeats>,
}

/// The seats of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SectionSeats {
    /// Id of the section.
    pub id: String,
    /// One digit a seat, row after row: 0 free, 1 held, 2 sold, 3 blocked. Empty for general
    /// admission.
    pub seats: String,
    /// How many seats or places are in which state.
    pub counts: Counts,
}

/// Seats or places by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// On sale.
    pub free: u32,
    /// In live holds.
    pub held: u32,
    /// Sold.
    pub sold: u32,
    /// Taken off sale by the organiser.
    pub blocked: u32,
}

/// What a concert says about itself; `None`: there is no such concert here.
///
/// # Errors
/// Those of the state.
pub fn details<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
) -> Result<Option<ConcertDetails>, StateError> {
    state.get(&DETAILS, &concert.to_owned())
}

/// Every seat; `None`: there is no such concert here.
///
/// # Errors
/// Those of the state.
pub fn seat_map<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
) -> Result<Option<SeatMap>, StateError> {
    let Some(details) = details(state, concert)? else {
        return Ok(None);
    };
    let memos = Memos::default();
    let view = ConcertView::new(state, &memos, concert, 0);
    let mut map = SeatMap::default();
    for id in details.sections {
        let Some(section) = view.section(&id)? else {
            continue;
        };
        let (version, seats) = match Layout::of(&section) {
            Some(layout) => numbered(state, concert, &id, layout)?,
            None => unnumbered(state, concert, &id, &section)?,
        };
        map.version += version;
        map.sections.push(seats);
    }
    Ok(Some(map))
}

fn numbered<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
    id: &str,
    layout: Layout,
) -> Result<(i64, SectionSeats), StateError> {
    let mut codes: Vec<u8> = Vec::new();
    let before =
        |block: u16| usize::from(layout.first_row(block) - 1) * usize::from(layout.seats_per_row);
    let mut version = 0;
    let prefix = KeyRange::prefix(&(concert.to_owned(), id.to_owned()));
    state.scan(&SEATS, prefix, &mut |(_, _, number), block| {
        version += block.version;
        codes.resize(before(number), FREE);
        codes.extend((0..layout.seats_in(number)).map(|index| seat(&block.bits, index)));
        ControlFlow::Continue(())
    })?;
    codes.resize(
        usize::from(layout.rows) * usize::from(layout.seats_per_row),
        FREE,
    );
    let seats = codes.iter().map(|code| char::from(b'0' + code)).collect();
    Ok((
        version,
        SectionSeats {
            id: id.to_owned(),
            seats,
            counts: count(&codes),
        },
    ))
}

fn count(codes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for code in codes {
        *match *code {
            FREE => &mut counts.free,
            HELD => &mut counts.held,
            2 => &mut counts.sold,
            _ => &mut counts.blocked,
        } += 1;
    }
    counts
}

fn unnumbered<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
    id: &str,
    section: &Section,
) -> Result<(i64, SectionSeats), StateError> {
    let stock = state
        .get(&GENERAL, &(concert.to_owned(), id.to_owned()))?
        .unwrap_or_default();
    let free = section
        .capacity
        .saturating_sub(stock.held)
        .saturating_sub(stock.sold);
    let counts = Counts {
        free,
        held: stock.held,
        sold: stock.sold,
        blocked: 0,
    };
    let seats = SectionSeats {
        id: id.to_owned(),
        seats: String::new(),
        counts,
    };
    Ok((stock.version, seats))
}

/// A reservation as its owner sees it at a log time; `None`: there is none.
///
/// A hold past its deadline is shown as it is stored: until a record comes by, nobody has decided
/// that it is over.
///
/// # Errors
/// Those of the state.
pub fn reservation<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
    hash: &Hash,
) -> Result<Option<ReservationView>, StateError> {
    let memos = Memos::default();
    let row = ConcertView::new(state, &memos, concert, 0).reservation(hash)?;
    Ok(row.map(|row| answers::view(concert, *hash, &row)))
}

/// The answer to a command that had an effect and is not forgotten at a log time; `None`: it had
/// none, or is not decided yet.
///
/// # Errors
/// Those of the state.
pub fn answer<S: ReadState + ?Sized>(
    state: &S,
    concert: &str,
    hash: &Hash,
    now_ms: i64,
) -> Result<Option<CommandResult>, StateError> {
    let memos = Memos::default();
    let view = ConcertView::new(state, &memos, concert, now_ms);
    if let Some(reservation) = view.reservation(hash)? {
        return Ok(Some(answers::held(concert, *hash, &reservation)));
    }
    let Some(receipt) = view.receipt(hash)? else {
        return Ok(None);
    };
    let corrupted = |error: stagedoor_avro::AvroError| StateError::Corrupted {
        store: "receipts".to_owned(),
        key: concert.to_owned(),
        reason: error.to_string(),
    };
    stagedoor_avro::decode(&receipt.answer)
        .map(Some)
        .map_err(corrupted)
}
