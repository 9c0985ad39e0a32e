//! From changelog records back to state.
//!
//! A short restore goes through the overlay, so that indexes follow by difference. A long one
//! writes rows as they come, and builds the indexes by one scan at the end.

use super::TaskState;
use super::seal::write_batch;
use crate::StateError;
use crate::derived::Side;
use crate::overlay::Origin;
use crate::read::ReadState;
use crate::storage::Write;

impl TaskState {
    /// Writes changelog records and meta rows in one storage batch; indexes follow by
    /// difference. Records must come in the changelog's order.
    ///
    /// # Errors
    /// [`StateError::UnknownStore`] for a record of no store of this task,
    /// [`StateError::Corrupted`] for one that cannot be read, [`StateError::Uncommitted`] with
    /// writes in the overlay, and those of the storage. Nothing is written then.
    pub fn restore(
        &mut self,
        records: &mut dyn Iterator<Item = Write<'_>>,
        meta: &[(&[u8], &[u8])],
    ) -> Result<(), StateError> {
        self.require_clean("restore")?;
        let outcome = self.apply_all(records).and_then(|()| self.commit(meta));
        if outcome.is_err() {
            self.discard();
        }
        outcome
    }

    /// Applies one changelog record to the overlay, for callers whose records cannot be
    /// collected into one iterator; [`TaskState::commit`] ends the batch. It is no change of the
    /// task's own: [`TaskState::changes`] leaves it out.
    ///
    /// # Errors
    /// As for [`TaskState::restore`].
    pub fn apply_changelog(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        let stores = self.stores.clone();
        let rows = stores.source_of(key)?;
        if rows.has_derived_rows() {
            let mut changes = std::mem::take(&mut self.scratch.derived);
            changes.clear();
            let mut derived = Ok(());
            self.visit_bytes(key, &mut |old| {
                derived = rows.derive(Side::Old, key, old, &mut changes);
            })?;
            derived?;
            if let Some(new) = value {
                rows.derive(Side::New, key, new, &mut changes)?;
            }
            self.settle(&mut changes)?;
            self.scratch.derived = changes;
        }
        self.overlay.put(key, value, Origin::Local);
        Ok(())
    }

    /// Writes changelog records and meta rows in one storage batch, without indexes: they are
    /// marked as not built, and [`TaskState::rebuild_indexes`] must follow the last such batch.
    ///
    /// # Errors
    /// As for [`TaskState::restore`], except that values are not looked at.
    pub fn restore_bulk(
        &mut self,
        records: &mut dyn Iterator<Item = Write<'_>>,
        meta: &[(&[u8], &[u8])],
    ) -> Result<(), StateError> {
        self.require_clean("a bulk restore")?;
        // Past the overlay: nobody reads in between, and nothing is rolled back.
        let mut rows: Vec<Write<'_>> = records.collect();
        for (key, _) in &rows {
            self.stores.source_of(key)?;
        }
        // In key order the write buffer finds each place from the one before; of a key that comes
        // twice the last value stays, since the sort keeps their order.
        rows.sort_by_key(|(key, _)| *key);
        for (key, value) in &rows {
            let hash = self.overlay.hash(key);
            self.absent
                .note_row(&self.stores, key, hash, value.is_some());
        }
        self.layout.set_must_rebuild(true);
        let layout = self.layout.unwritten_rows(&self.stores);
        write_batch(&*self.storage, rows.into_iter(), meta, &layout)?;
        self.layout.written();
        self.cache.get_mut().clear();
        Ok(())
    }

    /// Whether [`TaskState::rebuild_indexes`] is due.
    #[must_use]
    pub fn must_rebuild_indexes(&self) -> bool {
        self.layout.must_rebuild()
    }

    pub(super) fn require_clean(&self, operation: &'static str) -> Result<(), StateError> {
        if self.overlay.is_empty() && self.sealed.is_none() {
            return Ok(());
        }
        Err(StateError::Uncommitted { operation })
    }

    fn apply_all(
        &mut self,
        records: &mut dyn Iterator<Item = Write<'_>>,
    ) -> Result<(), StateError> {
        if self.layout.must_rebuild() {
            return Err(StateError::IndexesNotBuilt);
        }
        for (key, value) in records {
            self.apply_changelog(key, value)?;
        }
        Ok(())
    }
}
