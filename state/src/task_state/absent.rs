//! Which rows are certainly not in storage, so that asking for them costs no look into it.
//!
//! Most commands ask for rows that are not there: the receipt of a new command, the sum of a new
//! user. Every key that storage has is in a filter of few bytes a row; what is not in the filter
//! is absent. A key goes in *before* the batch that stores it, whatever becomes of that batch: the
//! filter may know too much and never too little.
//!
//! Storage that was there before the process is read key by key, a piece with each commit, so that
//! a start does not wait for it. Keys stored meanwhile go into the filter under construction too:
//! once the scan is at its end, it has every key. Deleted keys stay in a filter, so it is built
//! anew when half of its keys have been deleted.

use crate::key_filter::KeyFilter;
use crate::overlay::Overlay;
use crate::range::end_of;
use crate::storage::{Storage, scan_piece};
use crate::store_set::StoreKind;
use crate::{StateError, StoreSet};

/// Fewest keys that are read with a commit, while a filter is under construction.
const MIN_PIECE: usize = 1_024;

/// A filter of fewer keys is not worth building anew.
const MIN_REBUILT: usize = 1 << 20;

/// What is known about absent rows of stores and sums.
pub(super) struct Absent {
    complete: Option<KeyFilter>,
    building: Option<Building>,
    /// Rows deleted since the last construction began.
    deleted: usize,
    /// A filter of fewer keys is not worth building anew.
    worth_rebuilding: usize,
}

struct Building {
    filter: KeyFilter,
    /// Where the scan goes on.
    from: Vec<u8>,
}

impl Absent {
    /// Nothing is known of this storage yet.
    pub(super) fn unknown() -> Self {
        Self {
            complete: None,
            building: Some(Building::begin()),
            deleted: 0,
            worth_rebuilding: MIN_REBUILT,
        }
    }

    /// The storage is empty.
    pub(super) fn everything() -> Self {
        Self {
            complete: Some(KeyFilter::default()),
            building: None,
            deleted: 0,
            worth_rebuilding: MIN_REBUILT,
        }
    }

    /// Whether storage certainly has no row under this key.
    pub(super) fn is_certain(&self, stores: &StoreSet, key: &[u8], hash: u64) -> bool {
        let filter = self.complete.as_ref().filter(|_| is_tracked(stores, key));
        filter.is_some_and(|filter| !filter.may_contain(hash))
    }

    /// These rows are about to be stored and deleted.
    pub(super) fn note(&mut self, stores: &StoreSet, rows: &Overlay) {
        for row in rows.rows_as_written() {
            self.note_row(stores, row.key, row.hash, row.value.is_some());
        }
    }

    /// A row is about to be stored, or else deleted.
    pub(super) fn note_row(&mut self, stores: &StoreSet, key: &[u8], hash: u64, stored: bool) {
        if !is_tracked(stores, key) {
            return;
        }
        if !stored {
            self.deleted += 1;
            return;
        }
        let filters = [
            self.complete.as_mut(),
            self.building.as_mut().map(|building| &mut building.filter),
        ];
        for filter in filters.into_iter().flatten() {
            filter.insert(hash);
        }
    }

    /// Moves a construction on by as many keys as the batch has rows, or a few more.
    pub(super) fn advance(
        &mut self,
        stores: &StoreSet,
        storage: &dyn Storage,
        rows: &Overlay,
    ) -> Result<(), StateError> {
        let keys = self.complete.as_ref().map_or(0, KeyFilter::keys);
        if self.building.is_none() && keys > self.worth_rebuilding && 2 * self.deleted > keys {
            self.building = Some(Building::begin());
            self.deleted = 0;
        }
        let Some(building) = &mut self.building else {
            return Ok(());
        };
        let piece = rows.len().max(MIN_PIECE);
        if building.scan(stores, storage, piece, &|key| rows.hash(key))? {
            self.complete = Some(std::mem::take(&mut building.filter));
            self.building = None;
        }
        Ok(())
    }
}

impl Building {
    fn begin() -> Self {
        Self {
            filter: KeyFilter::default(),
            from: Vec::new(),
        }
    }

    /// Reads the next `piece` keys. Returns whether all are read.
    fn scan(
        &mut self,
        stores: &StoreSet,
        storage: &dyn Storage,
        piece: usize,
        hash: &dyn Fn(&[u8]) -> u64,
    ) -> Result<bool, StateError> {
        let mut left = piece;
        let first = self.from.first().copied().unwrap_or_default();
        for id in (first..=u8::MAX).filter(|id| is_tracked(stores, &[*id])) {
            let from = std::mem::take(&mut self.from);
            let from = if from.first() == Some(&id) {
                from
            } else {
                vec![id]
            };
            let filter = &mut self.filter;
            let next = scan_piece(storage, (&from, &end_of(id)), &mut left, |key, _| {
                filter.insert(hash(key));
                Ok(())
            })?;
            self.from = next.unwrap_or_default();
            if !self.from.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Only rows that are asked for by their whole key; entries of an index are scanned.
fn is_tracked(stores: &StoreSet, key: &[u8]) -> bool {
    let kind = key.first().and_then(|id| stores.kind(*id));
    matches!(kind, Some(StoreKind::Store(_) | StoreKind::Sums))
}

#[cfg(test)]
mod tests {
    use super::{Absent, MIN_PIECE};
    use crate::overlay::{Origin, Overlay};
    use crate::storage::{MemoryDatabase, StorageProvider as _};
    use crate::{StoreSet, SumIndex};

    const SUMS: SumIndex<u64> = SumIndex::new(17, "sums");

    #[test]
    fn a_filter_that_has_outgrown_its_rows_is_built_anew_without_a_moment_of_doubt() {
        let stores = StoreSet::builder().sum(&SUMS).build().expect("a set");
        let storage = MemoryDatabase::new().storage("0_0").expect("a storage");
        let mut absent = Absent::everything();
        absent.worth_rebuilding = 3 * MIN_PIECE;
        let mut overlay = Overlay::default();
        let rows_key = |number: usize| [[17].as_slice(), &number.to_be_bytes()].concat();
        // Each round replaces all rows, so most of what the filter learns is soon gone.
        for round in 0..12 {
            let numbers = |round: usize| round * 2 * MIN_PIECE..(round + 1) * 2 * MIN_PIECE;
            for number in numbers(round) {
                overlay.put(&rows_key(number), Some(b"row"), Origin::Local);
            }
            for number in numbers(round).map(|number| number.wrapping_sub(2 * MIN_PIECE)) {
                overlay.put(&rows_key(number), None, Origin::Local);
            }
            absent
                .advance(&stores, storage.as_ref(), &overlay)
                .expect("a scan");
            absent.note(&stores, &overlay);
            let rows = overlay.rows().map(|row| (row.key, row.value));
            storage
                .write(&mut rows.collect::<Vec<_>>().into_iter())
                .expect("a batch");
            overlay.clear();
            for key in numbers(round).map(rows_key) {
                let hash = overlay.hash(&key);
                assert!(!absent.is_certain(&stores, &key, hash));
            }
            let filter = absent.complete.as_ref().expect("a filter at any time");
            // Without the deleted ones it has at most two rounds when done, and three till then.
            assert!(filter.keys() <= 8 * MIN_PIECE, "{} keys", filter.keys());
        }
        let others = (0..1_000).map(|number| rows_key(usize::MAX - number));
        let told = others.filter(|key| absent.is_certain(&stores, key, overlay.hash(key)));
        assert!(told.count() > 900);
    }
}
