//! Which keys of a store or an index a scan visits.

use crate::Key;
use crate::keys::KeyWriter;

/// A contiguous range of the keys of one store or one index, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    from: Vec<u8>,
    until: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self {
            from: Vec::new(),
            until: None,
        }
    }

    /// The keys that begin with these elements: of a key `(A, B, C)` the prefix is an `A`, or an
    /// `(A, B)`.
    #[must_use]
    pub fn prefix(leading: &impl Key) -> Self {
        let from = KeyWriter::plain(leading);
        let until = successor(&from);
        Self { from, until }
    }

    /// The keys from `from` (included) until `until` (not included). Both may be whole keys or
    /// leading elements.
    #[must_use]
    pub fn from_until(from: &impl Key, until: &impl Key) -> Self {
        Self {
            from: KeyWriter::plain(from),
            until: Some(KeyWriter::plain(until)),
        }
    }

    /// The keys from `from` (included) to the end.
    #[must_use]
    pub fn starting_at(from: &impl Key) -> Self {
        Self {
            from: KeyWriter::plain(from),
            until: None,
        }
    }

    /// The physical bounds of this range in the store of that id.
    pub(crate) fn into_bounds(self, id: u8) -> (Vec<u8>, Vec<u8>) {
        let until = self
            .until
            .map_or_else(|| end_of(id), |until| with_id(id, &until));
        (with_id(id, &self.from), until)
    }
}

/// The first physical key behind all keys of a store.
pub(crate) fn end_of(id: u8) -> Vec<u8> {
    id.checked_add(1)
        .map_or_else(|| vec![0xFF; 2], |next| vec![next])
}

fn with_id(id: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.push(id);
    bytes.extend_from_slice(key);
    bytes
}

/// The first bytes that sort behind everything with this prefix; none if there are no such bytes.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut bytes = prefix[..=last].to_vec();
    bytes[last] += 1;
    Some(bytes)
}
