//! What a concert must be like, field by field.

use std::collections::BTreeSet;

use stagedoor_processors::concert::records::{PutConcert, SectionPlan};

use super::expected::Refusal;

/// The last millisecond of the year 9999.
const LAST_TIME_MS: i64 = 253_402_300_799_999;

/// Refuses a concert with the fields that are wrong.
pub(super) fn check(id: &str, plan: &PutConcert) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, field: &str| {
        if !holds && wrong.len() < 20 {
            wrong.push(field.to_owned());
        }
    };
    let head = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let tail = |c: char| head(c) || "._-".contains(c);
    must(id.starts_with(head) && id.chars().all(tail), "concert");
    must(text(&plan.title), "title");
    must(text(&plan.artist), "artist");
    must(text(&plan.venue), "venue");
    must(plan.hall.as_deref().is_none_or(text), "hall");
    must(plan.run.as_deref().is_none_or(text), "run");
    must(
        !plan.time_zone.is_empty() && plan.time_zone.len() <= 64,
        "time_zone",
    );
    let year = |time: i64| (0..=LAST_TIME_MS).contains(&time);
    must(year(plan.starts_at_ms), "starts_at");
    must(year(plan.ends_at_ms), "ends_at");
    must(year(plan.sale_opens_at_ms), "sale_opens_at");
    must(year(plan.sale_closes_at_ms), "sale_closes_at");
    must(plan.starts_at_ms < plan.ends_at_ms, "ends_at");
    must(
        plan.sale_opens_at_ms < plan.sale_closes_at_ms,
        "sale_closes_at",
    );
    must(plan.sale_closes_at_ms <= plan.ends_at_ms, "sale_closes_at");
    let currency = plan.currency.chars().all(|c| c.is_ascii_uppercase());
    must(currency && plan.currency.len() == 3, "currency");
    must(
        (1..=100).contains(&plan.max_seats_per_user),
        "max_seats_per_user",
    );
    must((1..=3_600).contains(&plan.hold_seconds), "hold_seconds");
    must((1..=1_000).contains(&plan.sections.len()), "sections");
    let mut ids = BTreeSet::new();
    for (at, section) in plan.sections.iter().enumerate() {
        let field = |name: &str| format!("sections[{at}].{name}");
        let name = section.id.chars().all(|c| c.is_ascii_alphanumeric());
        must(name && (1..=16).contains(&section.id.len()), &field("id"));
        must(ids.insert(&section.id), &field("id"));
        must(text(&section.name), &field("name"));
        must(text(&section.grade), &field("grade"));
        must(
            (0..=1_000_000_000_000).contains(&section.price_minor),
            &field("price_minor"),
        );
        for part in seating(section) {
            must(false, &field(part));
        }
    }
    let seats = |section: &SectionPlan| {
        let count = |number: Option<i32>| i64::from(number.unwrap_or(0).max(0));
        count(section.rows) * count(section.seats_per_row)
    };
    must(
        plan.sections.iter().map(seats).sum::<i64>() <= 200_000,
        "sections",
    );
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Refusal::fields(wrong)),
    }
}

fn text(text: &str) -> bool {
    (1..=200).contains(&text.chars().count())
}

/// The parts of a section's seating that are wrong.
fn seating(section: &SectionPlan) -> Vec<&'static str> {
    match (section.rows, section.seats_per_row, section.capacity) {
        (Some(rows), Some(seats), None) => {
            let parts = [(rows, "rows"), (seats, "seats_per_row")];
            let wrong = parts
                .iter()
                .filter(|(count, _)| !(1..=1_000).contains(count));
            wrong.map(|(_, name)| *name).collect()
        }
        (None, None, Some(capacity)) if (1..=1_000_000).contains(&capacity) => Vec::new(),
        (None, None, Some(_)) => vec!["capacity"],
        _ => vec!["rows"],
    }
}
