//! A batch whose commit is under way: it changes no more, and the next one is written over it.

use std::mem;
use std::sync::Arc;

use super::TaskState;
use super::due::Bound;
use super::layout::InternalRows;
use crate::StateError;
use crate::overlay::{Overlay, OverlayRow};
use crate::read::meta_key;
use crate::storage::{Storage, Write};

/// The writes of a batch that is decided.
pub(super) struct Sealed {
    rows: Arc<Overlay>,
    /// What the task saw of its indexes when it was sealed: what storage has once it is committed.
    seen: Vec<Bound>,
}

/// A sealed batch on its way into storage, by whichever thread.
pub struct StoreBatch {
    storage: Arc<dyn Storage>,
    rows: Arc<Overlay>,
    layout: InternalRows,
}

impl StoreBatch {
    /// Makes the batch real, and these meta rows with it: all or nothing, whenever the process is
    /// killed. Nothing of it is lost after that. [`TaskState::stored`] must follow.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn write(&self, meta: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        let rows = self.rows.rows().map(|row| (row.key, row.value));
        write_batch(&*self.storage, rows, meta, &self.layout)
    }
}

/// Writes rows in one batch with the meta rows and the internal ones.
pub(super) fn write_batch<'a>(
    storage: &dyn Storage,
    rows: impl Iterator<Item = Write<'a>>,
    meta: &[(&[u8], &[u8])],
    layout: &InternalRows,
) -> Result<(), StateError> {
    let meta: Vec<(Vec<u8>, &[u8])> = meta
        .iter()
        .map(|(key, value)| (meta_key(key), *value))
        .collect();
    let meta = meta
        .iter()
        .map(|(key, value)| (key.as_slice(), Some(*value)));
    let layout = layout.iter();
    let layout = layout.map(|(key, value)| (key.as_slice(), value.as_deref()));
    #[expect(
        clippy::map_identity,
        reason = "the rows live longer than the meta rows"
    )]
    let rows = rows.map(|(key, value)| (key, value));
    storage.write(&mut rows.chain(meta).chain(layout) as &mut dyn Iterator<Item = Write<'_>>)
}

impl TaskState {
    /// Ends the open batch: what is written from here on belongs to the next one. Once this one,
    /// which [`TaskState::sealed_batch`] hands out, is written, call [`TaskState::stored`].
    ///
    /// # Errors
    /// [`StateError::IndexesNotBuilt`] between a bulk restore and its rebuild, and those of the
    /// storage; nothing is sealed then.
    ///
    /// # Panics
    /// If a batch is sealed already: there is one commit at a time.
    pub fn seal(&mut self) -> Result<(), StateError> {
        if self.layout.must_rebuild() {
            return Err(StateError::IndexesNotBuilt);
        }
        self.close_batch()
    }

    /// Seals without asking whether indexes are complete.
    pub(super) fn close_batch(&mut self) -> Result<(), StateError> {
        assert!(
            self.sealed.is_none(),
            "the batch before must be stored or discarded first"
        );
        self.absent
            .advance(&self.stores, self.storage.as_ref(), &self.overlay)?;
        self.absent.note(&self.stores, &self.overlay);
        let next = self.overlay.successor(self.used_up.take());
        self.sealed = Some(Sealed {
            rows: Arc::new(mem::replace(&mut self.overlay, next)),
            seen: self.floors.seen_now(),
        });
        Ok(())
    }

    /// The sealed batch, if there is one. Writing it twice is writing it once.
    #[must_use]
    pub fn sealed_batch(&self) -> Option<StoreBatch> {
        Some(StoreBatch {
            storage: Arc::clone(&self.storage),
            rows: Arc::clone(&self.sealed.as_ref()?.rows),
            layout: self.layout.unwritten_rows(&self.stores),
        })
    }

    /// The sealed batch is in storage.
    pub fn stored(&mut self) {
        if let Some(sealed) = self.sealed.take() {
            self.layout.written();
            self.follow(&sealed.rows);
            self.floors.committed(sealed.seen);
            self.used_up = Arc::into_inner(sealed.rows);
        }
    }

    /// Opens a batch again that could not be written at once, so that nothing is written over it.
    pub(super) fn reopen(&mut self) {
        let sealed = self.sealed.take();
        if let Some(rows) = sealed.and_then(|sealed| Arc::into_inner(sealed.rows)) {
            self.used_up = Some(mem::replace(&mut self.overlay, rows));
            self.floors.forget_seen();
        }
    }

    /// What the sealed batch wrote under a key.
    pub(super) fn sealed_row(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        self.sealed.as_ref()?.rows.get_hashed(hash, key)
    }

    /// The writes of a range since the last commit in key order, of each key the last one.
    pub(super) fn written<'a>(
        &'a self,
        from: &[u8],
        until: &'a [u8],
    ) -> impl Iterator<Item = OverlayRow<'a>> + use<'a> {
        let sealed = self.sealed.as_ref();
        let mut older = sealed.map(|sealed| sealed.rows.range(from, until).peekable());
        let mut newer = self.overlay.range(from, until).peekable();
        std::iter::from_fn(move || {
            let Some(older) = &mut older else {
                return newer.next();
            };
            let Some(new) = newer.peek() else {
                return older.next();
            };
            match older.next_if(|old| old.key < new.key) {
                Some(old) => Some(old),
                None => {
                    older.next_if(|old| old.key == new.key);
                    newer.next()
                }
            }
        })
    }
}
