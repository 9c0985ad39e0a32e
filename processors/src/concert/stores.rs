//! The state stores of a concert task, and the indexes derived from them.

use stagedoor_state::{Derived, EntryIndex, StateError, Store, StoreSet, SumIndex, TaskState};

use super::evolve::Change;
use super::lifecycle::{due_at_ms, is_live, quantity};
use super::records::{
    Concert, ConcertDetails, GeneralStock, Receipt, Reservation, SeatBlock, Section,
};
use super::seats::taken;
use crate::id::Hash;

/// Concert id: what every hold needs of the concert.
pub const CONCERTS: Store<String, Concert> = Store::new(1, "concerts");
/// Concert id, section id.
pub const SECTIONS: Store<(String, String), Section> =
    Store::new(2, "sections").derives(capacity_of_section);
/// Concert id, section id, block.
pub const SEATS: Store<(String, String, u16), SeatBlock> =
    Store::new(3, "seats").derives(taken_in_block);
/// Concert id, section id.
pub const GENERAL: Store<(String, String), GeneralStock> =
    Store::new(4, "general").derives(taken_in_stock);
/// Concert id, scoped id of the command that made it.
pub const RESERVATIONS: Store<(String, Hash), Reservation> =
    Store::new(5, "reservations").derives(of_reservation);
/// Concert id, scoped id of the command.
pub const RECEIPTS: Store<(String, Hash), Receipt> =
    Store::windowed(6, "receipts", |receipt| receipt.expires_at_ms);
/// Concert id: what only readers need of the concert.
pub const DETAILS: Store<String, ConcertDetails> = Store::new(7, "details");

/// Log time, concert id, reservation: the timers.
pub const DEADLINES: EntryIndex<(i64, String, Hash)> = EntryIndex::new(16, "deadlines");
/// Concert id, user: seats and places in live reservations.
pub const SEATS_BY_USER: SumIndex<(String, String)> = SumIndex::new(17, "seats-by-user");
/// Concert id, section id: free seats or places.
pub const FREE_BY_SECTION: SumIndex<(String, String)> = SumIndex::new(18, "free-by-section");

/// All of them.
///
/// # Errors
/// Where two of them share an id or a name.
pub fn store_set() -> Result<StoreSet, StateError> {
    StoreSet::builder()
        .store(&CONCERTS)
        .store(&SECTIONS)
        .store(&SEATS)
        .store(&GENERAL)
        .store(&RESERVATIONS)
        .store(&RECEIPTS)
        .store(&DETAILS)
        .index(&DEADLINES)
        .sum(&SEATS_BY_USER)
        .sum(&FREE_BY_SECTION)
        .build()
}

/// A section adds its capacity, and blocks and stocks take away what is not free: so their rows
/// may stay absent until somebody takes something.
fn capacity_of_section(key: &(String, String), section: &Section, derived: &mut Derived<'_>) {
    let seats = i64::from(section.rows) * i64::from(section.seats_per_row);
    derived.add(&FREE_BY_SECTION, key, seats + i64::from(section.capacity));
}

fn taken_in_block(
    (concert, section, _): &(String, String, u16),
    block: &SeatBlock,
    derived: &mut Derived<'_>,
) {
    let key = (concert, section);
    derived.add(&FREE_BY_SECTION, &key, -i64::from(taken(&block.bits)));
}

fn taken_in_stock(key: &(String, String), stock: &GeneralStock, derived: &mut Derived<'_>) {
    derived.add(
        &FREE_BY_SECTION,
        key,
        -i64::from(stock.held) - i64::from(stock.sold),
    );
}

fn of_reservation(
    (concert, hash): &(String, Hash),
    reservation: &Reservation,
    derived: &mut Derived<'_>,
) {
    derived.entry(&DEADLINES, &(due_at_ms(reservation), concert, hash));
    if is_live(reservation.state) {
        let key = (concert, &reservation.user);
        derived.add(&SEATS_BY_USER, &key, quantity(reservation));
    }
}

/// Writes changes of a concert into a task's state.
///
/// # Errors
/// Those of the state.
pub fn apply(state: &mut TaskState, concert: &str, changes: Vec<Change>) -> Result<(), StateError> {
    for change in changes {
        let concert = concert.to_owned();
        match change {
            Change::Concert(row) => state.put(&CONCERTS, &concert, &row)?,
            Change::Details(row) => state.put(&DETAILS, &concert, &row)?,
            Change::Section(id, row) => state.put(&SECTIONS, &(concert, id), &row)?,
            Change::Block(id, block, row) => state.put(&SEATS, &(concert, id, block), &row)?,
            Change::Stock(id, row) => state.put(&GENERAL, &(concert, id), &row)?,
            Change::Reservation(hash, row) => state.put(&RESERVATIONS, &(concert, hash), &row)?,
            Change::Forgotten(hash) => state.delete(&RESERVATIONS, &(concert, hash))?,
        }
    }
    Ok(())
}
