//! Hand-made histories and runs, whole and broken, for the tests of the checkers.

#[path = "../../tests/common/plan.rs"]
mod plan;
mod sale;
mod story;

use stagedoor_processors::concert::queries::{Counts, SeatMap, SectionSeats};
use stagedoor_processors::concert::records::SectionPlan;

use crate::report::Report;

pub(crate) use sale::{Run, contents_at, store_at};
pub(crate) use story::Story;

/// The report of one checker.
pub(crate) fn found(check: impl FnOnce(&mut Report)) -> Report {
    let mut report = Report::default();
    check(&mut report);
    report
}

/// The sections of every story: four seats in A, five places in G.
fn sections() -> Vec<SectionPlan> {
    let plan = |id: &str| SectionPlan {
        id: id.to_owned(),
        name: id.to_owned(),
        grade: id.to_owned(),
        ..SectionPlan::default()
    };
    vec![
        SectionPlan {
            rows: Some(2),
            seats_per_row: Some(2),
            ..plan("A")
        },
        SectionPlan {
            capacity: Some(5),
            ..plan("G")
        },
    ]
}

/// What readers would see of the story's concert.
pub(crate) fn map(seats: &str, places: u32) -> SeatMap {
    let held = u32::try_from(seats.matches('1').count()).unwrap();
    let section = |id: &str, seats: &str, held: u32, all: u32| SectionSeats {
        id: id.to_owned(),
        seats: seats.to_owned(),
        counts: Counts {
            free: all.saturating_sub(held),
            held,
            ..Counts::default()
        },
    };
    let sections = vec![section("A", seats, held, 4), section("G", "", places, 5)];
    SeatMap {
        version: 1,
        sections,
    }
}
