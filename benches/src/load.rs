//! The load as records: concerts on sale, holds of a mix, and the one concert in which every hold
//! succeeds.

use stagedoor_avro::AvroRecord;
use stagedoor_bench::mix::{GENERAL_SECTION, PRICE_MINOR, SEATS_PER_USER, Section, Wish};
use stagedoor_processors::concert::records::{GeneralPlaces, HoldSeats, PutConcert, SectionPlan};

/// Id of the concert, and key of every command.
pub(crate) const CONCERT: &str = "bench";

const ROWS: i32 = 20;
const SEATS_PER_ROW: i32 = 20;
const SEATS_PER_SECTION: u32 = 400;

/// End of every sale, in milliseconds.
pub(crate) const SALE_CLOSES_AT_MS: i64 = 3_999_000_000_000;

/// A concert with at least `seats` seats, in sections of 400, on sale now.
pub(crate) fn concert(seats: u32) -> PutConcert {
    let sections = seats.div_ceil(SEATS_PER_SECTION);
    on_sale("put".to_owned(), 3600, (0..sections).map(section).collect())
}

/// A concert that is on sale from the start of time.
pub(crate) fn on_sale(
    command_id: String,
    hold_seconds: i32,
    sections: Vec<SectionPlan>,
) -> PutConcert {
    PutConcert {
        user: "organiser".to_owned(),
        command_id,
        title: "Bench".to_owned(),
        artist: "Nobody".to_owned(),
        venue: "Nowhere".to_owned(),
        time_zone: "UTC".to_owned(),
        starts_at_ms: 4_000_000_000_000,
        ends_at_ms: 4_000_010_000_000,
        sale_opens_at_ms: 0,
        sale_closes_at_ms: SALE_CLOSES_AT_MS,
        currency: "EUR".to_owned(),
        max_seats_per_user: i32::try_from(SEATS_PER_USER).unwrap_or(i32::MAX),
        hold_seconds,
        sections,
        ..PutConcert::default()
    }
}

/// What a concert of a mix sells.
pub(crate) fn section_plans(sections: Vec<Section>) -> anyhow::Result<Vec<SectionPlan>> {
    let small = |number: Option<u64>| number.map(i32::try_from).transpose();
    let plan = |section: Section| {
        Ok(SectionPlan {
            name: section.id.clone(),
            id: section.id,
            grade: "A".to_owned(),
            price_minor: PRICE_MINOR,
            rows: small(section.rows.map(|(rows, _)| rows))?,
            seats_per_row: small(section.rows.map(|(_, seats)| seats))?,
            capacity: small(section.capacity)?,
        })
    };
    sections.into_iter().map(plan).collect()
}

/// A hold of a mix.
pub(crate) fn hold_of(user: String, command_id: String, wish: Wish) -> HoldSeats {
    let mut hold = HoldSeats {
        user,
        command_id,
        ..HoldSeats::default()
    };
    match wish {
        Wish::Seats {
            section,
            row,
            first,
            quantity,
        } => {
            let labels =
                (first..first + quantity).map(|number| format!("S{section}-{row}-{number}"));
            hold.seats = labels.collect();
        }
        Wish::Place => {
            hold.general = Some(GeneralPlaces {
                section: GENERAL_SECTION.to_owned(),
                quantity: 1,
            });
        }
    }
    hold
}

fn section(index: u32) -> SectionPlan {
    SectionPlan {
        id: format!("S{index}"),
        name: format!("Section {index}"),
        grade: "A".to_owned(),
        price_minor: PRICE_MINOR,
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
