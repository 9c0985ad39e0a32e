//! Best available seats of one section: which of all possible choices is judged best.
//!
//! The order of judgement: fewer rows (more than one only if asked); fewer newly enclosed single
//! seats; lower row; middle of the group nearest the middle of the row; lower seat number. Seats
//! of one row are neighbours, unless a request that may be split cannot be served otherwise.

use std::rc::Rc;

use super::free_row::{FreeRow, Group, MAX_WORDS};
use super::records::{Place, SeatBlock};
use super::seats::{Layout, taken};
use super::split::best_over_rows;

/// Where a section's blocks come from; `None` stands for a block that nobody has touched.
pub(super) trait Blocks {
    /// Why a block cannot be had.
    type Error;

    /// One block of the section.
    ///
    /// # Errors
    /// Only when the block cannot be read, which is no answer.
    fn block(&self, block: u16) -> Result<Option<Rc<SeatBlock>>, Self::Error>;
}

/// The best `quantity` seats of a section, lowest row and number first; `None`: it cannot serve.
///
/// # Errors
/// Only those of `blocks`.
pub(super) fn best_available<B: Blocks>(
    layout: Layout,
    blocks: &B,
    quantity: usize,
    may_split: bool,
) -> Result<Option<Vec<Place>>, B::Error> {
    match layout.seats_per_row {
        ..=64 => best_by_words::<1, B>(layout, blocks, quantity, may_split),
        65..=256 => best_by_words::<4, B>(layout, blocks, quantity, may_split),
        _ => best_by_words::<MAX_WORDS, B>(layout, blocks, quantity, may_split),
    }
}

fn best_by_words<const WORDS: usize, B: Blocks>(
    layout: Layout,
    blocks: &B,
    quantity: usize,
    may_split: bool,
) -> Result<Option<Vec<Place>>, B::Error> {
    if let Some((row, group)) = best_in_one_row::<WORDS, B>(layout, blocks, quantity)? {
        return Ok(Some(places(row, group.start, quantity).collect()));
    }
    if may_split {
        best_over_rows::<WORDS, B>(layout, blocks, quantity)
    } else {
        Ok(None)
    }
}

/// Rows are tried from the front, and the first one where no single would be enclosed wins:
/// nothing behind it can be judged better.
fn best_in_one_row<const WORDS: usize, B: Blocks>(
    layout: Layout,
    blocks: &B,
    quantity: usize,
) -> Result<Option<(u16, Group)>, B::Error> {
    let mut best: Option<(u16, Group)> = None;
    for block in 0..layout.blocks() {
        let stored = blocks.block(block)?;
        for (row, free) in free_rows::<WORDS>(layout, block, stored.as_deref(), quantity) {
            let Some(group) = free.best_group(quantity) else {
                continue;
            };
            if group.singles == 0 {
                return Ok(Some((row, group)));
            }
            if best.is_none_or(|(_, found)| group.singles < found.singles) {
                best = Some((row, group));
            }
        }
    }
    Ok(best)
}

/// The rows of a block, or none of them if fewer than `at_least` seats of the block are free.
pub(super) fn free_rows<const WORDS: usize>(
    layout: Layout,
    block: u16,
    stored: Option<&SeatBlock>,
    at_least: usize,
) -> impl Iterator<Item = (u16, FreeRow<WORDS>)> {
    let seats = layout.seats_in(block);
    let width = usize::from(layout.seats_per_row);
    let free = stored.map_or(seats, |block| {
        seats.saturating_sub(count(taken(&block.bits)))
    });
    let rows = if free < at_least { 0 } else { seats / width };
    let first_row = layout.first_row(block);
    (first_row..).zip(0..rows).map(move |(row, index)| {
        let free = match stored {
            Some(block) => FreeRow::of_block(&block.bits, index * width, layout.seats_per_row),
            None => FreeRow::all_free(layout.seats_per_row),
        };
        (row, free)
    })
}

/// Neighbouring seats of a row from an index (from 0) on.
pub(super) fn places(row: u16, start: usize, seats: usize) -> impl Iterator<Item = Place> {
    (start..start + seats).map(move |index| place(row, index))
}

/// The seat at an index (from 0) of a row.
pub(super) fn place(row: u16, index: usize) -> Place {
    Place {
        row,
        number: u16::try_from(index + 1).unwrap_or(u16::MAX),
    }
}

fn count(bits: u32) -> usize {
    usize::try_from(bits).unwrap_or(usize::MAX)
}
