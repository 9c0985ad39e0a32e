//! Reading rows, typed: over a task's own state, or over a snapshot of what it committed.

use std::ops::ControlFlow;
use std::sync::Arc;

use stagedoor_avro::AvroRecord;

use crate::keys::{KeyReader, KeyWriter};
use crate::store_set::META_ID;
use crate::{EntryIndex, Key, KeyLike, KeyRange, Memo, StateError, Store, SumIndex};

/// Called for each row of a scan with its physical key and value; breaks off where it wants.
pub type VisitRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Bytes under physical keys (store id, then key), in one consistent state.
pub trait ReadState {
    /// Shows the value under a key, if there is one, without copying it; true if there is.
    ///
    /// # Errors
    /// Those of the storage.
    fn visit_bytes(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError>;

    /// Visits the rows from a physical key (included) until another (not included), in key order.
    ///
    /// # Errors
    /// Those of the storage.
    fn scan_bytes(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError>;

    /// The value under a physical key.
    ///
    /// # Errors
    /// Those of the storage.
    fn get_bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let mut found = None;
        self.visit_bytes(key, &mut |value| found = Some(value.to_vec()))?;
        Ok(found)
    }
}

/// Rows by the handles of their stores. Implemented for everything that is [`ReadState`].
///
/// Every method fails with the errors of the storage, and with [`StateError::Corrupted`] where
/// stored bytes cannot be read as the handle says.
pub trait TypedRead: ReadState {
    /// The row under a key. Of a windowed store it may be past its time: see [`Self::get_at`].
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn get<K: Key, V: AvroRecord, Q: KeyLike<K> + ?Sized>(
        &self,
        store: &Store<K, V>,
        key: &Q,
    ) -> Result<Option<V>, StateError> {
        KeyWriter::with_physical(store.id(), key, |key| {
            let mut row = None;
            self.visit_bytes(key, &mut |value| row = Some(store.decode(key, value)))?;
            row.transpose()
        })
    }

    /// As [`Self::get`], for rows that many records read and few change: bytes that were decoded
    /// before are not decoded again.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn get_remembered<K: Key, V: AvroRecord, Q: KeyLike<K> + ?Sized>(
        &self,
        store: &Store<K, V>,
        key: &Q,
        memo: &mut Memo<V>,
    ) -> Result<Option<Arc<V>>, StateError> {
        KeyWriter::with_physical(store.id(), key, |key| {
            let mut row = None;
            self.visit_bytes(key, &mut |value| row = Some(memo.row(store, key, value)))?;
            row.transpose()
        })
    }

    /// The row under a key, unless it is past its time at `now_ms`. What decides must use this
    /// for windowed stores, because purging happens at different times on different machines.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn get_at<K: Key, V: AvroRecord, Q: KeyLike<K> + ?Sized>(
        &self,
        store: &Store<K, V>,
        key: &Q,
        now_ms: i64,
    ) -> Result<Option<V>, StateError> {
        Ok(self
            .get(store, key)?
            .filter(|row| !store.expired(row, now_ms)))
    }

    /// Visits rows in key order.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn scan<K: Key, V: AvroRecord>(
        &self,
        store: &Store<K, V>,
        range: KeyRange,
        visit: &mut dyn FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        let (from, until) = range.into_bounds(store.id());
        scan_fallible(self, (&from, &until), &mut |key, value| {
            let row = store.decode(key, value)?;
            Ok(visit(typed_key(store.name(), key)?, row))
        })
    }

    /// Visits rows in key order, those past their time at `now_ms` left out.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn scan_at<K: Key, V: AvroRecord>(
        &self,
        store: &Store<K, V>,
        range: KeyRange,
        now_ms: i64,
        visit: &mut dyn FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        self.scan(
            store,
            range,
            &mut |key, row| match store.expired(&row, now_ms) {
                true => ControlFlow::Continue(()),
                false => visit(key, row),
            },
        )
    }

    /// The sum under a key; zero if nothing contributes to it.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn sum<K: Key, Q: KeyLike<K> + ?Sized>(
        &self,
        index: &SumIndex<K>,
        key: &Q,
    ) -> Result<i64, StateError> {
        KeyWriter::with_physical(index.id(), key, |key| read_sum(self, index.name(), key))
    }

    /// Visits the entries of an index in key order.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn scan_index<K: Key>(
        &self,
        index: &EntryIndex<K>,
        range: KeyRange,
        visit: &mut dyn FnMut(K) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        let (from, until) = range.into_bounds(index.id());
        scan_fallible(self, (&from, &until), &mut |key, _| {
            Ok(visit(typed_key(index.name(), key)?))
        })
    }

    /// A meta row, as it was committed together with the rows that this state shows.
    ///
    /// # Errors
    /// See [`TypedRead`].
    fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.get_bytes(&meta_key(key))
    }
}

impl<S: ReadState + ?Sized> TypedRead for S {}

/// The physical key of a meta row.
pub(crate) fn meta_key(key: &[u8]) -> Vec<u8> {
    [&[META_ID], key].concat()
}

/// The value of a sum row, by its physical key.
pub(crate) fn read_sum<S: ReadState + ?Sized>(
    state: &S,
    index: &str,
    key: &[u8],
) -> Result<i64, StateError> {
    let mut sum = Ok(0);
    state.visit_bytes(key, &mut |value| sum = decode_sum(index, key, value))?;
    sum
}

pub(crate) fn decode_sum(index: &str, key: &[u8], value: &[u8]) -> Result<i64, StateError> {
    let bytes = value.try_into();
    bytes
        .map(i64::from_be_bytes)
        .map_err(|_| StateError::corrupted(index, key, &"no 64-bit sum"))
}

/// A visitor that can fail, which ends the scan.
type VisitFallible<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StateError> + 'a;

/// Scans with a visitor that can fail.
pub(crate) fn scan_fallible<S: ReadState + ?Sized>(
    state: &S,
    (from, until): (&[u8], &[u8]),
    visit: &mut VisitFallible<'_>,
) -> Result<(), StateError> {
    let mut outcome = Ok(());
    state.scan_bytes(from, until, &mut |key, value| {
        visit(key, value).unwrap_or_else(|error| {
            outcome = Err(error);
            ControlFlow::Break(())
        })
    })?;
    outcome
}

fn typed_key<K: Key>(store: &str, key: &[u8]) -> Result<K, StateError> {
    KeyReader::whole(&key[1..]).map_err(|error| StateError::corrupted(store, key, &error))
}
