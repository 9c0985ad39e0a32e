//! Where the entries of each index begin in storage, so that asking "is anything due" is free.
//!
//! Timer indexes are asked before every record and almost always have nothing. And entries leave
//! them at the front, where a log-structured store keeps their tombstones for a while: a scan
//! from the beginning would walk over all of them. The same goes for what a task has deleted since
//! its last commit, which is still in storage: each record would walk over all of that again.

use std::cell::RefCell;
use std::ops::ControlFlow;

use crate::read::VisitRow;
use crate::storage::Storage;
use crate::store_set::StoreKind;
use crate::{StateError, StoreSet};

/// Lower bounds, by index id: storage has no entry of that index before the bound. They hold
/// whatever is deleted, so only entries that go in have to be told.
#[derive(Debug, Default)]
pub(super) struct Floors {
    bounds: RefCell<Vec<Bound>>,
    /// The same of what the task sees, its writes since the last commit included. Undoing such
    /// writes may bring entries back.
    seen: RefCell<Vec<Bound>>,
}

/// An index, and the key before which it has nothing.
pub(super) type Bound = (u8, Vec<u8>);

impl Floors {
    /// What a scan of an index from its start can leave out, as the key to begin with; none where it
    /// would see nothing at all, and the start itself where nothing is known.
    pub(super) fn seen_from(&self, id: u8, until: &[u8]) -> Option<Vec<u8>> {
        let seen = self.seen.borrow();
        match seen.iter().find(|(known, _)| *known == id) {
            Some((_, seen)) => (seen.as_slice() < until).then(|| seen.clone()),
            None => Some(vec![id]),
        }
    }

    /// The task sees nothing of an index before this key.
    pub(super) fn see(&self, id: u8, key: Vec<u8>) {
        set(&mut self.seen.borrow_mut(), id, key);
    }

    /// The task puts in an entry.
    pub(super) fn lower_seen(&mut self, key: &[u8]) {
        lower(self.seen.get_mut(), key);
    }

    /// Writes since the last commit were undone.
    pub(super) fn forget_seen(&mut self) {
        self.seen.get_mut().clear();
    }

    /// What the task sees now.
    pub(super) fn seen_now(&self) -> Vec<Bound> {
        self.seen.borrow().clone()
    }

    /// What the task saw when it sealed a batch is what storage has now.
    pub(super) fn committed(&mut self, seen: Vec<Bound>) {
        for (id, key) in seen {
            set(self.bounds.get_mut(), id, key);
        }
    }

    /// Scans storage, of an index of entries from its floor on.
    pub(super) fn scan(
        &self,
        storage: &dyn Storage,
        stores: &StoreSet,
        (from, until): (&[u8], &[u8]),
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        let Some(id) = scanned_index(stores, from, until) else {
            return storage.scan(from, until, visit);
        };
        if self.is_empty_before(id, until) {
            return Ok(());
        }
        let floor = self.floor(id);
        let from_the_start = from[1..].iter().all(|byte| *byte == 0);
        if from > floor.as_slice() && !from_the_start {
            return storage.scan(from, until, visit);
        }
        let mut first: Option<Vec<u8>> = None;
        let outcome = storage.scan(&floor, until, &mut |key, value| {
            if first.is_none() {
                first = Some(key.to_vec());
            }
            if key < from {
                ControlFlow::Continue(())
            } else {
                visit(key, value)
            }
        });
        if outcome.is_ok() {
            self.raise(id, first.unwrap_or_else(|| until.to_vec()));
        }
        outcome
    }

    /// An entry goes into storage: no floor may stay above it.
    pub(super) fn lower(&mut self, key: &[u8]) {
        lower(self.bounds.get_mut(), key);
    }

    /// Whether the floor of an index is at or above the end of a range: the usual case.
    fn is_empty_before(&self, id: u8, until: &[u8]) -> bool {
        let bounds = self.bounds.borrow();
        let known = bounds.iter().find(|(known, _)| *known == id);
        known.is_some_and(|(_, floor)| floor.as_slice() >= until)
    }

    fn floor(&self, id: u8) -> Vec<u8> {
        let bounds = self.bounds.borrow();
        let known = bounds.iter().find(|(known, _)| *known == id);
        known.map_or_else(|| vec![id], |(_, floor)| floor.clone())
    }

    fn raise(&self, id: u8, floor: Vec<u8>) {
        set(&mut self.bounds.borrow_mut(), id, floor);
    }
}

fn set(bounds: &mut Vec<Bound>, id: u8, key: Vec<u8>) {
    match bounds.iter_mut().find(|(known, _)| *known == id) {
        Some((_, known)) => *known = key,
        None => bounds.push((id, key)),
    }
}

fn lower(bounds: &mut [Bound], key: &[u8]) {
    let id = key.first().copied();
    if let Some((_, bound)) = bounds.iter_mut().find(|(known, _)| Some(*known) == id)
        && key < bound.as_slice()
    {
        key.clone_into(bound);
    }
}

/// The index of entries that a scan visits from its start, if it is such a scan.
pub(super) fn begun_index(stores: &StoreSet, from: &[u8], until: &[u8]) -> Option<u8> {
    match from {
        [id] if scanned_index(stores, from, until) == Some(*id) => Some(*id),
        _ => None,
    }
}

/// The index of entries that a scan stays within, if it is such a scan.
fn scanned_index(stores: &StoreSet, from: &[u8], until: &[u8]) -> Option<u8> {
    let id = *from.first()?;
    // The end of a store is the next id alone; asked with every record, so without making it.
    let inside =
        until.first() == Some(&id) || matches!(until, [next] if id.checked_add(1) == Some(*next));
    (inside && stores.kind(id) == Some(StoreKind::Entries)).then_some(id)
}
