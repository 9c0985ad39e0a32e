//! A section as people see it: rows of seats, each of which somebody has or nobody.

use stagedoor_processors::concert::records::SectionPlan;
use stagedoor_processors::id::Hash;

/// A seat: row and number, from 1.
pub(super) type Seat = (usize, usize);

/// A section.
#[derive(Debug, Clone)]
pub(super) struct Hall {
    pub(super) id: String,
    pub(super) price: i64,
    /// Who has which seat. Empty for general admission.
    pub(super) rows: Vec<Vec<Option<Hash>>>,
    /// Places of general admission.
    pub(super) capacity: Option<i32>,
    /// Those of them that are in live holds.
    pub(super) places_held: i32,
}

impl Hall {
    pub(super) fn new(plan: &SectionPlan) -> Self {
        let count = |number: Option<i32>| usize::try_from(number.unwrap_or(0)).unwrap_or(0);
        Self {
            id: plan.id.clone(),
            price: plan.price_minor,
            rows: vec![vec![None; count(plan.seats_per_row)]; count(plan.rows)],
            capacity: plan.capacity,
            places_held: 0,
        }
    }

    /// The seat of a label, if there is one. Numbers are written in one way only.
    pub(super) fn seat(&self, label: &str) -> Option<Seat> {
        let (row, number) = label
            .strip_prefix(self.id.as_str())?
            .strip_prefix('-')?
            .split_once('-')?;
        let seat: Seat = (row.parse().ok()?, number.parse().ok()?);
        let exists = seat.0 >= 1
            && seat.1 >= 1
            && self
                .rows
                .get(seat.0 - 1)
                .is_some_and(|row| seat.1 <= row.len());
        (exists && self.label(seat) == label).then_some(seat)
    }

    pub(super) fn label(&self, (row, number): Seat) -> String {
        format!("{}-{row}-{number}", self.id)
    }

    pub(super) fn is_free(&self, (row, number): Seat) -> bool {
        self.rows[row - 1][number - 1].is_none()
    }

    /// Which seats are free, row by row.
    pub(super) fn free(&self) -> Vec<Vec<bool>> {
        let row = |row: &Vec<Option<Hash>>| row.iter().map(Option::is_none).collect();
        self.rows.iter().map(row).collect()
    }

    /// Number of free seats or places.
    pub(super) fn free_count(&self) -> i64 {
        let seats = self
            .rows
            .iter()
            .flatten()
            .filter(|owner| owner.is_none())
            .count();
        let places = self
            .capacity
            .map_or(0, |capacity| capacity - self.places_held);
        i64::try_from(seats).unwrap_or(i64::MAX) + i64::from(places)
    }

    /// Gives a seat to a hold, or takes it back.
    pub(super) fn set(&mut self, (row, number): Seat, owner: Option<Hash>) {
        self.rows[row - 1][number - 1] = owner;
    }
}
