//! Writing one row: encoded into buffers that are used again, derived rows by difference.

use std::mem;

use stagedoor_avro::AvroRecord;

use super::{Scratch, TaskState};
use crate::derived::{DerivedChange, DerivedChanges, Side};
use crate::error::hex;
use crate::overlay::Origin;
use crate::read::{ReadState, read_sum};
use crate::store_set::StoreKind;
use crate::{Key, StateError, Store};

impl TaskState {
    pub(super) fn write<K: Key, V: AvroRecord>(
        &mut self,
        store: &Store<K, V>,
        key: &K,
        value: Option<&V>,
    ) -> Result<(), StateError> {
        self.stores.check(store.id(), store.name())?;
        let mut scratch = mem::take(&mut self.scratch);
        let outcome = self.write_with(&mut scratch, store, key, value);
        self.scratch = scratch;
        outcome
    }

    fn write_with<K: Key, V: AvroRecord>(
        &mut self,
        scratch: &mut Scratch,
        store: &Store<K, V>,
        key: &K,
        value: Option<&V>,
    ) -> Result<(), StateError> {
        scratch.key.start(store.id(), key);
        let bytes = scratch.key.bytes();
        scratch.value.clear();
        if let Some(value) = value {
            stagedoor_avro::encode(value, &mut scratch.value).map_err(|source| {
                StateError::Unencodable {
                    store: store.name(),
                    source,
                }
            })?;
        }
        if store.has_derived_rows() {
            let derived = &mut scratch.derived;
            derived.clear();
            if let Some(old) = self.stored_row(store, bytes)? {
                store.derive(Side::Old, bytes, (key, &old), derived);
            }
            if let Some(new) = value {
                store.derive(Side::New, bytes, (key, new), derived);
            }
            self.settle(derived)?;
        }
        let value = value.map(|_| scratch.value.as_slice());
        self.overlay.put(bytes, value, Origin::Logged);
        Ok(())
    }

    fn stored_row<K, V: AvroRecord>(
        &self,
        store: &Store<K, V>,
        key: &[u8],
    ) -> Result<Option<V>, StateError> {
        let mut row = None;
        self.visit_bytes(key, &mut |value| row = Some(store.decode(key, value)))?;
        row.transpose()
    }

    /// Writes the collected differences of derived rows.
    pub(super) fn settle(&mut self, changes: &mut DerivedChanges) -> Result<(), StateError> {
        changes.settle(|key, change| match change {
            DerivedChange::EntryAdded => self.put_entry(key, Some(&[])),
            DerivedChange::EntryRemoved => self.put_entry(key, None),
            DerivedChange::SumMoved(delta) => self.move_sum(key, delta),
        })
    }

    fn put_entry(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        self.check_index(key, StoreKind::Entries)?;
        if value.is_some() {
            self.floors.lower_seen(key);
        }
        self.overlay.put(key, value, Origin::Local);
        Ok(())
    }

    fn move_sum(&mut self, key: &[u8], delta: i128) -> Result<(), StateError> {
        self.check_index(key, StoreKind::Sums)?;
        let name = self.stores.name(key[0]);
        let before = i128::from(read_sum(self, name, key)?);
        let overflow = |_| StateError::SumOverflow {
            index: name.to_owned(),
            key: hex(key),
        };
        let after = i64::try_from(before + delta).map_err(overflow)?;
        let bytes = after.to_be_bytes();
        self.overlay
            .put(key, (after != 0).then_some(&bytes), Origin::Local);
        Ok(())
    }

    fn check_index(&self, key: &[u8], kind: StoreKind) -> Result<(), StateError> {
        if self.stores.kind(key[0]) == Some(kind) {
            return Ok(());
        }
        Err(StateError::UnknownStore {
            id: key[0],
            name: format!("index of {}", kind.word()),
        })
    }
}
