//! The Avro records of concerts as Rust types; a test ties each to its `.avsc` file.
//!
//! Fields stand in the schema's order with the schema's names. Times are unix milliseconds of the
//! log, money is in minor units of `currency`.

mod commands;
mod events;
mod listing;
mod results;
mod rows;

pub use commands::{BestAvailable, GeneralPlaces, HoldSeats, PutConcert, ReleaseHold, SectionPlan};
pub use events::{HoldExpired, HoldReleased, SeatsHeld};
pub use listing::ConcertListing;
pub use results::{CommandResult, FieldError, Rejection, ReservationView};
pub use rows::{
    Concert, ConcertDetails, GeneralStock, Place, Receipt, Reservation, ReservationState,
    SeatBlock, SeatGroup, Section,
};
