//! Seats: labels, blocks of whole rows, and their two bits each.

use super::records::{Place, SeatBlock, Section};

/// A block is whole rows of at most this many seats, or one row if rows are longer.
pub const MAX_BLOCK_SEATS: u16 = 256;
/// Longest row that a concert may have.
pub const MAX_ROW_SEATS: u16 = 1_000;

/// Two bits of a seat that can be held.
pub const FREE: u8 = 0;
/// Two bits of a seat in a live hold.
pub const HELD: u8 = 1;

/// How the seats of a reserved-seating section are cut into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of rows, 1 or more.
    pub rows: u16,
    /// Seats in every row, 1 to [`MAX_ROW_SEATS`].
    pub seats_per_row: u16,
}

impl Layout {
    /// The layout of a section; `None` for general admission.
    #[must_use]
    pub fn of(section: &Section) -> Option<Self> {
        (section.rows > 0 && section.seats_per_row > 0).then_some(Self {
            rows: section.rows,
            seats_per_row: section.seats_per_row,
        })
    }

    /// Whether the section has this seat.
    #[must_use]
    pub fn contains(self, place: Place) -> bool {
        (1..=self.rows).contains(&place.row) && (1..=self.seats_per_row).contains(&place.number)
    }

    /// Number of blocks.
    #[must_use]
    pub fn blocks(self) -> u16 {
        self.rows.div_ceil(self.rows_per_block())
    }

    /// The first row of a block, counted from 1.
    #[must_use]
    pub fn first_row(self, block: u16) -> u16 {
        block * self.rows_per_block() + 1
    }

    /// The block of a row, which counts from 1.
    #[must_use]
    pub fn block_of(self, row: u16) -> u16 {
        (row - 1) / self.rows_per_block()
    }

    /// Where a seat's bits stand inside its block.
    #[must_use]
    pub fn index_of(self, place: Place) -> usize {
        let row = usize::from((place.row - 1) % self.rows_per_block());
        row * usize::from(self.seats_per_row) + usize::from(place.number - 1)
    }

    /// Number of seats in a block; the last one may be shorter.
    #[must_use]
    pub fn seats_in(self, block: u16) -> usize {
        let before = block * self.rows_per_block();
        let rows = self.rows_per_block().min(self.rows - before);
        usize::from(rows) * usize::from(self.seats_per_row)
    }

    /// A block that nobody has touched.
    #[must_use]
    pub fn untouched(self, block: u16) -> SeatBlock {
        SeatBlock {
            version: 0,
            bits: vec![0; self.seats_in(block).div_ceil(4)],
        }
    }

    fn rows_per_block(self) -> u16 {
        (MAX_BLOCK_SEATS / self.seats_per_row).max(1)
    }
}

/// The two bits of a seat; seats beyond the block look blocked.
#[must_use]
pub fn seat(bits: &[u8], index: usize) -> u8 {
    bits.get(index / 4)
        .map_or(3, |byte| byte >> (index % 4 * 2) & 3)
}

/// Writes the two bits of a seat.
pub fn set_seat(bits: &mut [u8], index: usize, code: u8) {
    if let Some(byte) = bits.get_mut(index / 4) {
        let shift = index % 4 * 2;
        *byte = *byte & !(3 << shift) | code << shift;
    }
}

/// Number of seats that are not free.
#[must_use]
pub fn taken(bits: &[u8]) -> u32 {
    // Eight bytes at a time: every hold counts two blocks.
    let (words, rest) = bits.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    words
        .iter()
        .chain([&last])
        .map(|word| u64::from_le_bytes(*word))
        .map(|word| ((word | word >> 1) & 0x5555_5555_5555_5555).count_ones())
        .sum()
}

/// The label of a seat, such as `A-3-7`.
#[must_use]
pub fn label(section: &str, place: Place) -> String {
    let mut text = String::with_capacity(section.len() + 10);
    text.push_str(section);
    for number in [place.row, place.number] {
        text.push('-');
        push_decimal(&mut text, number);
    }
    text
}

/// Reads a label; `None` if it is none. Exactly one text names a seat, so that the same seat
/// cannot be asked for twice under two names.
#[must_use]
pub fn parse_label(text: &str) -> Option<(&str, Place)> {
    let (rest, number) = text.rsplit_once('-')?;
    let (section, row) = rest.rsplit_once('-')?;
    Some((
        section,
        Place {
            row: parse_decimal(row)?,
            number: parse_decimal(number)?,
        },
    ))
}

fn push_decimal(text: &mut String, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && number / divisor == 0 {
        divisor /= 10;
    }
    while divisor > 0 {
        let digit = u32::from(number / divisor % 10);
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
        divisor /= 10;
    }
}

fn parse_decimal(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_seat_has_bits_of_its_own(rows in 1_u16..40, seats_per_row in 1_u16..600) {
            let layout = Layout { rows, seats_per_row };
            let mut seen = std::collections::BTreeSet::new();
            for row in 1..=rows {
                for number in 1..=seats_per_row {
                    let place = Place { row, number };
                    let (block, index) = (layout.block_of(row), layout.index_of(place));
                    prop_assert!(block < layout.blocks() && index < layout.seats_in(block));
                    prop_assert!(seen.insert((block, index)));
                }
            }
            let all: usize = (0..layout.blocks()).map(|block| layout.seats_in(block)).sum();
            prop_assert_eq!(all, seen.len());
            let bounded = |block| layout.seats_in(block) <= 256 || seats_per_row > 256;
            prop_assert!((0..layout.blocks()).all(bounded));
        }

        #[test]
        fn a_label_reads_back(section in "[A-Za-z0-9]{1,16}", row in 1_u16.., number in 1_u16..) {
            let place = Place { row, number };
            let text = label(&section, place);
            prop_assert_eq!(&text, &format!("{section}-{row}-{number}"));
            prop_assert_eq!(parse_label(&text), Some((section.as_str(), place)));
        }

        #[test]
        fn a_seat_keeps_what_was_written_and_its_neighbours_too(
            codes in proptest::collection::vec(0_u8..4, 1..300),
        ) {
            let mut bits = vec![0; codes.len().div_ceil(4)];
            for (index, code) in codes.iter().enumerate() {
                set_seat(&mut bits, index, 3);
                set_seat(&mut bits, index, *code);
            }
            let read: Vec<u8> = (0..codes.len()).map(|index| seat(&bits, index)).collect();
            prop_assert_eq!(&read, &codes);
            let expected = codes.iter().filter(|code| **code != FREE).count();
            prop_assert_eq!(usize::try_from(taken(&bits)).unwrap(), expected);
        }
    }

    #[test]
    fn only_one_text_names_a_seat() {
        for text in [
            "",
            "A",
            "A-1",
            "A-01-1",
            "A-1-+1",
            "A-1-0",
            "A--1",
            "A-1-",
            "A-1-70000",
            "A-1-1 ",
        ] {
            assert_eq!(parse_label(text), None, "{text}");
        }
    }
}
