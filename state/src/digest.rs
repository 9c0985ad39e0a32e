//! One number for all source rows: equal states have equal digests, whatever holds them.

use std::fmt;
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use crate::range::end_of;
use crate::read::{ReadState, scan_fallible};
use crate::{StateError, StoreSet, TaskState};

/// Digest of the source rows of one task: SHA-256 over keys and values in key order, each with
/// its length before it. Meta rows, derived rows and expired rows do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many rows were counted.
    pub rows: u64,
    /// The hash.
    pub hash: [u8; 32],
}

impl Digest {
    /// The digest of a state, for example of a reader's snapshot.
    ///
    /// # Errors
    /// [`StateError::Corrupted`] for a windowed row that cannot be read, and those of the storage.
    pub fn of(state: &dyn ReadState, stores: &StoreSet, now_ms: i64) -> Result<Self, StateError> {
        let mut hash = Sha256::new();
        let mut count = 0;
        for id in stores.source_ids() {
            let rows = stores.source_of(&[id])?;
            scan_fallible(state, (&[id], &end_of(id)), &mut |key, value| {
                if !rows.expired(key, value, now_ms)? {
                    count += 1;
                    add(&mut hash, key);
                    add(&mut hash, value);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(Self {
            rows: count,
            hash: hash.finalize().into(),
        })
    }
}

impl TaskState {
    /// The digest of this task's source rows, uncommitted writes included; windowed rows past
    /// their time at `now_ms` do not count. It is a scan of everything.
    ///
    /// # Errors
    /// As for [`Digest::of`].
    pub fn digest(&self, now_ms: i64) -> Result<Digest, StateError> {
        Digest::of(self, self.stores(), now_ms)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ({} rows)",
            crate::error::hex(&self.hash),
            self.rows
        )
    }
}

fn add(hash: &mut Sha256, bytes: &[u8]) {
    // Lossless: no machine has lengths over 64 bits.
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    hash.update(length.to_be_bytes());
    hash.update(bytes);
}
