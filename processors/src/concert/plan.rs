//! What a concert's plan must look like: every bound in one place, every problem found at once.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::code::error;
use super::command::MAX_CONCERT_ID_BYTES;
use super::records::{FieldError, PutConcert, SectionPlan};
use super::seats::MAX_ROW_SEATS;

/// Most sections of a concert.
pub(super) const MAX_SECTIONS: usize = 1_000;
/// Most rows of a section.
pub(super) const MAX_ROWS: i32 = 1_000;
/// Most seats of all reserved-seating sections together.
pub(super) const MAX_SEATS: i64 = 200_000;
/// Most places of a general-admission section.
pub(super) const MAX_CAPACITY: i32 = 1_000_000;
/// Highest price in minor units, so that no sum of prices can leave 64 bits.
pub(super) const MAX_PRICE_MINOR: i64 = 1_000_000_000_000;
/// How long a hold may last.
pub const HOLD_SECONDS: RangeInclusive<i32> = 1..=3_600;
/// How many live seats a user may be allowed.
pub const SEATS_PER_USER: RangeInclusive<i32> = 1..=100;

const MAX_TEXT_CHARS: usize = 200;
const MAX_TIME_ZONE_BYTES: usize = 64;
const MAX_SECTION_ID_BYTES: usize = 16;

/// The last millisecond of the year 9999, which is the last that RFC 3339 can write.
const LAST_TIME_MS: i64 = 253_402_300_799_999;
/// A list of problems that nobody reads to its end is cut here.
const MAX_PROBLEMS: usize = 20;

/// Everything that is wrong with a plan; nothing: the concert can be made.
#[must_use]
pub(super) fn problems(concert: &str, plan: &PutConcert) -> Vec<FieldError> {
    let mut problems = Problems(Vec::new());
    problems.require(
        is_concert_id(concert),
        "concert",
        "must match [a-z0-9][a-z0-9._-]{0,63}",
    );
    texts(plan, &mut problems);
    times(plan, &mut problems);
    let currency =
        plan.currency.len() == 3 && plan.currency.bytes().all(|c| c.is_ascii_uppercase());
    problems.require(currency, "currency", "must be an ISO 4217 code such as KRW");
    let per_user = SEATS_PER_USER.contains(&plan.max_seats_per_user);
    problems.require(per_user, "max_seats_per_user", "must be 1 to 100");
    let hold = HOLD_SECONDS.contains(&plan.hold_seconds);
    problems.require(hold, "hold_seconds", "must be 1 to 3600");
    sections(plan, &mut problems);
    problems.0
}

struct Problems(Vec<FieldError>);

impl Problems {
    fn require(&mut self, holds: bool, field: impl Into<String>, detail: &str) {
        if !holds && self.0.len() < MAX_PROBLEMS {
            self.0.push(error(field, detail));
        }
    }
}

fn texts(plan: &PutConcert, problems: &mut Problems) {
    for (field, text) in [
        ("title", Some(&plan.title)),
        ("artist", Some(&plan.artist)),
        ("venue", Some(&plan.venue)),
        ("hall", plan.hall.as_ref()),
        ("run", plan.run.as_ref()),
    ] {
        let fits = text.is_none_or(|text| is_text(text));
        problems.require(fits, field, "must have 1 to 200 characters");
    }
    // Only the shape: whether a zone exists changes with the zone data that a machine has, and
    // replay must not depend on it. Ingress checks the name itself.
    let zone = is_time_zone(&plan.time_zone);
    problems.require(zone, "time_zone", "must be an IANA name such as Asia/Seoul");
}

fn times(plan: &PutConcert, problems: &mut Problems) {
    for (field, time) in [
        ("starts_at", plan.starts_at_ms),
        ("ends_at", plan.ends_at_ms),
        ("sale_opens_at", plan.sale_opens_at_ms),
        ("sale_closes_at", plan.sale_closes_at_ms),
    ] {
        let fits = (0..=LAST_TIME_MS).contains(&time);
        problems.require(fits, field, "must lie between the years 1970 and 9999");
    }
    let show = plan.starts_at_ms < plan.ends_at_ms;
    problems.require(show, "ends_at", "must be after starts_at");
    let sale = plan.sale_opens_at_ms < plan.sale_closes_at_ms;
    problems.require(sale, "sale_closes_at", "must be after sale_opens_at");
    let closes = plan.sale_closes_at_ms <= plan.ends_at_ms;
    problems.require(closes, "sale_closes_at", "must not be after ends_at");
}

fn sections(plan: &PutConcert, problems: &mut Problems) {
    let count = plan.sections.len();
    let fits = (1..=MAX_SECTIONS).contains(&count);
    problems.require(fits, "sections", "must be 1 to 1000 sections");
    let mut ids = BTreeSet::new();
    for (index, section) in plan.sections.iter().enumerate().take(MAX_SECTIONS) {
        let at = |field: &str| format!("sections[{index}].{field}");
        let first = ids.insert(section.id.as_str());
        problems.require(
            is_section_id(&section.id),
            at("id"),
            "must match [A-Za-z0-9]{1,16}",
        );
        problems.require(first, at("id"), "must be unique");
        problems.require(
            is_text(&section.name),
            at("name"),
            "must have 1 to 200 characters",
        );
        problems.require(
            is_text(&section.grade),
            at("grade"),
            "must have 1 to 200 characters",
        );
        let price = (0..=MAX_PRICE_MINOR).contains(&section.price_minor);
        problems.require(price, at("price_minor"), "must be 0 to 1000000000000");
        seating(section, at, problems);
    }
    let seats: i64 = plan
        .sections
        .iter()
        .map(seats_of)
        .fold(0, i64::saturating_add);
    problems.require(
        seats <= MAX_SEATS,
        "sections",
        "must have at most 200000 seats together",
    );
}

fn seating(section: &SectionPlan, at: impl Fn(&str) -> String, problems: &mut Problems) {
    match (section.rows, section.seats_per_row, section.capacity) {
        (Some(rows), Some(seats), None) => {
            let rows_fit = (1..=MAX_ROWS).contains(&rows);
            let seats_fit = (1..=i32::from(MAX_ROW_SEATS)).contains(&seats);
            problems.require(rows_fit, at("rows"), "must be 1 to 1000");
            problems.require(seats_fit, at("seats_per_row"), "must be 1 to 1000");
        }
        (None, None, Some(capacity)) => {
            let fits = (1..=MAX_CAPACITY).contains(&capacity);
            problems.require(fits, at("capacity"), "must be 1 to 1000000");
        }
        _ => problems.require(
            false,
            at("rows"),
            "must stand with seats_per_row and without capacity, or capacity must stand alone",
        ),
    }
}

fn seats_of(section: &SectionPlan) -> i64 {
    let factor = |number: Option<i32>| i64::from(number.unwrap_or(0).max(0));
    factor(section.rows).saturating_mul(factor(section.seats_per_row))
}

fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT_CHARS).contains(&text.chars().count())
}

fn is_concert_id(id: &str) -> bool {
    let starts = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let follows = |c: u8| starts(c) || b"._-".contains(&c);
    id.len() <= MAX_CONCERT_ID_BYTES
        && id.bytes().next().is_some_and(starts)
        && id.bytes().all(follows)
}

fn is_section_id(id: &str) -> bool {
    (1..=MAX_SECTION_ID_BYTES).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric())
}

fn is_time_zone(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"/_+-".contains(&c);
    name.len() <= MAX_TIME_ZONE_BYTES
        && name
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(fits))
}
