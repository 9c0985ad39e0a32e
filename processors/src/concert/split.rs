//! Best available over several rows, for requests that may be split.

use std::cmp::Reverse;

use super::best_available::{Blocks, free_rows, place, places};
use super::free_row::{FreeRow, Group};
use super::records::Place;
use super::seats::Layout;

/// A row with anything free, and its best group of every size (index = size).
struct Row<const WORDS: usize> {
    row: u16,
    free: FreeRow<WORDS>,
    groups: Vec<Option<Group>>,
}

impl<const WORDS: usize> Row<WORDS> {
    fn new(row: u16, free: FreeRow<WORDS>, quantity: usize) -> Self {
        let mut groups = vec![None];
        groups.extend((1..=quantity).map_while(|seats| free.best_group(seats).map(Some)));
        Self { row, free, groups }
    }

    /// Seats of its largest group.
    fn largest(&self) -> usize {
        self.groups.len() - 1
    }
}

/// One group in each of some rows, judged field by field: lower is better.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Choice {
    singles: u32,
    rows: Vec<u16>,
    off_centre: usize,
    groups: Vec<(usize, Reverse<usize>)>,
}

impl Choice {
    /// This choice with a group in a lower row in front.
    fn with(&self, row: u16, group: Group, seats: usize) -> Self {
        let mut rows = Vec::with_capacity(self.rows.len() + 1);
        rows.push(row);
        rows.extend_from_slice(&self.rows);
        let mut groups = Vec::with_capacity(self.groups.len() + 1);
        groups.push((group.start, Reverse(seats)));
        groups.extend_from_slice(&self.groups);
        let off_centre = self.off_centre + group.off_centre;
        Self {
            singles: self.singles + group.singles,
            rows,
            off_centre,
            groups,
        }
    }

    fn places(&self) -> Vec<Place> {
        let groups = self.rows.iter().zip(&self.groups);
        groups
            .flat_map(|(row, (start, Reverse(seats)))| places(*row, *start, *seats))
            .collect()
    }
}

/// The best choice with neighbours in as few rows as possible; if not even that serves, single
/// seats, fullest rows first.
pub(super) fn best_over_rows<const WORDS: usize, B: Blocks>(
    layout: Layout,
    blocks: &B,
    quantity: usize,
) -> Result<Option<Vec<Place>>, B::Error> {
    let mut rows = Vec::new();
    for block in 0..layout.blocks() {
        let stored = blocks.block(block)?;
        for (row, free) in free_rows::<WORDS>(layout, block, stored.as_deref(), 1) {
            if free.count() > 0 {
                rows.push(Row::new(row, free, quantity));
            }
        }
    }
    Ok(best_groups(&rows, quantity).or_else(|| scattered(&rows, quantity)))
}

/// Exact search from the last row to the first: `best[used][seats]` is the best choice of that
/// many rows and seats among the rows behind. A choice stays best when a group is put in front of
/// it, because every judgement either adds up or compares front rows first.
fn best_groups<const WORDS: usize>(rows: &[Row<WORDS>], quantity: usize) -> Option<Vec<Place>> {
    let fewest = fewest_rows(rows, quantity)?;
    let mut best: Vec<Vec<Option<Choice>>> = vec![vec![None; quantity + 1]; fewest + 1];
    best[0][0] = Some(Choice::default());
    for row in rows.iter().rev() {
        for used in (1..=fewest).rev() {
            for seats in 1..=quantity {
                let with_row = best_with(row, &best[used - 1], seats);
                let known = best[used][seats].take();
                best[used][seats] = [known, with_row].into_iter().flatten().min();
            }
        }
    }
    best[fewest][quantity].as_ref().map(Choice::places)
}

/// The best choice of `seats` of which some are in this row and the others in `behind`.
fn best_with<const WORDS: usize>(
    row: &Row<WORDS>,
    behind: &[Option<Choice>],
    seats: usize,
) -> Option<Choice> {
    (1..=seats.min(row.largest()))
        .filter_map(|here| {
            let (group, rest) = (row.groups[here]?, behind[seats - here].as_ref()?);
            Some(rest.with(row.row, group, here))
        })
        .min()
}

/// How many rows it takes at least, with one group in each.
fn fewest_rows<const WORDS: usize>(rows: &[Row<WORDS>], quantity: usize) -> Option<usize> {
    let mut largest: Vec<usize> = rows.iter().map(Row::largest).collect();
    largest.sort_unstable_by_key(|seats| Reverse(*seats));
    let mut seats = 0;
    let enough = largest.iter().position(|more| {
        seats += more;
        seats >= quantity
    });
    enough.map(|last| last + 1)
}

/// Seats that are no neighbours: rows with most free seats first, lower rows first among equals.
fn scattered<const WORDS: usize>(rows: &[Row<WORDS>], quantity: usize) -> Option<Vec<Place>> {
    let mut order: Vec<&Row<WORDS>> = rows.iter().collect();
    order.sort_by_key(|row| (Reverse(row.free.count()), row.row));
    let mut chosen: Vec<Place> = order
        .iter()
        .flat_map(|row| seats_of(row))
        .take(quantity)
        .collect();
    chosen.sort_unstable();
    (chosen.len() == quantity).then_some(chosen)
}

fn seats_of<const WORDS: usize>(row: &Row<WORDS>) -> impl Iterator<Item = Place> {
    let first = row.free.first_from(0);
    let each = std::iter::successors(first, |index| row.free.first_from(index + 1));
    each.map(|index| place(row.row, index))
}
