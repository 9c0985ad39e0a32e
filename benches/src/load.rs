//! The load: one concert that is large enough, and holds that all succeed.

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{HoldSeats, PutConcert, SectionPlan};

/// Id of the concert, and key of every command.
pub(crate) const CONCERT: &str = "bench";

const ROWS: i32 = 20;
const SEATS_PER_ROW: i32 = 20;
const SEATS_PER_SECTION: u32 = 400;

/// A concert with at least `seats` seats, in sections of 400, on sale now.
pub(crate) fn concert(seats: u32) -> PutConcert {
    let sections = seats.div_ceil(SEATS_PER_SECTION);
    PutConcert {
        user: "organiser".to_owned(),
        command_id: "put".to_owned(),
        title: "Bench".to_owned(),
        artist: "Nobody".to_owned(),
        venue: "Nowhere".to_owned(),
        time_zone: "UTC".to_owned(),
        starts_at_ms: 4_000_000_000_000,
        ends_at_ms: 4_000_010_000_000,
        sale_opens_at_ms: 0,
        sale_closes_at_ms: 3_999_000_000_000,
        currency: "EUR".to_owned(),
        max_seats_per_user: 4,
        hold_seconds: 3600,
        sections: (0..sections).map(section).collect(),
        ..PutConcert::default()
    }
}

fn section(index: u32) -> SectionPlan {
    SectionPlan {
        id: format!("S{index}"),
        name: format!("Section {index}"),
        grade: "A".to_owned(),
        price_minor: 15_000,
        rows: Some(ROWS),
        seats_per_row: Some(SEATS_PER_ROW),
        capacity: None,
    }
}

/// The `index`-th hold: one seat of its own for a user of its own, neighbours far apart.
pub(crate) fn hold(index: u32, holds: u32) -> HoldSeats {
    let sections = holds.div_ceil(SEATS_PER_SECTION);
    let (section, place) = (index % sections, index / sections);
    let (row, number) = (place / 20 + 1, place % 20 + 1);
    HoldSeats {
        user: format!("user-{index}"),
        command_id: format!("key-{index}"),
        seats: vec![format!("S{section}-{row}-{number}")],
        ..HoldSeats::default()
    }
}

/// The framed bytes of a command.
pub(crate) fn encoded<R: AvroRecord>(command: &R) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64);
    stagedoor_avro::encode(command, &mut bytes)?;
    Ok(bytes)
}
