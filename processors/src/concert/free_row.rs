//! One row of seats as a bitmap of the free ones, and the best group of neighbours in it.

use super::seats::MAX_ROW_SEATS;

/// Words of 64 seats that hold the longest row.
pub(super) const MAX_WORDS: usize = (MAX_ROW_SEATS as usize).div_ceil(64);

/// Bit `n` stands for seat number `n + 1`; bits beyond the row are 0, as if taken.
type Bits<const WORDS: usize> = [u64; WORDS];

/// The free seats of one row, in as many words as the rows of its section need: most halls have
/// rows of up to 64 seats, and those are judged in single instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreeRow<const WORDS: usize> {
    bits: Bits<WORDS>,
    width: usize,
}

/// Neighbouring seats in one row, with what they are judged by: lower is better, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// Free seats that would newly stand alone, with nobody able to sit beside them. The end of
    /// a row encloses like a taken seat.
    pub singles: u32,
    /// Twice the distance between the middles of the group and of the row.
    pub off_centre: usize,
    /// Index of its first seat, from 0.
    pub start: usize,
}

impl<const WORDS: usize> FreeRow<WORDS> {
    /// A row of which every seat is free.
    #[must_use]
    pub(super) fn all_free(width: u16) -> Self {
        let width = usize::from(width).min(WORDS * 64);
        let mut bits = [0; WORDS];
        for (index, word) in bits.iter_mut().enumerate() {
            let seats = width.saturating_sub(index * 64).min(64);
            *word = if seats == 64 {
                u64::MAX
            } else {
                (1 << seats) - 1
            };
        }
        Self { bits, width }
    }

    /// The row that starts at seat `first` of a block's two-bit codes.
    #[must_use]
    pub(super) fn of_block(codes: &[u8], first: usize, width: u16) -> Self {
        let mut row = Self::all_free(width);
        for index in 0..WORDS {
            let at = first + index * 64;
            let mut free = free_among_32(codes, at);
            if row.width > index * 64 + 32 {
                free |= free_among_32(codes, at + 32) << 32;
            }
            row.bits[index] &= free;
        }
        row
    }

    /// Whether no seat is free.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        self.bits == [0; WORDS]
    }

    /// Number of free seats.
    #[must_use]
    pub(super) fn count(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum()
    }

    /// Treats a seat, from 0, as taken.
    pub(super) fn take(&mut self, index: usize) {
        self.bits[index / 64] &= !(1 << (index % 64));
    }

    /// The lowest free seat at or above an index.
    #[must_use]
    pub(super) fn first_from(&self, index: usize) -> Option<usize> {
        first_from(&self.bits, index)
    }

    /// The free seat nearest to an index; the lower one of two.
    #[must_use]
    pub(super) fn nearest(&self, index: usize) -> Option<usize> {
        nearest(&self.bits, 2 * index)
    }

    /// The best group of `seats` neighbours: fewest new singles, then nearest the middle, then
    /// lowest. All candidates are judged at once, a word of 64 seats at a time.
    #[must_use]
    pub(super) fn best_group(&self, seats: usize) -> Option<Group> {
        let starts = self.starts(seats);
        if starts == [0; WORDS] {
            return None;
        }
        let first_of_run = self.zip(self.bits, self.shift_up(&self.bits, 1), |a, b| a & !b);
        let last_of_run = self.zip(self.bits, self.shift_down(&self.bits, 1), |a, b| a & !b);
        let enclosed_left = self.shift_up(&first_of_run, 1);
        let enclosed_right = self.shift_down(&last_of_run, seats);
        let classes = [
            self.zip(enclosed_left, enclosed_right, |left, right| !(left | right)),
            self.zip(enclosed_left, enclosed_right, |left, right| left ^ right),
            self.zip(enclosed_left, enclosed_right, |left, right| left & right),
        ];
        let slack = self.width - seats;
        (0..).zip(classes).find_map(|(singles, class)| {
            let start = nearest(
                &self.zip(starts, class, |start, member| start & member),
                slack,
            )?;
            Some(Group {
                singles,
                off_centre: (2 * start).abs_diff(slack),
                start,
            })
        })
    }

    /// First seats of all groups of `seats` free neighbours.
    fn starts(&self, seats: usize) -> Bits<WORDS> {
        let mut starts = self.bits;
        for _ in 1..seats {
            starts = self.zip(self.bits, self.shift_down(&starts, 1), |free, next| {
                free & next
            });
        }
        starts
    }

    fn zip(&self, a: Bits<WORDS>, b: Bits<WORDS>, combine: fn(u64, u64) -> u64) -> Bits<WORDS> {
        let mut out = [0; WORDS];
        for index in 0..WORDS {
            out[index] = combine(a[index], b[index]);
        }
        out
    }

    /// Bit `n` of the result is bit `n - by`; `by` is 1 to 63.
    fn shift_up(&self, bits: &Bits<WORDS>, by: usize) -> Bits<WORDS> {
        let mut out = [0; WORDS];
        let mut below = 0;
        for index in 0..WORDS {
            out[index] = bits[index] << by | below >> (64 - by);
            below = bits[index];
        }
        out
    }

    /// Bit `n` of the result is bit `n + by`; `by` is 1 to 63.
    fn shift_down(&self, bits: &Bits<WORDS>, by: usize) -> Bits<WORDS> {
        let mut out = [0; WORDS];
        for index in 0..WORDS {
            let above = bits.get(index + 1).copied().unwrap_or(0);
            out[index] = bits[index] >> by | above << (64 - by);
        }
        out
    }
}

/// One bit for each of the 32 seats from `first` on, set where the seat is free.
fn free_among_32(codes: &[u8], first: usize) -> u64 {
    let from = codes.get(first / 4..).unwrap_or_default();
    // Nine bytes at once, except at the end of the block.
    let [low @ .., high] = from.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0xff; 9];
        bytes[..from.len()].copy_from_slice(from);
        bytes
    });
    let (low, high) = (u64::from_le_bytes(low), u64::from(high));
    let shift = first % 4 * 2;
    let word = if shift == 0 {
        low
    } else {
        low >> shift | high << (64 - shift)
    };
    every_second_bit(!(word | word >> 1))
}

/// Moves bits 0, 2, 4, ... together (the inverse of a Morton interleave).
fn every_second_bit(word: u64) -> u64 {
    let mut bits = word & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits
}

/// The set bit whose double is nearest to `doubled`; the lower one of two.
fn nearest<const WORDS: usize>(bits: &Bits<WORDS>, doubled: usize) -> Option<usize> {
    let at = doubled / 2;
    let below = last_until(bits, at);
    let above = first_from(bits, at + 1);
    match (below, above) {
        (Some(low), Some(high)) if 2 * high - doubled < doubled - 2 * low => Some(high),
        (Some(low), _) => Some(low),
        (None, high) => high,
    }
}

fn first_from<const WORDS: usize>(bits: &Bits<WORDS>, index: usize) -> Option<usize> {
    let first = index / 64;
    let mut mask = u64::MAX << (index % 64);
    for (word, value) in bits.iter().enumerate().skip(first) {
        let left = value & mask;
        if left != 0 {
            return Some(word * 64 + usize::try_from(left.trailing_zeros()).ok()?);
        }
        mask = u64::MAX;
    }
    None
}

fn last_until<const WORDS: usize>(bits: &Bits<WORDS>, index: usize) -> Option<usize> {
    let last = (index / 64).min(WORDS - 1);
    let mut mask = if index / 64 > last {
        u64::MAX
    } else {
        u64::MAX >> (63 - index % 64)
    };
    for word in (0..=last).rev() {
        let left = bits[word] & mask;
        if left != 0 {
            return Some(word * 64 + 63 - usize::try_from(left.leading_zeros()).ok()?);
        }
        mask = u64::MAX;
    }
    None
}
