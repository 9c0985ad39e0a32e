//! Layouts of concerts, kept in memory for ever: they never change.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Deserialize;

use crate::ledger::Ledger;
use crate::problem::Problem;

/// What of a concert's plan a hold needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Plan {
    pub(crate) currency: String,
    #[serde(default = "four")]
    pub(crate) max_seats_per_user: i32,
    #[serde(default = "five_minutes")]
    pub(crate) hold_seconds: i32,
    sale_opens_at: jiff::Timestamp,
    sale_closes_at: jiff::Timestamp,
    sections: Vec<Section>,
}

/// A section with numbered seats.
#[derive(Debug, Deserialize)]
struct Section {
    id: String,
    price_minor: i64,
    rows: i32,
    seats_per_row: i32,
}

const fn four() -> i32 {
    4
}

const fn five_minutes() -> i32 {
    300
}

/// A concert on sale.
#[derive(Debug)]
pub(crate) struct Hall {
    /// Its number in the database.
    pub(crate) number: i32,
    pub(crate) plan: Plan,
    /// Section id: its place in the plan, and the number of its first seat.
    sections: HashMap<String, (usize, i32)>,
}

/// Seats of a request as the servers know them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Numbers in the order of the request.
    pub(crate) seats: Vec<i32>,
    pub(crate) amount_minor: i64,
}

impl Hall {
    pub(crate) fn new(number: i32, plan: Plan) -> Self {
        let mut sections = HashMap::with_capacity(plan.sections.len());
        let mut first = 0;
        for (place, section) in plan.sections.iter().enumerate() {
            sections.insert(section.id.clone(), (place, first));
            first += section.rows * section.seats_per_row;
        }
        Self {
            number,
            plan,
            sections,
        }
    }

    /// Number of seats of all sections.
    pub(crate) fn seats(plan: &Plan) -> i32 {
        let of = |section: &Section| section.rows * section.seats_per_row;
        plan.sections.iter().map(of).sum()
    }

    /// 409 outside of the sale window.
    pub(crate) fn on_sale(&self) -> Result<(), Problem> {
        let now = jiff::Timestamp::now();
        if now < self.plan.sale_opens_at {
            return Err(Problem::new(409, "sale_not_open", "the sale has not begun"));
        }
        if now >= self.plan.sale_closes_at {
            return Err(Problem::new(409, "sale_closed", "the sale is over"));
        }
        Ok(())
    }

    /// The seats behind labels such as `A-3-7`; 422 where there is none, or one is named twice.
    pub(crate) fn wanted(&self, labels: &[String]) -> Result<Wanted, Problem> {
        let mut wanted = Wanted {
            seats: Vec::with_capacity(labels.len()),
            amount_minor: 0,
        };
        for label in labels {
            let (seat, price) = self.find(label).ok_or_else(|| {
                let detail = format!("the concert has no seat {label:?}");
                Problem::new(422, "unknown_seat", detail)
            })?;
            if wanted.seats.contains(&seat) {
                let detail = format!("seats: {label} is in the request twice");
                return Err(Problem::new(422, "invalid_request", detail));
            }
            wanted.seats.push(seat);
            wanted.amount_minor += price;
        }
        Ok(wanted)
    }

    fn find(&self, label: &str) -> Option<(i32, i64)> {
        let (rest, number) = label.rsplit_once('-')?;
        let (section, row) = rest.rsplit_once('-')?;
        let (row, number): (i32, i32) = (row.parse().ok()?, number.parse().ok()?);
        let (place, first) = *self.sections.get(section)?;
        let section = &self.plan.sections[place];
        let inside =
            (1..=section.rows).contains(&row) && (1..=section.seats_per_row).contains(&number);
        let seat = first + (row - 1) * section.seats_per_row + number - 1;
        inside.then_some((seat, section.price_minor))
    }
}

/// The halls that were asked for so far.
#[derive(Default)]
pub(crate) struct Halls(RwLock<HashMap<String, Arc<Hall>>>);

impl Halls {
    /// The hall of a concert, read from the database the first time.
    pub(crate) async fn get(&self, concert: &str, ledger: &Ledger) -> Result<Arc<Hall>, Problem> {
        if let Some(hall) = self.0.read().get(concert) {
            return Ok(Arc::clone(hall));
        }
        let found = ledger.plan(concert).await?;
        let (number, plan) = found.ok_or_else(|| {
            let detail = format!("there is no concert {concert:?}");
            Problem::new(404, "concert_not_found", detail)
        })?;
        let plan = serde_json::from_str(&plan).map_err(|error| Problem::unavailable(&error))?;
        let hall = Arc::new(Hall::new(number, plan));
        self.0.write().insert(concert.to_owned(), Arc::clone(&hall));
        Ok(hall)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hall() -> Hall {
        let plan = json!({
            "currency": "EUR",
            "sale_opens_at": "2020-01-01T00:00:00Z", "sale_closes_at": "2099-01-01T00:00:00Z",
            "sections": [
                {"id": "A", "price_minor": 10, "rows": 2, "seats_per_row": 3},
                {"id": "B", "price_minor": 7, "rows": 1, "seats_per_row": 2}
            ]
        });
        Hall::new(1, serde_json::from_value(plan).unwrap())
    }

    fn wanted(labels: &[&str]) -> Result<Wanted, Problem> {
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        hall().wanted(&labels)
    }

    #[test]
    fn seats_are_numbered_through_over_sections() {
        let found = wanted(&["A-1-1", "A-2-3", "B-1-1", "B-1-2"]).unwrap();
        assert_eq!(found.seats, [0, 5, 6, 7]);
        assert_eq!(found.amount_minor, 34);
        assert_eq!(Hall::seats(&hall().plan), 8);
    }

    #[test]
    fn seats_that_are_not_there_are_refused() {
        for label in ["A-3-1", "A-1-4", "A-0-1", "C-1-1", "A-1", "", "A-1-x"] {
            assert_eq!(
                wanted(&[label]).unwrap_err().code(),
                "unknown_seat",
                "{label}"
            );
        }
        let twice = wanted(&["A-1-1", "A-1-1"]).unwrap_err();
        assert_eq!(twice.code(), "invalid_request");
    }
}
