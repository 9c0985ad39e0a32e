//! Facts: what tasks published about concerts and reservations.

use std::rc::Rc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use stagedoor_avro::{AvroRecord, AvroView};
use stagedoor_processors::concert::records::{
    ConcertListing, GeneralPlaces, HoldExpired, HoldReleased, SeatsHeld,
};

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A concert was put on sale.
    Listed(Rc<str>, Box<ConcertListing>),
    /// A hold began.
    Held(Rc<Taken>, HoldTimes),
    /// Its owner gave a hold back, at this log time.
    Released(Rc<Taken>, i64),
    /// A hold expired, at this log time.
    Expired(Rc<Taken>, i64),
}

/// What a reservation takes, and whose it is. Every checker keeps some of its names, so they are
/// shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) reservation: Rc<str>,
    pub(crate) concert: Rc<str>,
    pub(crate) user: Rc<str>,
    pub(crate) seats: Vec<Rc<str>>,
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
        let event: HeldView<'_> = stagedoor_avro::view(value).ok()?;
        let (reservation, concert, user) = (event.reservation, event.concert, event.user);
        let times = HoldTimes {
            held_at_ms: event.held_at_ms,
            expires_at_ms: event.expires_at_ms,
        };
        let taken = taken([reservation, concert, user], &event.seats, event.general);
        Some(What::Held(taken, times))
    } else if name == HoldReleased::NAME {
        let event: ReleasedView<'_> = stagedoor_avro::view(value).ok()?;
        let names = [event.reservation, event.concert, event.user];
        let taken = taken(names, &event.seats, event.general);
        Some(What::Released(taken, event.released_at_ms))
    } else if name == HoldExpired::NAME {
        let event: ExpiredView<'_> = stagedoor_avro::view(value).ok()?;
        let names = [event.reservation, event.concert, event.user];
        let taken = taken(names, &event.seats, event.general);
        Some(What::Expired(taken, event.expired_at_ms))
    } else {
        None
    }
}

fn taken(
    [reservation, concert, user]: [&str; 3],
    seats: &[&str],
    general: Vec<GeneralPlaces>,
) -> Rc<Taken> {
    Rc::new(Taken {
        reservation: reservation.into(),
        concert: concert.into(),
        user: user.into(),
        seats: seats.iter().map(|seat| Rc::from(*seat)).collect(),
        general,
    })
}

/// Reads a record of the catalogue.
pub(crate) fn of_listing(key: &[u8], value: &[u8]) -> Option<What> {
    let concert = std::str::from_utf8(key).ok()?.into();
    let listing = stagedoor_avro::decode(value).ok()?;
    Some(What::Listed(concert, Box::new(listing)))
}

/// [`SeatsHeld`] where it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "SeatsHeld")]
struct HeldView<'a> {
    reservation: &'a str,
    concert: &'a str,
    user: &'a str,
    #[serde(borrow)]
    seats: Vec<&'a str>,
    general: Vec<GeneralPlaces>,
    amount_minor: IgnoredAny,
    currency: IgnoredAny,
    held_at_ms: i64,
    expires_at_ms: i64,
}

/// [`HoldReleased`] where it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "HoldReleased")]
struct ReleasedView<'a> {
    reservation: &'a str,
    concert: &'a str,
    user: &'a str,
    #[serde(borrow)]
    seats: Vec<&'a str>,
    general: Vec<GeneralPlaces>,
    released_at_ms: i64,
}

/// [`HoldExpired`] where it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "HoldExpired")]
struct ExpiredView<'a> {
    reservation: &'a str,
    concert: &'a str,
    user: &'a str,
    #[serde(borrow)]
    seats: Vec<&'a str>,
    general: Vec<GeneralPlaces>,
    expired_at_ms: i64,
}

impl<'a> AvroView<'a> for HeldView<'a> {
    const NAME: &'static str = SeatsHeld::NAME;
}

impl<'a> AvroView<'a> for ReleasedView<'a> {
    const NAME: &'static str = HoldReleased::NAME;
}

impl<'a> AvroView<'a> for ExpiredView<'a> {
    const NAME: &'static str = HoldExpired::NAME;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed<R: AvroRecord>(record: &R) -> Vec<u8> {
        let mut bytes = Vec::new();
        stagedoor_avro::encode(record, &mut bytes).unwrap();
        bytes
    }

    fn texts(numbers: std::ops::Range<i32>) -> Vec<String> {
        numbers.map(|number| format!("text {number}")).collect()
    }

    #[test]
    fn every_event_is_read_where_it_stands_as_its_record_was_written() {
        let general = vec![GeneralPlaces {
            section: "G".to_owned(),
            quantity: 3,
        }];
        let [reservation, concert, user] = texts(0..3).try_into().unwrap();
        let expected = Taken {
            reservation: reservation.as_str().into(),
            concert: concert.as_str().into(),
            user: user.as_str().into(),
            seats: texts(3..5)
                .iter()
                .map(|seat| seat.as_str().into())
                .collect(),
            general: general.clone(),
        };
        let held = SeatsHeld {
            reservation,
            concert,
            user,
            seats: texts(3..5),
            general,
            amount_minor: 7,
            currency: "EUR".to_owned(),
            held_at_ms: 8,
            expires_at_ms: 9,
        };
        let released = HoldReleased {
            reservation: held.reservation.clone(),
            concert: held.concert.clone(),
            user: held.user.clone(),
            seats: held.seats.clone(),
            general: held.general.clone(),
            released_at_ms: 10,
        };
        let expired = HoldExpired {
            reservation: held.reservation.clone(),
            concert: held.concert.clone(),
            user: held.user.clone(),
            seats: held.seats.clone(),
            general: held.general.clone(),
            expired_at_ms: 11,
        };
        let Some(What::Held(taken, times)) = of_event(&framed(&held)) else {
            panic!("a hold")
        };
        assert_eq!(
            (&*taken, times.held_at_ms, times.expires_at_ms),
            (&expected, 8, 9)
        );
        let Some(What::Released(taken, 10)) = of_event(&framed(&released)) else {
            panic!("a release")
        };
        assert_eq!(*taken, expected);
        let Some(What::Expired(taken, 11)) = of_event(&framed(&expired)) else {
            panic!("an expiry")
        };
        assert_eq!(*taken, expected);
    }
}
