//! Which stores the stored data was written for, and whether its indexes are complete.
//!
//! Two rows of the internal store, always written in the same batch as what they describe:
//! the layout (one line per store and index), and a mark while indexes are behind.

use crate::storage::Storage;
use crate::store_set::INTERNAL_ID;
use crate::{StateError, StoreSet};

const LAYOUT_KEY: [u8; 2] = [INTERNAL_ID, 0];
const REBUILD_KEY: [u8; 2] = [INTERNAL_ID, 1];

/// Rows of the internal store to write; no value deletes.
pub(super) type InternalRows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What is stored about the stored data, and what has to be.
#[derive(Debug)]
pub(super) struct LayoutState {
    layout_stored: bool,
    mark_stored: bool,
    must_rebuild: bool,
}

impl LayoutState {
    /// Nothing is stored yet.
    pub(super) const fn empty() -> Self {
        Self {
            layout_stored: false,
            mark_stored: false,
            must_rebuild: false,
        }
    }

    pub(super) fn read(storage: &dyn Storage, stores: &StoreSet) -> Result<Self, StateError> {
        let mark_stored = storage.get(&REBUILD_KEY, &mut |_| ())?;
        let mut stored = None;
        storage.get(&LAYOUT_KEY, &mut |text| {
            stored = Some(String::from_utf8_lossy(text).into_owned());
        })?;
        let Some(stored) = stored else {
            return Ok(Self {
                layout_stored: false,
                mark_stored,
                must_rebuild: mark_stored,
            });
        };
        let wanted = stores.layout();
        let indexes_changed = compare(&stored, &wanted)?;
        let must_rebuild = mark_stored || indexes_changed;
        Ok(Self {
            layout_stored: stored == wanted,
            mark_stored,
            must_rebuild,
        })
    }

    pub(super) const fn must_rebuild(&self) -> bool {
        self.must_rebuild
    }

    pub(super) const fn set_must_rebuild(&mut self, must_rebuild: bool) {
        self.must_rebuild = must_rebuild;
    }

    /// The internal rows that the next batch has to carry.
    pub(super) fn unwritten_rows(&self, stores: &StoreSet) -> InternalRows {
        let mut rows = InternalRows::new();
        // While indexes are behind, the stored layout stays the one that they were built for.
        if !self.layout_stored && !self.must_rebuild {
            rows.push((LAYOUT_KEY.to_vec(), Some(stores.layout().into_bytes())));
        }
        if self.must_rebuild != self.mark_stored {
            rows.push((REBUILD_KEY.to_vec(), self.must_rebuild.then(Vec::new)));
        }
        rows
    }

    /// The batch with [`LayoutState::unwritten_rows`] is stored.
    pub(super) const fn written(&mut self) {
        self.layout_stored = self.layout_stored || !self.must_rebuild;
        self.mark_stored = self.must_rebuild;
    }
}

/// Whether derived indexes differ. New stores are fine: they are empty.
fn compare(stored: &str, wanted: &str) -> Result<bool, StateError> {
    let gone = stored
        .lines()
        .filter(|line| !wanted.lines().any(|other| other == *line));
    let added = wanted
        .lines()
        .filter(|line| !stored.lines().any(|other| other == *line));
    let mut indexes_changed = false;
    for line in gone {
        if !is_index(line) {
            return Err(StateError::LayoutChanged {
                change: format!("no longer: {line}"),
            });
        }
        indexes_changed = true;
    }
    let indexes_added = added.filter(|line| is_index(line)).count() > 0;
    Ok(indexes_changed || indexes_added)
}

/// Whether a line of a layout stands for a derived index.
fn is_index(line: &str) -> bool {
    matches!(line.split(' ').nth(1), Some("entries" | "sums"))
}
