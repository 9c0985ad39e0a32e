//! The best available seats by trying everything: obviously right, and slow.

use std::cmp::Reverse;

use super::hall::Seat;

/// Which seats are free, row by row.
type Rows = Vec<Vec<bool>>;
/// Neighbours: row and first seat from 0, and how many.
type Group = (usize, usize, usize);

/// The best choice of all: one group of neighbours if there is any; if the request may be split,
/// groups in as few rows as possible; and single seats if not even that serves.
pub(super) fn best(free: &Rows, quantity: usize, split: bool) -> Option<Vec<Seat>> {
    let most_rows = if split { quantity.min(free.len()) } else { 1 };
    for rows in 1..=most_rows {
        let mut choices = Vec::new();
        choose(free, 0, quantity, rows, &mut Vec::new(), &mut choices);
        if let Some(best) = choices.into_iter().min_by_key(|choice| judge(free, choice)) {
            return Some(seats(&best));
        }
    }
    if split {
        scattered(free, quantity)
    } else {
        None
    }
}

/// All ways to take one group in each of exactly so many rows.
fn choose(
    free: &Rows,
    from: usize,
    quantity: usize,
    rows: usize,
    groups: &mut Vec<Group>,
    choices: &mut Vec<Vec<Group>>,
) {
    if rows == 0 {
        if quantity == 0 {
            choices.push(groups.clone());
        }
        return;
    }
    for row in from..free.len() {
        for first in 0..free[row].len() {
            let sizes = if rows == 1 {
                quantity..=quantity
            } else {
                1..=quantity
            };
            for size in sizes {
                let group = free[row].get(first..first + size);
                if size > 0 && group.is_some_and(|seats| seats.iter().all(|free| *free)) {
                    groups.push((row, first, size));
                    choose(free, row + 1, quantity - size, rows - 1, groups, choices);
                    groups.pop();
                }
            }
        }
    }
}

/// What a choice is judged by, lower is better: newly enclosed single seats, rows, distance from
/// the middle (doubled), seats.
fn judge(free: &Rows, groups: &[Group]) -> (usize, Vec<usize>, usize, Vec<Seat>) {
    let singles = groups
        .iter()
        .map(|group| new_singles(&free[group.0], *group))
        .sum();
    let off_centre = |(row, first, size): &Group| (2 * first + size).abs_diff(free[*row].len());
    (
        singles,
        groups.iter().map(|(row, _, _)| *row).collect(),
        groups.iter().map(off_centre).sum(),
        seats(groups),
    )
}

/// Free seats of a row that stand alone when the group is taken, and did not before.
fn new_singles(before: &[bool], (_, first, size): Group) -> usize {
    let mut after = before.to_vec();
    after[first..first + size].fill(false);
    let alone = |row: &[bool], at: usize| {
        let taken = |at: Option<usize>| at.and_then(|at| row.get(at)).is_none_or(|free| !free);
        row[at] && taken(at.checked_sub(1)) && taken(Some(at + 1))
    };
    (0..before.len())
        .filter(|at| alone(&after, *at) && !alone(before, *at))
        .count()
}

fn seats(groups: &[Group]) -> Vec<Seat> {
    let each = |(row, first, size): &Group| {
        let row = row + 1;
        (first + 1..=first + size).map(move |number| (row, number))
    };
    groups.iter().flat_map(each).collect()
}

/// Single seats from the rows with most free seats, for when neighbours cannot serve at all.
fn scattered(free: &Rows, quantity: usize) -> Option<Vec<Seat>> {
    let mut rows: Vec<usize> = (0..free.len()).collect();
    rows.sort_by_key(|row| {
        (
            Reverse(free[*row].iter().filter(|free| **free).count()),
            *row,
        )
    });
    let of_row = |row: usize| {
        let numbers = (1..=free[row].len()).filter(move |number| free[row][number - 1]);
        numbers.map(move |number| (row + 1, number))
    };
    let mut taken: Vec<Seat> = rows.into_iter().flat_map(of_row).take(quantity).collect();
    taken.sort_unstable();
    (taken.len() == quantity).then_some(taken)
}
