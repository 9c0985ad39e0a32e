//! Which keys are certainly not among those that went in: a Bloom filter that grows with them.
//!
//! Split blocks as in Parquet (<https://parquet.apache.org/docs/file-format/bloomfilter/>): a key
//! sets one bit in each of the eight words of one block, so asking touches one cache line. A full
//! segment stays, and a larger one is put in front of it.

/// Keys per block before a segment is full: 12.8 bits a key, under one wrong "maybe" in 100.
const KEYS_PER_BLOCK: usize = 20;
/// Blocks of the first segment: 128 KiB.
const FIRST_BLOCKS: usize = 1 << 12;
/// How many times larger each segment is than the one before it. A key that is absent is looked
/// for in all of them.
const GROWTH: usize = 8;
/// With all of them the filter has 73 MiB, and 48 million keys; more of them make it less sharp.
const MAX_SEGMENTS: usize = 4;

/// Multipliers that choose the bits of a key, one for each word: those of Parquet.
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A set of keys, by their hashes, that says "certainly not" or "maybe".
#[derive(Default)]
pub(crate) struct KeyFilter {
    /// The largest first: nearly every key is in it.
    segments: Vec<Segment>,
    keys: usize,
}

struct Segment {
    blocks: Vec<Block>,
    room: usize,
}

#[derive(Clone)]
#[repr(align(32))]
struct Block([u32; 8]);

impl KeyFilter {
    /// False: no key of this hash ever went in.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        let hash = spread(hash);
        self.segments.iter().any(|segment| segment.has(hash))
    }

    /// Takes in a key; one that came lately costs no room. It is looked for in the first segment
    /// only, which is written to anyway: a row that is written for ever is in each segment once.
    pub(crate) fn insert(&mut self, hash: u64) {
        let hash = spread(hash);
        if self.segments.first().is_some_and(|first| first.has(hash)) {
            return;
        }
        let full = self.segments.first().is_none_or(|first| first.room == 0);
        if full && self.segments.len() < MAX_SEGMENTS {
            let power = u32::try_from(self.segments.len()).unwrap_or_default();
            let blocks = FIRST_BLOCKS * GROWTH.pow(power);
            self.segments.insert(0, Segment::of(blocks));
        }
        if let Some(first) = self.segments.first_mut() {
            first.insert(hash);
        }
        self.keys += 1;
    }

    /// How many keys went in, those that collided with one of the same segment left out.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }
}

impl Segment {
    fn of(blocks: usize) -> Self {
        Self {
            blocks: vec![Block([0; 8]); blocks],
            room: blocks * KEYS_PER_BLOCK,
        }
    }

    fn has(&self, hash: u64) -> bool {
        let Block(words) = &self.blocks[self.block_of(hash)];
        let missing = words.iter().zip(bits_of(hash));
        missing.fold(0, |missing, (word, bit)| missing | (!word & bit)) == 0
    }

    fn insert(&mut self, hash: u64) {
        let at = self.block_of(hash);
        let Block(words) = &mut self.blocks[at];
        for (word, bit) in words.iter_mut().zip(bits_of(hash)) {
            *word |= bit;
        }
        self.room = self.room.saturating_sub(1);
    }

    /// The upper half of the hash chooses the block; their number is a power of two.
    fn block_of(&self, hash: u64) -> usize {
        let upper = usize::try_from(hash >> 32).unwrap_or_default();
        upper & (self.blocks.len() - 1)
    }
}

/// One bit for each word of a block, chosen by the lower half of the hash.
fn bits_of(hash: u64) -> impl Iterator<Item = u32> {
    let [_, _, _, _, lower @ ..] = hash.to_be_bytes();
    let lower = u32::from_be_bytes(lower);
    SALTS
        .into_iter()
        .map(move |salt| 1 << (lower.wrapping_mul(salt) >> 27))
}

/// Table hashes are good enough in their lower bits only; here every bit chooses something. The
/// finalizer of MurmurHash3.
fn spread(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::{FIRST_BLOCKS, KEYS_PER_BLOCK, KeyFilter};

    const SEVERAL_SEGMENTS: u64 = 30 * (FIRST_BLOCKS * KEYS_PER_BLOCK) as u64;

    #[test]
    fn what_went_in_is_never_denied_and_what_did_not_nearly_always() {
        let mut filter = KeyFilter::default();
        assert!(!filter.may_contain(0));
        for key in 0..SEVERAL_SEGMENTS {
            filter.insert(key);
        }
        assert!((0..SEVERAL_SEGMENTS).all(|key| filter.may_contain(key)));
        let others = SEVERAL_SEGMENTS..2 * SEVERAL_SEGMENTS;
        let wrong = others.filter(|key| filter.may_contain(*key)).count();
        assert!(
            wrong * 50 < usize::try_from(SEVERAL_SEGMENTS).unwrap(),
            "{wrong}"
        );
    }

    #[test]
    fn a_key_that_comes_again_takes_no_room() {
        let mut filter = KeyFilter::default();
        for _ in 0..SEVERAL_SEGMENTS {
            filter.insert(7);
        }
        assert_eq!((filter.keys(), filter.segments.len()), (1, 1));
    }
}
