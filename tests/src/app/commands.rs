//! Commands of one small concert.

use stagedoor_processors::concert::records::{
    BestAvailable, HoldSeats, PutConcert, ReleaseHold, SectionPlan,
};

/// The concert's id, and the key of its commands.
pub const CONCERT: &str = "night-one";

/// Twenty rows of twenty-five seats, on sale from now on; a hold lasts an hour.
#[must_use]
pub fn concert() -> PutConcert {
    concert_with_holds_of(3600)
}

/// The same with another length of a hold.
#[must_use]
pub fn concert_with_holds_of(seconds: i32) -> PutConcert {
    PutConcert {
        user: "organiser".to_owned(),
        command_id: "put".to_owned(),
        title: "Night one".to_owned(),
        artist: "Nobody".to_owned(),
        venue: "Nowhere".to_owned(),
        time_zone: "UTC".to_owned(),
        starts_at_ms: 4_000_000_000_000,
        ends_at_ms: 4_000_010_000_000,
        sale_opens_at_ms: 0,
        sale_closes_at_ms: 3_999_000_000_000,
        currency: "EUR".to_owned(),
        max_seats_per_user: 4,
        hold_seconds: seconds,
        sections: vec![SectionPlan {
            id: "A".to_owned(),
            name: "Section A".to_owned(),
            grade: "A".to_owned(),
            price_minor: 15_000,
            rows: Some(20),
            seats_per_row: Some(25),
            capacity: None,
        }],
        ..PutConcert::default()
    }
}

/// A hold of a seat of one's own, for users and seats counted from 0 to 499.
#[must_use]
pub fn hold(number: usize) -> HoldSeats {
    let (row, seat) = (number / 25 + 1, number % 25 + 1);
    HoldSeats {
        user: format!("user-{number}"),
        command_id: format!("hold-{number}"),
        seats: vec![format!("A-{row}-{seat}")],
        ..HoldSeats::default()
    }
}

/// A hold of the best two seats.
#[must_use]
pub fn best(number: usize) -> HoldSeats {
    HoldSeats {
        user: format!("best-{number}"),
        command_id: format!("best-{number}"),
        best: Some(BestAvailable {
            quantity: 2,
            section: None,
            split: true,
        }),
        ..HoldSeats::default()
    }
}

/// The release of a reservation of [`hold`].
#[must_use]
pub fn release(number: usize, reservation: &str) -> ReleaseHold {
    ReleaseHold {
        user: format!("user-{number}"),
        command_id: format!("release-{number}"),
        reservation: reservation.to_owned(),
    }
}
