//! Ids that route: every id carries the key of the partition that can answer for it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// 128 bits that name a command, and what the command made, inside one partition key.
pub type Hash = [u8; 16];

/// What an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// A reservation; the hash is that of the command that made it.
    Reservation,
    /// A command.
    Command,
}

/// An id, opaque to callers: `r…` or `c…` and base64url of the hash and the partition key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// What it stands for.
    pub kind: IdKind,
    /// Key of the partition that decides about it: a concert's id.
    pub partition_key: String,
    /// Its name under that key.
    pub hash: Hash,
}

/// Longer texts are no ids, whatever they decode to.
const MAX_TEXT_BYTES: usize = 512;

impl Id {
    /// The id of a reservation of a concert.
    #[must_use]
    pub fn reservation(concert: &str, hash: Hash) -> Self {
        Self {
            kind: IdKind::Reservation,
            partition_key: concert.to_owned(),
            hash,
        }
    }

    /// The id of a command sent to a concert.
    #[must_use]
    pub fn command(concert: &str, hash: Hash) -> Self {
        Self {
            kind: IdKind::Command,
            partition_key: concert.to_owned(),
            hash,
        }
    }

    /// The text of [`Id::reservation`], without making the id first.
    #[must_use]
    pub fn reservation_text(concert: &str, hash: &Hash) -> String {
        text(IdKind::Reservation, concert, hash)
    }

    /// Reads an id as [`fmt::Display`] wrote it. `None`: there is no such thing (404).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let kind = match text.as_bytes().first()? {
            b'r' => IdKind::Reservation,
            b'c' => IdKind::Command,
            _ => return None,
        };
        let bytes = URL_SAFE_NO_PAD.decode(text.get(1..)?).ok()?;
        let (hash, key) = bytes.split_first_chunk::<16>()?;
        let partition_key = std::str::from_utf8(key)
            .ok()
            .filter(|key| !key.is_empty())?;
        Some(Self {
            kind,
            partition_key: partition_key.to_owned(),
            hash: *hash,
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self.kind, &self.partition_key, &self.hash))
    }
}

fn text(kind: IdKind, partition_key: &str, hash: &Hash) -> String {
    let mut bytes = Vec::with_capacity(hash.len() + partition_key.len());
    bytes.extend_from_slice(hash);
    bytes.extend_from_slice(partition_key.as_bytes());
    let mut text = String::with_capacity(1 + bytes.len().div_ceil(3) * 4);
    text.push(match kind {
        IdKind::Reservation => 'r',
        IdKind::Command => 'c',
    });
    URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
    text
}

/// A command's id inside its concert: the first 16 bytes of the SHA-256 of the user and the
/// command id, each with its length in front, so that no two pairs write the same bytes.
#[must_use]
pub fn scoped_hash(user: &str, command_id: &str) -> Hash {
    let mut bytes = Vec::with_capacity(16 + user.len() + command_id.len());
    for part in [user, command_id] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    digest(&bytes)
}

/// The first 16 bytes of the SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&Sha256::digest(bytes)[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back(key in ".{1,64}", hash: Hash, command: bool) {
            let id = if command { Id::command(&key, hash) } else { Id::reservation(&key, hash) };
            prop_assert_eq!(Id::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn no_text_is_two_ids(text in "[rcx][A-Za-z0-9_=-]{0,60}") {
            if let Some(id) = Id::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn malformed_ids_are_nothing() {
        for text in [
            "",
            "r",
            "é",
            "x0123456789abcdef0123456789",
            "rAAAAAAAAAAAAAAAAAAAAAA",
            "r+/",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
        assert_eq!(Id::parse(&format!("r{}", "A".repeat(600))), None);
    }

    #[test]
    fn the_boundary_between_user_and_command_is_part_of_the_hash() {
        assert_ne!(scoped_hash("ab", "c"), scoped_hash("a", "bc"));
        assert_ne!(scoped_hash("", "a"), scoped_hash("a", ""));
    }

    #[test]
    fn hashes_never_change_because_state_is_keyed_by_them() {
        assert_eq!(hex(scoped_hash("u1", "k1")), GOLDEN);
    }

    const GOLDEN: &str = "df9810e22e9da6fe1d8e020cea2ff2c7";

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
