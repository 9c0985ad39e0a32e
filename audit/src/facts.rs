//! Facts: what tasks published about concerts and reservations.

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{
    ConcertListing, GeneralPlaces, HoldExpired, HoldReleased, SeatsHeld,
};

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A concert was put on sale.
    Listed(String, Box<ConcertListing>),
    /// A hold began.
    Held(Taken, HoldTimes),
    /// Its owner gave a hold back, at this log time.
    Released(Taken, i64),
    /// A hold expired, at this log time.
    Expired(Taken, i64),
}

/// What a reservation takes, and whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) reservation: String,
    pub(crate) concert: String,
    pub(crate) user: String,
    pub(crate) seats: Vec<String>,
    pub(crate) general: Vec<GeneralPlaces>,
}

/// When a hold began and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldTimes {
    pub(crate) held_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

impl Taken {
    /// Seats and places together.
    pub(crate) fn quantity(&self) -> i64 {
        let places: i64 = self
            .general
            .iter()
            .map(|general| i64::from(general.quantity))
            .sum();
        i64::try_from(self.seats.len())
            .unwrap_or(i64::MAX)
            .saturating_add(places)
    }
}

/// Reads a record of the events topic; `None` if it is none that is known.
pub(crate) fn of_event(value: &[u8]) -> Option<What> {
    let name = stagedoor_avro::schema_of(value).ok()?.name;
    if name == SeatsHeld::NAME {
        let event: SeatsHeld = stagedoor_avro::decode(value).ok()?;
        let times = HoldTimes {
            held_at_ms: event.held_at_ms,
            expires_at_ms: event.expires_at_ms,
        };
        let SeatsHeld {
            reservation,
            concert,
            user,
            seats,
            general,
            ..
        } = event;
        Some(What::Held(
            Taken {
                reservation,
                concert,
                user,
                seats,
                general,
            },
            times,
        ))
    } else if name == HoldReleased::NAME {
        let event: HoldReleased = stagedoor_avro::decode(value).ok()?;
        let HoldReleased {
            reservation,
            concert,
            user,
            seats,
            general,
            released_at_ms,
        } = event;
        Some(What::Released(
            Taken {
                reservation,
                concert,
                user,
                seats,
                general,
            },
            released_at_ms,
        ))
    } else if name == HoldExpired::NAME {
        let event: HoldExpired = stagedoor_avro::decode(value).ok()?;
        let HoldExpired {
            reservation,
            concert,
            user,
            seats,
            general,
            expired_at_ms,
        } = event;
        Some(What::Expired(
            Taken {
                reservation,
                concert,
                user,
                seats,
                general,
            },
            expired_at_ms,
        ))
    } else {
        None
    }
}

/// Reads a record of the catalogue.
pub(crate) fn of_listing(key: &[u8], value: &[u8]) -> Option<What> {
    let concert = std::str::from_utf8(key).ok()?.to_owned();
    let listing = stagedoor_avro::decode(value).ok()?;
    Some(What::Listed(concert, Box::new(listing)))
}
