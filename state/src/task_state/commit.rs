//! What a batch changed, and making it real in one storage batch.

use super::TaskState;
use crate::overlay::{Overlay, OverlayRow};
use crate::store_set::StoreKind;
use crate::{ChangelogKind, StateError, StoreSet};

/// One row for the changelog: the final value since the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Physical key: store id, then key.
    pub key: &'a [u8],
    /// Avro bytes, the same as in the store; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Which changelog it belongs to.
    pub changelog: ChangelogKind,
}

fn change<'a>(stores: &StoreSet, row: &OverlayRow<'a>) -> Option<Change<'a>> {
    Some(Change {
        key: row.key,
        value: row.value,
        changelog: stores.changelog_of(row.key)?,
    })
}

impl TaskState {
    /// The rows of the open batch: one per key, in key order. Derived rows, purged rows and
    /// restored rows are not among them, and neither are those that were told as settled and not
    /// written since.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let rows = self.overlay.rows();
        rows.filter(|row| row.logged && !row.settled)
            .filter_map(|row| change(&self.stores, &row))
    }

    /// Tells the rows that were written before the last call and not since, each once: most rows of
    /// a large batch are written once, and need not wait for its commit to travel. To be called
    /// where nothing is rolled back any more. After an error, discard.
    ///
    /// # Errors
    /// Those of `tell`.
    pub fn tell_settled<E>(
        &mut self,
        mut tell: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let stores = &self.stores;
        self.overlay
            .settle(|row| change(stores, &row).map_or(Ok(()), &mut tell))
    }

    /// Makes everything since the last commit real, and these meta rows with it: all or nothing,
    /// whenever the process is killed. Nothing of it is lost after that.
    ///
    /// # Errors
    /// [`StateError::IndexesNotBuilt`] between a bulk restore and its rebuild, and those of the
    /// storage; the writes are kept then, so that the commit can be repeated.
    ///
    /// # Panics
    /// If a batch is sealed.
    pub fn commit(&mut self, meta: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        if self.layout.must_rebuild() {
            return Err(StateError::IndexesNotBuilt);
        }
        self.flush(meta)
    }

    /// Commits without asking whether indexes are complete.
    pub(super) fn flush(&mut self, meta: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        self.close_batch()?;
        let batch = self.sealed_batch();
        let written = batch.map_or(Ok(()), |batch| batch.write(meta));
        match written {
            Ok(()) => self.stored(),
            Err(_) => self.reopen(),
        }
        written
    }

    /// What is remembered of storage follows the batch that it has just taken.
    pub(super) fn follow(&mut self, rows: &Overlay) {
        let cache = self.cache.get_mut();
        for row in rows.rows_as_written() {
            let is_entry = self.stores.kind(row.key[0]) == Some(StoreKind::Entries);
            match row.value {
                Some(_) if is_entry => self.floors.lower(row.key),
                None if is_entry => {}
                value => cache.update(row.hash, row.key, value),
            }
        }
    }
}
