//! Rows of windowed stores past their time: taken away locally, without a changelog record.

use std::ops::ControlFlow;

use super::TaskState;
use crate::StateError;
use crate::overlay::Origin;
use crate::read::ReadState;
use crate::store_set::EXPIRY_ID;

/// Where the physical key begins in an expiry entry: behind the id and the time.
const KEY_START: usize = 1 + size_of::<i64>();

/// The bytes of a time as a key writes it.
fn ordered(time_ms: i64) -> [u8; size_of::<i64>()] {
    (time_ms ^ i64::MIN).to_be_bytes()
}

impl TaskState {
    /// Deletes up to `limit` committed rows of windowed stores that are past their time at
    /// `now_ms`, and says how many. The deletion becomes real with the next commit; the changelog
    /// forgets the rows by itself.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn purge_expired(&mut self, now_ms: i64, limit: usize) -> Result<usize, StateError> {
        let expired = self.expired_entries(now_ms, limit)?;
        let mut purged = 0;
        for entry in &expired {
            let key = &entry[KEY_START..];
            self.overlay.put(entry, None, Origin::Local);
            self.overlay.put(key, None, Origin::Local);
            purged += 1;
        }
        Ok(purged)
    }

    fn expired_entries(&self, now_ms: i64, limit: usize) -> Result<Vec<Vec<u8>>, StateError> {
        let mut until = [EXPIRY_ID; KEY_START];
        until[1..].copy_from_slice(&ordered(now_ms.saturating_add(1)));
        let mut entries = Vec::new();
        self.scan_bytes(&[EXPIRY_ID], &until, &mut |entry, _| {
            // A row written since the last commit must reach the changelog first.
            if entries.len() < limit && !self.is_written(&entry[KEY_START..]) {
                entries.push(entry.to_vec());
            }
            if entries.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(entries)
    }

    fn is_written(&self, key: &[u8]) -> bool {
        let hash = self.overlay.hash(key);
        let open = self.overlay.get_hashed(hash, key);
        open.or_else(|| self.sealed_row(hash, key)).is_some()
    }
}
