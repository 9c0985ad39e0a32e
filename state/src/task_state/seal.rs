//! A batch whose commit is under way: it changes no more, and the next one is written over it.

use std::mem;

use super::TaskState;
use super::due::Bound;
use crate::overlay::{Overlay, OverlayRow};

/// The writes of a batch that is decided.
pub(super) struct Sealed {
    pub(super) rows: Overlay,
    /// What the task saw of its indexes when it was sealed: what storage has once it is committed.
    pub(super) seen: Vec<Bound>,
}

impl TaskState {
    /// Ends the open batch: what is written from here on belongs to the next one, and
    /// [`TaskState::commit`] makes this one real.
    ///
    /// # Panics
    /// If a batch is sealed already: there is one commit at a time.
    pub fn seal(&mut self) {
        assert!(
            self.sealed.is_none(),
            "the batch before must be committed or unsealed first"
        );
        let next = self.overlay.successor(self.used_up.take());
        self.sealed = Some(Sealed {
            rows: mem::replace(&mut self.overlay, next),
            seen: self.floors.seen_now(),
        });
    }

    /// Opens the sealed batch again, if there is one, without what was written after it.
    pub fn unseal(&mut self) {
        let Some(sealed) = self.sealed.take() else {
            return;
        };
        self.used_up = Some(mem::replace(&mut self.overlay, sealed.rows));
        self.floors.forget_seen();
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
