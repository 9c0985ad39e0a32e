//! Derived indexes from source rows: built anew after a long restore, and checked against them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::TaskState;
use crate::StateError;
use crate::derived::{DerivedChange, DerivedChanges, Side};
use crate::error::hex;
use crate::overlay::Origin;
use crate::range::end_of;
use crate::read::scan_fallible;
use crate::storage::scan_piece;
use crate::store_set::EXPIRY_ID;

/// Rows per storage batch: bounds memory, and how long one batch blocks others.
const CHUNK_ROWS: usize = 20_000;

impl TaskState {
    /// Builds every derived index anew from the source rows, in bounded memory. A kill in
    /// between leaves the mark that makes the next start begin again.
    ///
    /// # Errors
    /// [`StateError::Uncommitted`], [`StateError::Corrupted`], and those of the storage.
    pub fn rebuild_indexes(&mut self) -> Result<(), StateError> {
        self.require_clean("rebuilding the indexes")?;
        self.layout.set_must_rebuild(true);
        self.flush(&[])?;
        let stores = self.stores.clone();
        // Also of indexes that an older program had and this one has not.
        for id in (1..=EXPIRY_ID).filter(|id| !stores.is_source(*id)) {
            self.delete_rows(id)?;
        }
        for id in stores.source_ids() {
            self.derive_rows(id)?;
        }
        self.layout.set_must_rebuild(false);
        self.flush(&[])
    }

    /// Computes every derived index from the source rows, and compares it with what is there.
    ///
    /// # Errors
    /// [`StateError::IndexDiffers`] for the first difference in key order,
    /// [`StateError::Corrupted`], and those of the storage.
    pub fn check_indexes(&self) -> Result<(), StateError> {
        let mut expected = self.expected_rows()?.into_iter().peekable();
        for id in self.stores.derived_ids() {
            scan_fallible(self, (&[id], &end_of(id)), &mut |key, value| {
                let next = expected.next_if(|(wanted, _)| wanted.as_slice() <= key);
                match next {
                    Some((wanted, row)) if wanted == key && row == value => {
                        Ok(ControlFlow::Continue(()))
                    }
                    Some((wanted, row)) if wanted == key => {
                        Err(self.differs(key, format!("{} instead of {}", hex(value), hex(&row))))
                    }
                    Some((wanted, _)) => Err(self.differs(&wanted, "missing".to_owned())),
                    None => Err(self.differs(key, "nothing should be there".to_owned())),
                }
            })?;
        }
        let missing = expected.next();
        missing.map_or(Ok(()), |(key, _)| {
            Err(self.differs(&key, "missing".to_owned()))
        })
    }

    /// Deletes the stored rows of one id, in batches.
    fn delete_rows(&mut self, id: u8) -> Result<(), StateError> {
        self.in_batches(id, |state, key, _| {
            state.overlay.put(key, None, Origin::Local);
            Ok(())
        })
    }

    /// Writes what the rows of one store derive, in batches.
    fn derive_rows(&mut self, id: u8) -> Result<(), StateError> {
        let stores = self.stores.clone();
        let rows = stores.source_of(&[id])?;
        if !rows.has_derived_rows() {
            return Ok(());
        }
        let mut changes = DerivedChanges::default();
        self.in_batches(id, |state, key, value| {
            changes.clear();
            rows.derive(Side::New, key, value, &mut changes)?;
            state.settle(&mut changes)
        })
    }

    /// Visits the stored rows of an id, and writes what the visitor leaves in the overlay every so
    /// many rows.
    fn in_batches(
        &mut self,
        id: u8,
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let (storage, end) = (Arc::clone(&self.storage), end_of(id));
        let mut from = Some(vec![id]);
        while let Some(first) = from.take() {
            let (range, mut left) = ((first.as_slice(), end.as_slice()), CHUNK_ROWS);
            from = scan_piece(&*storage, range, &mut left, |key, value| {
                visit(self, key, value)
            })?;
            self.flush(&[])?;
        }
        Ok(())
    }

    fn expected_rows(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
        let mut sums: BTreeMap<Vec<u8>, i128> = BTreeMap::new();
        let mut expected = BTreeMap::new();
        let mut changes = DerivedChanges::default();
        for id in self.stores.source_ids() {
            let rows = self.stores.source_of(&[id])?;
            if !rows.has_derived_rows() {
                continue;
            }
            scan_fallible(self, (&[id], &end_of(id)), &mut |key, value| {
                changes.clear();
                rows.derive(Side::New, key, value, &mut changes)?;
                changes.settle(|key, change| {
                    match change {
                        DerivedChange::EntryAdded => {
                            drop(expected.insert(key.to_vec(), Vec::new()))
                        }
                        DerivedChange::SumMoved(delta) => {
                            *sums.entry(key.to_vec()).or_default() += delta
                        }
                        DerivedChange::EntryRemoved => {}
                    }
                    Ok::<(), StateError>(())
                })?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        for (key, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            let sum = i64::try_from(sum).map_err(|_| self.differs(&key, "too large".to_owned()))?;
            expected.insert(key, sum.to_be_bytes().to_vec());
        }
        Ok(expected)
    }

    fn differs(&self, key: &[u8], difference: String) -> StateError {
        let index = self.stores.name(key[0]).to_owned();
        StateError::IndexDiffers {
            index,
            key: hex(key),
            difference,
        }
    }
}
