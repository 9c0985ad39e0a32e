//! Alternatives: the free seats nearest to wanted ones that are taken.

use super::best_available::{Blocks, free_rows, place};
use super::free_row::{FreeRow, MAX_WORDS};
use super::records::Place;
use super::seats::Layout;

/// How many rows to the front and to the back are searched: an answer must stay cheap even when
/// the whole hall is sold, and nobody calls a seat nine rows away a neighbour.
const ROWS_AWAY: u16 = 8;

/// For each taken seat the nearest free one that is neither wanted already nor proposed before:
/// fewest steps over rows and seats together, then the nearer row, the lower row, the lower seat.
///
/// # Errors
/// Only those of `blocks`.
pub(super) fn alternatives<B: Blocks>(
    layout: Layout,
    blocks: &B,
    taken: &[Place],
    wanted: &[Place],
) -> Result<Vec<Place>, B::Error> {
    match layout.seats_per_row {
        ..=64 => alternatives_by_words::<1, B>(layout, blocks, taken, wanted),
        65..=256 => alternatives_by_words::<4, B>(layout, blocks, taken, wanted),
        _ => alternatives_by_words::<MAX_WORDS, B>(layout, blocks, taken, wanted),
    }
}

fn alternatives_by_words<const WORDS: usize, B: Blocks>(
    layout: Layout,
    blocks: &B,
    taken: &[Place],
    wanted: &[Place],
) -> Result<Vec<Place>, B::Error> {
    let mut rows = rows_around::<WORDS, B>(layout, blocks, taken)?;
    for place in wanted {
        withdraw(&mut rows, *place);
    }
    let mut found = Vec::new();
    for place in taken {
        if let Some(near) = nearest(&rows, *place) {
            withdraw(&mut rows, near);
            found.push(near);
        }
    }
    Ok(found)
}

/// The rows near any of the seats that have a free one, in order, from as few blocks as possible.
fn rows_around<const WORDS: usize, B: Blocks>(
    layout: Layout,
    blocks: &B,
    seats: &[Place],
) -> Result<Vec<(u16, FreeRow<WORDS>)>, B::Error> {
    let near = |row: u16| seats.iter().any(|seat| row.abs_diff(seat.row) <= ROWS_AWAY);
    let mut rows = Vec::new();
    for block in 0..layout.blocks() {
        let first = layout.first_row(block);
        let last = layout.rows.min(layout.first_row(block + 1) - 1);
        if (first..=last).any(near) {
            let stored = blocks.block(block)?;
            let all = free_rows(layout, block, stored.as_deref(), 1);
            rows.extend(all.filter(|(row, free)| !free.is_full() && near(*row)));
        }
    }
    Ok(rows)
}

fn nearest<const WORDS: usize>(rows: &[(u16, FreeRow<WORDS>)], seat: Place) -> Option<Place> {
    let index = usize::from(seat.number - 1);
    let mut best: Option<(usize, u16, u16, usize)> = None;
    for (row, free) in rows {
        let rows_away = row.abs_diff(seat.row);
        // No seat is nearer than its row.
        let hopeless = best.is_some_and(|(steps, ..)| usize::from(rows_away) > steps);
        if hopeless || rows_away > ROWS_AWAY {
            continue;
        }
        if let Some(found) = free.nearest(index) {
            let steps = usize::from(rows_away) + found.abs_diff(index);
            let candidate = (steps, rows_away, *row, found);
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
        }
    }
    best.map(|(_, _, row, found)| place(row, found))
}

fn withdraw<const WORDS: usize>(rows: &mut [(u16, FreeRow<WORDS>)], seat: Place) {
    if let Some((_, free)) = rows.iter_mut().find(|(row, _)| *row == seat.row) {
        free.take(usize::from(seat.number - 1));
    }
}
