//! A concert in one line: the fields that rules look at; the others follow from its id.

use std::fmt;

use stagedoor_processors::concert::records::{PutConcert, SectionPlan};

use crate::workload::START_MS;

/// What an organiser puts on sale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// The sale, in milliseconds from the start of the world.
    pub(crate) opens_ms: i64,
    pub(crate) closes_ms: i64,
    /// Seats of one user.
    pub(crate) limit: i32,
    /// How long a hold lasts, in seconds.
    pub(crate) hold_seconds: i32,
    pub(crate) sections: Vec<(String, Seating, i64)>,
    /// So many small sections more: a concert whose listing is too large to be published.
    pub(crate) crowd: u16,
}

/// How people are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seating {
    /// Rows, and seats in each.
    Rows(i32, i32),
    /// Places without numbers.
    Places(i32),
}

impl Plan {
    /// The command, apart from its sender and its id.
    pub(crate) fn command(&self, concert: &str) -> PutConcert {
        let crowd =
            (0..self.crowd).map(|number| section(&format!("X{number}"), Seating::Places(1), 1));
        let own = self
            .sections
            .iter()
            .map(|(id, seating, price)| section(id, *seating, *price));
        PutConcert {
            title: format!("Title of {concert}"),
            artist: "Artist".to_owned(),
            venue: "Venue".to_owned(),
            hall: Some("Hall".to_owned()),
            run: None,
            time_zone: "Asia/Seoul".to_owned(),
            starts_at_ms: START_MS + self.closes_ms,
            ends_at_ms: START_MS + self.closes_ms + 7_200_000,
            sale_opens_at_ms: START_MS + self.opens_ms,
            sale_closes_at_ms: START_MS + self.closes_ms,
            currency: "KRW".to_owned(),
            max_seats_per_user: self.limit,
            hold_seconds: self.hold_seconds,
            sections: own.chain(crowd).collect(),
            ..PutConcert::default()
        }
    }
}

fn section(id: &str, seating: Seating, price_minor: i64) -> SectionPlan {
    let plan = SectionPlan {
        id: id.to_owned(),
        name: format!("Section {id}"),
        grade: "S".to_owned(),
        price_minor,
        ..SectionPlan::default()
    };
    match seating {
        Seating::Rows(rows, seats) => SectionPlan {
            rows: Some(rows),
            seats_per_row: Some(seats),
            ..plan
        },
        Seating::Places(capacity) => SectionPlan {
            capacity: Some(capacity),
            ..plan
        },
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "opens {} closes {} limit {} hold {}",
            self.opens_ms, self.closes_ms, self.limit, self.hold_seconds
        )?;
        for (id, seating, price) in &self.sections {
            match seating {
                Seating::Rows(rows, seats) => write!(f, " {id}:{rows}x{seats}:{price}")?,
                Seating::Places(capacity) => write!(f, " {id}:{capacity}:{price}")?,
            }
        }
        if self.crowd > 0 {
            write!(f, " crowd {}", self.crowd)?;
        }
        Ok(())
    }
}
