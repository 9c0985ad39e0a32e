//! Checks a file of RocksDB's log format, without changing it: whole, cut at its end, or damaged.
//!
//! The engine cannot tell a write that was cut short from a bit that flipped later: it stops at
//! the first record that is wrong, and drops what follows. So this reads on. A record that begins
//! behind the wrong one proves that the wrong one had been written whole.
//!
//! The format (`db/log_format.h`): blocks of 32 KiB; in them records of a masked CRC-32C (4 bytes),
//! a length (2), a type (1) and the payload, which the checksum covers together with the type. No
//! record reaches over the end of a block: a longer one is split into first, middle, last.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Every record is what was written.
    Whole,
    /// The last write is not complete.
    Cut {
        /// Where it begins.
        at: u64,
        /// Bytes from there to the end of the file.
        bytes: u64,
    },
    /// A record is wrong that others were written after.
    Damaged {
        /// Where it begins.
        at: u64,
    },
}

/// What stands at a place of a block.
enum Found {
    Record {
        kind: u8,
        length: usize,
    },
    /// Zeros: space that was set aside and not written.
    Blank,
    Wrong,
}

/// Reads a file from its start to its end.
pub(super) fn check(path: &Path) -> io::Result<Condition> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut block = Vec::with_capacity(BLOCK);
    let mut state = Walk::default();
    for start in (0..length).step_by(BLOCK) {
        block.clear();
        let limit = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        file.by_ref().take(limit).read_to_end(&mut block)?;
        if state.block(start, &block) {
            break;
        }
    }
    Ok(state.verdict(length))
}

/// What was seen so far.
#[derive(Default)]
struct Walk {
    /// Start of a record whose last part has not come.
    open: Option<u64>,
    /// The first place that is wrong, or blank although more may follow.
    wrong: Option<u64>,
    blank: Option<u64>,
    begun_after: bool,
}

impl Walk {
    /// Looks at one block. Returns whether there is no need to look further.
    fn block(&mut self, start: u64, block: &[u8]) -> bool {
        let mut at = 0;
        while at + HEADER <= block.len() {
            let place = start + at as u64;
            match look(&block[at..]) {
                Found::Record { kind, length } => {
                    self.record(kind, place);
                    at += HEADER + length;
                }
                Found::Blank => {
                    self.blank.get_or_insert(place);
                    at += next_nonzero(&block[at..]);
                }
                Found::Wrong => {
                    self.wrong.get_or_insert(place);
                    // The length cannot be trusted either: the next record may begin anywhere.
                    at += 1;
                }
            }
            if self.begun_after {
                return true;
            }
        }
        false
    }

    fn record(&mut self, kind: u8, place: u64) {
        let begins = !matches!(kind, MIDDLE | LAST);
        let is_broken = self.wrong.is_some() || self.blank.is_some();
        if is_broken {
            self.begun_after |= begins;
            return;
        }
        match kind {
            FIRST | FULL if self.open.is_some() => {
                // The one before was never finished, and yet another was written.
                self.wrong = self.open;
                self.begun_after = true;
            }
            MIDDLE | LAST if self.open.is_none() => self.wrong = Some(place),
            FIRST => self.open = Some(place),
            LAST => self.open = None,
            _ => {}
        }
    }

    fn verdict(&self, length: u64) -> Condition {
        let wrong = self.wrong.or(self.blank.filter(|_| self.begun_after));
        let at = match (wrong, self.open) {
            (Some(wrong), Some(open)) => wrong.min(open),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Condition::Whole,
        };
        match self.begun_after {
            true => Condition::Damaged { at },
            false => Condition::Cut {
                at,
                bytes: length - at,
            },
        }
    }
}

fn look(bytes: &[u8]) -> Found {
    let header = &bytes[..HEADER];
    if header.iter().all(|byte| *byte == 0) {
        return Found::Blank;
    }
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
    let Some(covered) = bytes.get(HEADER - 1..HEADER + length) else {
        return Found::Wrong;
    };
    match mask(crc32c::crc32c(covered)) == stored {
        true => Found::Record {
            kind: header[6],
            length,
        },
        false => Found::Wrong,
    }
}

/// Checksums are stored rotated and shifted, as in `util/crc32c.h`.
fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn next_nonzero(bytes: &[u8]) -> usize {
    let first = bytes.iter().position(|byte| *byte != 0);
    // A header may begin with zeros: its checksum can, its length and type cannot be all zero.
    first.map_or(bytes.len(), |first| first.saturating_sub(3).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of these lengths, written as the engine writes them.
    fn written(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for (number, length) in lengths.iter().enumerate() {
            let payload = vec![u8::try_from(number + 1).unwrap(); *length];
            starts.push(append(&mut bytes, &payload));
        }
        (bytes, starts)
    }

    fn append(bytes: &mut Vec<u8>, mut payload: &[u8]) -> usize {
        let (mut begin, mut start) = (true, None);
        loop {
            let left = BLOCK - bytes.len() % BLOCK;
            if left < HEADER {
                bytes.resize(bytes.len() + left, 0);
                continue;
            }
            let part = payload.len().min(left - HEADER);
            let end = part == payload.len();
            let kind = match (begin, end) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, true) => LAST,
                (false, false) => MIDDLE,
            };
            start.get_or_insert(bytes.len());
            let covered = [&[kind], &payload[..part]].concat();
            bytes.extend(mask(crc32c::crc32c(&covered)).to_le_bytes());
            bytes.extend(u16::try_from(part).unwrap().to_le_bytes());
            bytes.extend(covered);
            payload = &payload[part..];
            begin = false;
            if end {
                return start.unwrap();
            }
        }
    }

    fn condition(bytes: &[u8]) -> Condition {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("000001.log");
        std::fs::write(&path, bytes).unwrap();
        check(&path).unwrap()
    }

    #[test]
    fn what_was_written_whole_is_whole_also_with_space_set_aside_behind_it() {
        let (mut bytes, _) = written(&[10, 70_000, 0, 32_754, 5]);
        assert_eq!(condition(&bytes), Condition::Whole);
        bytes.resize(bytes.len() + 100_000, 0);
        assert_eq!(condition(&bytes), Condition::Whole);
        assert_eq!(condition(b""), Condition::Whole);
    }

    #[test]
    fn a_file_that_ends_inside_a_record_is_cut_there() {
        let (bytes, starts) = written(&[10, 100, 70_000]);
        for end in [starts[2] + 3, starts[2] + 20_000, bytes.len() - 1] {
            let at = starts[2] as u64;
            let expected = Condition::Cut {
                at,
                bytes: end as u64 - at,
            };
            // A header that is cut leaves too little to be looked at, and nothing is lost.
            let found = condition(&bytes[..end]);
            assert!(found == expected || end == starts[2] + 3, "{found:?}");
        }
    }

    #[test]
    fn any_flipped_bit_is_found_and_only_the_last_record_may_look_cut() {
        let (bytes, starts) = written(&[10, 100, 40_000, 30, 50]);
        for bit in (0..bytes.len() * 8).step_by(1_009) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = condition(&flipped);
            let is_last = bit / 8 >= starts[4];
            assert_ne!(found, Condition::Whole, "bit {bit}");
            assert!(
                is_last || matches!(found, Condition::Damaged { .. }),
                "bit {bit}: {found:?}"
            );
        }
    }

    #[test]
    fn a_last_record_with_a_hole_in_its_middle_is_cut_and_not_damaged() {
        let (mut bytes, starts) = written(&[10, 100, 100_000]);
        bytes[BLOCK..2 * BLOCK].fill(0);
        let at = starts[2] as u64;
        let length = bytes.len() as u64;
        let cut = Condition::Cut {
            at,
            bytes: length - at,
        };
        assert_eq!(condition(&bytes), cut);
        append(&mut bytes, b"another");
        assert_eq!(condition(&bytes), Condition::Damaged { at });
    }
}
