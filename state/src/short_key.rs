//! Keys of the overlay's order: short ones stand inside the tree's nodes, so that walking down
//! the tree does not follow a pointer for each comparison.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// Longer keys are rare, and live on the heap.
const SHORT: usize = 54;

/// Bytes, ordered as slices are.
pub(crate) enum ShortKey {
    Here { length: u8, bytes: [u8; SHORT] },
    Heap(Box<[u8]>),
}

impl ShortKey {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Here { length, bytes } => &bytes[..usize::from(*length)],
            Self::Heap(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for ShortKey {
    fn from(key: &[u8]) -> Self {
        match (u8::try_from(key.len()), key.len() <= SHORT) {
            (Ok(length), true) => {
                let mut bytes = [0; SHORT];
                bytes[..key.len()].copy_from_slice(key);
                Self::Here { length, bytes }
            }
            _ => Self::Heap(key.into()),
        }
    }
}

impl Borrow<[u8]> for ShortKey {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Ord for ShortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl PartialOrd for ShortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ShortKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for ShortKey {}

#[cfg(test)]
mod tests {
    use super::{SHORT, ShortKey};

    #[test]
    fn keys_around_the_limit_are_kept_and_sorted() {
        let keys: Vec<Vec<u8>> = (0..SHORT + 3).map(|length| vec![7; length]).collect();
        let short: Vec<ShortKey> = keys.iter().map(|key| key.as_slice().into()).collect();
        assert!(
            short
                .iter()
                .zip(&keys)
                .all(|(short, key)| short.as_slice() == key)
        );
        assert!(short.is_sorted());
    }
}
