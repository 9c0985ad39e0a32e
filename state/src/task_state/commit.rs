//! What a batch changed, and making it real in one storage batch.

use super::TaskState;
use crate::read::meta_key;
use crate::storage::Write;
use crate::store_set::StoreKind;
use crate::{ChangelogKind, StateError};

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

impl TaskState {
    /// The rows written by the task since the last commit: one per key, in key order. Derived
    /// rows, purged rows and restored rows are not among them.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.overlay
            .rows()
            .filter(|row| row.logged)
            .filter_map(|row| {
                let changelog = self.stores.changelog_of(row.key)?;
                Some(Change {
                    key: row.key,
                    value: row.value,
                    changelog,
                })
            })
    }

    /// Makes everything since the last commit real, and these meta rows with it: all or nothing,
    /// whenever the process is killed. Nothing of it is lost after that.
    ///
    /// # Errors
    /// [`StateError::IndexesNotBuilt`] between a bulk restore and its rebuild, and those of the
    /// storage; the writes are kept then, so that the commit can be repeated.
    pub fn commit(&mut self, meta: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        if self.layout.must_rebuild() {
            return Err(StateError::IndexesNotBuilt);
        }
        self.flush(meta)
    }

    /// Writes overlay and meta rows in one batch, without asking whether indexes are complete.
    pub(super) fn flush(&mut self, meta: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        self.absent
            .advance(&self.stores, self.storage.as_ref(), &self.overlay)?;
        self.absent.note(&self.stores, &self.overlay);
        let meta: Vec<(Vec<u8>, &[u8])> = meta
            .iter()
            .map(|(key, value)| (meta_key(key), *value))
            .collect();
        let meta = meta
            .iter()
            .map(|(key, value)| (key.as_slice(), Some(*value)));
        let layout = self.layout.unwritten_rows(&self.stores);
        let layout = layout
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()));
        let rows = self.overlay.rows().map(|row| (row.key, row.value));
        self.storage
            .write(&mut rows.chain(meta).chain(layout) as &mut dyn Iterator<Item = Write<'_>>)?;
        self.layout.written();
        self.follow();
        self.overlay.clear();
        Ok(())
    }

    /// What is remembered of storage follows the batch that it has just taken.
    fn follow(&mut self) {
        let cache = self.cache.get_mut();
        for row in self.overlay.rows_as_written() {
            let is_entry = self.stores.kind(row.key[0]) == Some(StoreKind::Entries);
            match row.value {
                Some(_) if is_entry => self.floors.lower(row.key),
                None if is_entry => {}
                value => cache.update(row.hash, row.key, value),
            }
        }
        self.floors.committed();
    }
}
