//! Derived indexes: what changes in them when a row is replaced, by difference.
//!
//! A row's old value is derived once more to take its contributions back, its new value to add
//! them. Only the difference is written, so a write that moves nothing costs no index row.

use crate::keys::KeyWriter;
use crate::store_set::EXPIRY_ID;
use crate::{EntryIndex, Key, KeyLike, SumIndex};

/// What a row contributes to derived indexes; handed to the function given to
/// [`Store::derives`](crate::Store::derives).
#[derive(Debug)]
pub struct Derived<'a> {
    side: Side,
    changes: &'a mut DerivedChanges,
}

impl<'a> Derived<'a> {
    pub(crate) fn new(side: Side, changes: &'a mut DerivedChanges) -> Self {
        Self { side, changes }
    }

    /// The row has this entry in the index.
    pub fn entry<K: Key, Q: KeyLike<K> + ?Sized>(&mut self, index: &EntryIndex<K>, key: &Q) {
        let start = self.changes.keys.append(index.id(), key);
        self.changes.push(start, Contribution::Entry(self.side));
    }

    /// The row adds this much to the sum under the key.
    pub fn add<K: Key, Q: KeyLike<K> + ?Sized>(
        &mut self,
        index: &SumIndex<K>,
        key: &Q,
        delta: i64,
    ) {
        if delta == 0 {
            return;
        }
        let start = self.changes.keys.append(index.id(), key);
        let delta = match self.side {
            Side::Old => -i128::from(delta),
            Side::New => i128::from(delta),
        };
        self.changes.push(start, Contribution::Sum(delta));
    }
}

/// Whether contributions are taken back or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Old,
    New,
}

/// What became of one derived row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DerivedChange {
    EntryAdded,
    EntryRemoved,
    /// By how much the sum moves; never zero. Wide, so that collecting cannot overflow.
    SumMoved(i128),
}

#[derive(Clone, Copy, Debug)]
enum Contribution {
    Entry(Side),
    Sum(i128),
}

/// Collects the contributions of one write, and settles them into changes.
#[derive(Debug, Default)]
pub(crate) struct DerivedChanges {
    keys: KeyWriter,
    contributions: Vec<(usize, usize, Contribution)>,
}

impl DerivedChanges {
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.contributions.clear();
    }

    /// The expiry entry of a row of a windowed store.
    pub(crate) fn expiry(&mut self, side: Side, expires_at_ms: i64, physical_key: &[u8]) {
        let start = self.keys.append(EXPIRY_ID, &expires_at_ms);
        self.keys.raw(physical_key);
        self.push(start, Contribution::Entry(side));
    }

    fn push(&mut self, start: usize, contribution: Contribution) {
        self.contributions
            .push((start, self.keys.bytes().len(), contribution));
    }

    /// Visits every derived row that differs, in key order.
    pub(crate) fn settle<E>(
        &mut self,
        mut change: impl FnMut(&[u8], DerivedChange) -> Result<(), E>,
    ) -> Result<(), E> {
        let keys = self.keys.bytes();
        let key_of = |(start, end, _): &(usize, usize, Contribution)| &keys[*start..*end];
        self.contributions
            .sort_unstable_by(|a, b| key_of(a).cmp(key_of(b)));
        for group in self.contributions.chunk_by(|a, b| key_of(a) == key_of(b)) {
            if let Some(difference) = difference(group) {
                change(key_of(&group[0]), difference)?;
            }
        }
        Ok(())
    }
}

/// The difference that the contributions to one key make, if any.
fn difference(group: &[(usize, usize, Contribution)]) -> Option<DerivedChange> {
    let (mut was, mut is, mut moved) = (false, false, 0);
    for (_, _, contribution) in group {
        match contribution {
            Contribution::Entry(Side::Old) => was = true,
            Contribution::Entry(Side::New) => is = true,
            Contribution::Sum(delta) => moved += delta,
        }
    }
    match (was, is) {
        (false, true) => Some(DerivedChange::EntryAdded),
        (true, false) => Some(DerivedChange::EntryRemoved),
        _ => (moved != 0).then_some(DerivedChange::SumMoved(moved)),
    }
}
