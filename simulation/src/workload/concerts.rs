//! The concerts of a run.

use crate::random::Random;
use crate::script::{Plan, Seating};

const HOUR_MS: i64 = 3_600_000;

/// Makes up a concert whose sale begins about now.
pub(super) fn concert(random: &mut Random, now_ms: i64) -> Plan {
    let opens_ms = now_ms + random.weighted(&[(6, 0), (2, 2_000), (1, 30_000)]);
    let lasts_ms = random.weighted(&[(1, 20_000), (2, HOUR_MS), (9, 1_000 * HOUR_MS)]);
    let mut sections = Vec::new();
    for id in ["A", "B"]
        .iter()
        .take(random.weighted(&[(1, 0), (4, 1), (4, 2)]))
    {
        let (rows, seats) = (random.between(1, 4), random.between(2, 6));
        sections.push((
            (*id).to_owned(),
            rows_of(rows, seats),
            random.between(0, 9) * 50,
        ));
    }
    if sections.is_empty() || random.in_a_thousand(500) {
        let places = i32::try_from(random.between(2, 20)).unwrap_or(2);
        sections.push(("GA".to_owned(), Seating::Places(places), 30));
    }
    if random.in_a_thousand(300) {
        // General admission may stand first: requests for any section pass it over.
        sections.reverse();
    }
    Plan {
        opens_ms,
        closes_ms: opens_ms + lasts_ms,
        limit: random.weighted(&[(1, 1), (2, 2), (6, 4), (3, 6)]),
        hold_seconds: random.weighted(&[(3, 2), (3, 10), (2, 60), (1, 600)]),
        sections,
        crowd: 0,
    }
}

fn rows_of(rows: i64, seats: i64) -> Seating {
    let small = |number: i64| i32::try_from(number).unwrap_or(1);
    Seating::Rows(small(rows), small(seats))
}

/// The same concert with something else in it.
pub(super) fn other(plan: &Plan, random: &mut Random) -> Plan {
    let mut other = plan.clone();
    match random.below(3) {
        0 => other.limit += 1,
        1 => other.hold_seconds += 1,
        _ => other.sections.push(("Z".to_owned(), Seating::Places(1), 1)),
    }
    other
}

/// A concert with something wrong in it.
pub(super) fn wrong(plan: &Plan, random: &mut Random) -> Plan {
    let mut wrong = plan.clone();
    match random.below(7) {
        0 => wrong.limit = 0,
        1 => wrong.hold_seconds = 3_601,
        2 => wrong.sections.clear(),
        3 => wrong.closes_ms = wrong.opens_ms,
        4 => wrong
            .sections
            .push(("A-1".to_owned(), Seating::Places(1), 1)),
        5 => wrong.sections.extend(plan.sections.clone()),
        _ => wrong
            .sections
            .push(("Z".to_owned(), Seating::Rows(0, 5), -1)),
    }
    wrong
}
