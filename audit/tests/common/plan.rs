//! What every concert of the samples and of the topics in memory has in common.

use stagedoor_processors::concert::records::{PutConcert, SectionPlan};

/// A concert on sale from the start of time.
pub(crate) fn plan(
    hold_seconds: i32,
    max_seats_per_user: i32,
    sections: Vec<SectionPlan>,
) -> PutConcert {
    PutConcert {
        user: "organiser".to_owned(),
        command_id: "put".to_owned(),
        title: "Sample".to_owned(),
        artist: "Nobody".to_owned(),
        venue: "Nowhere".to_owned(),
        time_zone: "UTC".to_owned(),
        starts_at_ms: 4_000_000_000_000,
        ends_at_ms: 4_000_010_000_000,
        sale_closes_at_ms: 3_999_000_000_000,
        currency: "EUR".to_owned(),
        max_seats_per_user,
        hold_seconds,
        sections,
        ..PutConcert::default()
    }
}
