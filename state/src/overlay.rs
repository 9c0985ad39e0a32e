//! Writes since the last commit, over the storage: ordered, and undone to a savepoint in time
//! proportional to the changes since it.
//!
//! All bytes live in one buffer that only grows until the next commit. A rollback therefore
//! needs no copies: it puts back where a value stood, and cuts the buffer off.
//!
//! Writes are put in order when a commit asks for it, all at once. Only the keys of a store that
//! is scanned in between are kept in order from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::key_order::sort_by_key;
use crate::short_key::ShortKey;

/// Ordered writes with an undo log.
#[derive(Default)]
pub(crate) struct Overlay {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Slots by the hash of their key: reads and writes of single keys.
    by_hash: HashTable<usize>,
    scanned: Mutex<Scanned>,
    /// All slots in key order, if somebody has asked since the last key went in or out.
    in_order: Mutex<Vec<usize>>,
    /// The lowest key of each store that was written since the last commit, some undone again: a
    /// scan that ends before it finds nothing here. What is due is asked for with every record.
    lowest: Vec<(u8, ShortKey)>,
    hasher: DefaultHashBuilder,
    undo: Vec<Undo>,
    /// Where the buffer ended at the last savepoint: values behind it are not needed for undo.
    kept: usize,
    /// Commits and discards so far; a savepoint does not outlive them.
    generation: u64,
    settling: Settling,
    /// Whether a savepoint was taken since.
    undoable: bool,
}

/// Slots by key, of the stores that were scanned since the last commit.
#[derive(Default)]
struct Scanned {
    stores: BTreeSet<u8>,
    by_key: BTreeMap<ShortKey, usize>,
}

/// How far the writes since the last commit were looked through for settled ones.
#[derive(Default)]
struct Settling {
    /// Slots before this one were looked at.
    looked_at: usize,
    /// Slots that there were at the last look.
    there: usize,
    /// Looks since the last commit.
    looks: u32,
}

/// A point to roll back to. It ends with the next commit or discard.
#[derive(Debug)]
#[must_use = "a savepoint that is not kept cannot be rolled back to"]
pub struct Savepoint {
    undo: usize,
    bytes: usize,
    generation: u64,
}

/// Whether a write belongs into the changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Written by a processor.
    Logged,
    /// Derived, purged, or read from the changelog itself.
    Local,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    key: Span,
    state: SlotState,
}

#[derive(Clone, Copy)]
struct SlotState {
    value: Option<Span>,
    logged: bool,
    /// Told as settled, and not written since.
    settled: bool,
    /// Looks for settled writes before this one.
    looks: u32,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

struct Undo {
    slot: usize,
    /// None: the slot was not there.
    previous: Option<SlotState>,
}

/// One write of the overlay; no value means deleted.
pub(crate) struct OverlayRow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) hash: u64,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) logged: bool,
    /// Told as settled, and not written since.
    pub(crate) settled: bool,
}

impl Overlay {
    /// An empty overlay for the writes after these, with the room of one that is used up. Both
    /// hash keys alike, and no savepoint of one fits the other.
    pub(crate) fn successor(&self, used_up: Option<Self>) -> Self {
        let mut next = used_up.unwrap_or_else(|| Self {
            hasher: self.hasher.clone(),
            ..Self::default()
        });
        next.clear();
        next.generation = self.generation + 1;
        next
    }

    /// The hash of a key, by which everything in memory finds it: a read takes it once.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What was written under a key of this hash: nothing, a delete (inner none), or a value.
    pub(crate) fn get_hashed(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        let slot = self.find(hash, key)?;
        Some(self.slots[slot].state.value.map(|span| self.at(span)))
    }

    /// Writes a value, or a delete.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>, origin: Origin) {
        let hash = self.hash(key);
        let logged = origin == Origin::Logged;
        match self.find(hash, key) {
            Some(slot) => self.replace(slot, value, logged),
            None => self.create(hash, key, value, logged),
        }
    }

    /// The writes from a key (included) until another (not included), in key order.
    pub(crate) fn range<'a>(
        &'a self,
        from: &[u8],
        until: &'a [u8],
    ) -> impl Iterator<Item = OverlayRow<'a>> + use<'a> {
        let mut next = (!self.is_empty_between(from, until)).then(|| {
            self.keep_in_order(from, until);
            self.first_between(Bound::Included(from), until)
        });
        // Step by step, because a visitor may begin a scan of its own.
        std::iter::from_fn(move || {
            let slot = next.take().flatten()?;
            let row = self.row(slot);
            next = Some(self.first_between(Bound::Excluded(row.key), until));
            Some(row)
        })
    }

    /// The first slot of a range, whose stores are kept in order.
    fn first_between(&self, from: Bound<&[u8]>, until: &[u8]) -> Option<usize> {
        let scanned = lock(&self.scanned);
        let mut rows = scanned.by_key.range::<[u8], _>((from, Bound::Unbounded));
        let (key, slot) = rows.next()?;
        (key.as_slice() < until).then_some(*slot)
    }

    /// The keys of these stores are in order from now on.
    fn keep_in_order(&self, from: &[u8], until: &[u8]) {
        let id = |key: &[u8]| key.first().copied().unwrap_or_default();
        let mut scanned = lock(&self.scanned);
        let Scanned { stores, by_key } = &mut *scanned;
        let new: BTreeSet<u8> = (id(from)..=id(until))
            .filter(|id| !stores.contains(id))
            .collect();
        if new.is_empty() {
            return;
        }
        for (slot, Slot { key, .. }) in self.slots.iter().enumerate() {
            let key = self.at(*key);
            if new.contains(&id(key)) {
                by_key.insert(key.into(), slot);
            }
        }
        stores.extend(new);
    }

    /// Whether a range inside one store certainly has no writes.
    fn is_empty_between(&self, from: &[u8], until: &[u8]) -> bool {
        let Some(id) = from.first().filter(|id| until.first() == Some(id)) else {
            return false;
        };
        let lowest = self.lowest.iter().find(|(known, _)| known == id);
        lowest.is_none_or(|(_, lowest)| until <= lowest.as_slice())
    }

    /// All writes in key order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = OverlayRow<'_>> {
        let mut order = lock(&self.in_order);
        if order.len() != self.slots.len() {
            order.clear();
            order.extend(0..self.slots.len());
            sort_by_key(&mut order, |slot| self.at(self.slots[slot].key));
        }
        (0..order.len()).map(move |place| self.row(order[place]))
    }

    /// All writes in no particular order, which costs nothing.
    pub(crate) fn rows_as_written(&self) -> impl Iterator<Item = OverlayRow<'_>> {
        (0..self.slots.len()).map(|slot| self.row(slot))
    }

    /// Tells the writes that were there at the last call, that is as they were at it, and that were
    /// not told before. Each key is looked at once: what is written again and again is not told.
    /// It must not be called with a savepoint that may still be rolled back to.
    pub(crate) fn settle<E>(
        &mut self,
        mut tell: impl FnMut(OverlayRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Settling {
            looked_at,
            there,
            looks,
        } = self.settling;
        for slot in looked_at..there {
            let state = self.slots[slot].state;
            if state.logged && state.looks < looks {
                tell(self.row(slot))?;
                self.slots[slot].state.settled = true;
            }
        }
        self.settling = Settling {
            looked_at: there,
            there: self.slots.len(),
            looks: looks + 1,
        };
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn savepoint(&mut self) -> Savepoint {
        self.undoable = true;
        self.kept = self.bytes.len();
        Savepoint {
            undo: self.undo.len(),
            bytes: self.bytes.len(),
            generation: self.generation,
        }
    }

    /// Undoes every write since the savepoint.
    pub(crate) fn rollback(&mut self, savepoint: &Savepoint) {
        assert!(
            savepoint.generation == self.generation && savepoint.undo <= self.undo.len(),
            "a savepoint must not outlive its batch, or an earlier savepoint rolled back to"
        );
        while self.undo.len() > savepoint.undo {
            if let Some(undo) = self.undo.pop() {
                self.undo_one(&undo);
            }
        }
        self.bytes.truncate(savepoint.bytes);
        self.kept = savepoint.bytes;
    }

    /// Forgets everything, and ends all savepoints.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        self.by_hash.clear();
        *lock_mut(&mut self.scanned) = Scanned::default();
        lock_mut(&mut self.in_order).clear();
        self.lowest.clear();
        self.undo.clear();
        self.kept = 0;
        self.undoable = false;
        self.settling = Settling::default();
        self.generation += 1;
    }

    fn replace(&mut self, slot: usize, value: Option<&[u8]>, logged: bool) {
        let previous = self.slots[slot].state;
        let logged = logged || previous.logged;
        if let (Some(span), Some(value)) = (previous.value, value) {
            // A value younger than every savepoint is needed by nobody any more. An empty one has
            // no place of its own, so its age cannot be told.
            let young = span.start >= self.kept && span.end > span.start;
            if young && value.len() <= span.end - span.start {
                let end = span.start + value.len();
                self.bytes[span.start..end].copy_from_slice(value);
                let value = Some(Span {
                    start: span.start,
                    end,
                });
                self.slots[slot].state = self.written(value, logged);
                return;
            }
        }
        let value = value.map(|value| self.append(value));
        self.slots[slot].state = self.written(value, logged);
        self.remember(Undo {
            slot,
            previous: Some(previous),
        });
    }

    fn create(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>, logged: bool) {
        let slot = self.slots.len();
        let span = self.append(key);
        let value = value.map(|value| self.append(value));
        self.slots.push(Slot {
            hash,
            key: span,
            state: self.written(value, logged),
        });
        let slots = &self.slots;
        self.by_hash
            .insert_unique(hash, slot, |slot| slots[*slot].hash);
        lock_mut(&mut self.in_order).clear();
        let Scanned { stores, by_key } = lock_mut(&mut self.scanned);
        if key.first().is_some_and(|id| stores.contains(id)) {
            by_key.insert(key.into(), slot);
        }
        self.lower(key);
        self.remember(Undo {
            slot,
            previous: None,
        });
    }

    fn written(&self, value: Option<Span>, logged: bool) -> SlotState {
        SlotState {
            value,
            logged,
            settled: false,
            looks: self.settling.looks,
        }
    }

    /// A key goes in: the lowest of its store may be this one.
    fn lower(&mut self, key: &[u8]) {
        let Some(id) = key.first() else { return };
        match self.lowest.iter_mut().find(|(known, _)| known == id) {
            Some((_, lowest)) if lowest.as_slice() <= key => {}
            Some((_, lowest)) => *lowest = key.into(),
            None => self.lowest.push((*id, key.into())),
        }
    }

    fn remember(&mut self, undo: Undo) {
        if self.undoable {
            self.undo.push(undo);
        }
    }

    fn undo_one(&mut self, undo: &Undo) {
        if let Some(previous) = undo.previous {
            self.slots[undo.slot].state = previous;
            return;
        }
        // Slots are made in order, so the youngest one is the last.
        let Some(slot) = self.slots.pop() else { return };
        let key = &self.bytes[slot.key.start..slot.key.end];
        lock_mut(&mut self.in_order).clear();
        lock_mut(&mut self.scanned).by_key.remove(key);
        let is_it = |index: &usize| *index == undo.slot;
        if let Ok(entry) = self.by_hash.find_entry(slot.hash, is_it) {
            entry.remove();
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.bytes.len(),
        }
    }

    fn row(&self, slot: usize) -> OverlayRow<'_> {
        let Slot { hash, key, state } = self.slots[slot];
        OverlayRow {
            key: self.at(key),
            hash,
            value: state.value.map(|span| self.at(span)),
            logged: state.logged,
            settled: state.settled,
        }
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        self.by_hash
            .find(hash, |slot| self.at(self.slots[*slot].key) == key)
            .copied()
    }

    fn at(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }
}

/// Nobody waits for long: two threads read an overlay only while one of them stores it.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_mut<T>(of: &mut Mutex<T>) -> &mut T {
    of.get_mut().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Origin, Overlay};

    #[test]
    fn what_was_not_written_again_settles_once() {
        let mut overlay = Overlay::default();
        let settled = |overlay: &mut Overlay| {
            let mut keys = Vec::new();
            let told: Result<(), ()> = overlay.settle(|row| {
                keys.push(row.key[0]);
                Ok(())
            });
            told.unwrap();
            String::from_utf8(keys).unwrap()
        };
        let put = |overlay: &mut Overlay, key: &[u8]| {
            overlay.put(key, Some(b"row"), Origin::Logged);
        };
        put(&mut overlay, b"a");
        put(&mut overlay, b"b");
        overlay.put(b"l", Some(b"row"), Origin::Local);
        assert_eq!(settled(&mut overlay), "", "they were not there a look ago");
        put(&mut overlay, b"b");
        put(&mut overlay, b"c");
        assert_eq!(settled(&mut overlay), "a");
        let savepoint = overlay.savepoint();
        put(&mut overlay, b"a");
        overlay.rollback(&savepoint);
        assert_eq!(settled(&mut overlay), "c");
        put(&mut overlay, b"c");
        let left = overlay.rows().filter(|row| row.logged && !row.settled);
        let left: Vec<u8> = left.map(|row| row.key[0]).collect();
        assert_eq!(
            left, b"bc",
            "written again, the one never told, the other told before"
        );
        overlay.clear();
        put(&mut overlay, b"d");
        assert_eq!(settled(&mut overlay), "");
    }

    #[test]
    fn a_scan_finds_what_went_in_before_and_after_others_of_its_store() {
        let mut overlay = Overlay::default();
        let found = |overlay: &Overlay| overlay.range(b"\x01a", b"\x01c").count();
        for (key, expected) in [(b"\x01x", 0), (b"\x01b", 1), (b"\x01a", 2), (b"\x02b", 2)] {
            overlay.put(key, Some(b"row"), Origin::Local);
            assert_eq!(found(&overlay), expected);
        }
        let order: Vec<u8> = overlay.rows().map(|row| row.key[1]).collect();
        assert_eq!(order, b"abxb");
        overlay.clear();
        assert_eq!(found(&overlay), 0);
    }
}
