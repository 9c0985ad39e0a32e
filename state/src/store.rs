//! Handles of stores and derived indexes: constants that say how rows are typed.

use std::fmt;
use std::marker::PhantomData;

use stagedoor_avro::AvroRecord;

use crate::derived::{Derived, DerivedChanges, Side};
use crate::{Key, StateError};

/// Where the rows of a store are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangelogKind {
    /// The compacted changelog: one row per key for ever, deletes as tombstones.
    Compacted,
    /// The changelog of windowed stores: rows leave it by retention, without tombstones.
    Window,
}

/// Computes what a row contributes to derived indexes.
type Derive<K, V> = fn(&K, &V, &mut Derived<'_>);

/// A state store: rows of type `V` under keys of type `K`, changelogged.
pub struct Store<K, V> {
    id: u8,
    name: &'static str,
    expires_at_ms: Option<fn(&V) -> i64>,
    derive: Option<Derive<K, V>>,
}

impl<K, V> Store<K, V> {
    /// A store that is logged to the compacted changelog. Ids are 1 to 253, for ever bound to the
    /// store: they are in every stored key and in every record of the changelog.
    #[must_use]
    pub const fn new(id: u8, name: &'static str) -> Self {
        Self {
            id,
            name,
            expires_at_ms: None,
            derive: None,
        }
    }

    /// A store whose rows end by themselves, in unix milliseconds. It is logged to the window
    /// changelog; rows past their time are invisible to readers that pass a time, and purged
    /// locally.
    ///
    /// It may not declare derived indexes: purging is local, so they would differ after a restore.
    #[must_use]
    pub const fn windowed(id: u8, name: &'static str, expires_at_ms: fn(&V) -> i64) -> Self {
        Self {
            id,
            name,
            expires_at_ms: Some(expires_at_ms),
            derive: None,
        }
    }

    /// Declares what a row contributes to derived indexes: a pure function of key and value.
    #[must_use]
    pub const fn derives(mut self, derive: Derive<K, V>) -> Self {
        self.derive = Some(derive);
        self
    }

    /// The id, which is the first byte of every key of this store.
    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// The name in descriptions and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Which changelog the store's rows are logged to.
    #[must_use]
    pub const fn changelog(&self) -> ChangelogKind {
        match self.expires_at_ms {
            Some(_) => ChangelogKind::Window,
            None => ChangelogKind::Compacted,
        }
    }

    pub(crate) const fn declares_indexes(&self) -> bool {
        self.derive.is_some()
    }

    /// Whether a write has to look at the row that it replaces.
    pub(crate) const fn has_derived_rows(&self) -> bool {
        self.derive.is_some() || self.expires_at_ms.is_some()
    }

    pub(crate) fn expired(&self, value: &V, now_ms: i64) -> bool {
        self.expires_at_ms
            .is_some_and(|expires_at_ms| expires_at_ms(value) <= now_ms)
    }

    pub(crate) fn expiry(&self) -> Option<fn(&V) -> i64> {
        self.expires_at_ms
    }
}

impl<K, V: AvroRecord> Store<K, V> {
    pub(crate) fn decode(&self, key: &[u8], value: &[u8]) -> Result<V, StateError> {
        stagedoor_avro::decode(value).map_err(|error| StateError::corrupted(self.name, key, &error))
    }

    /// Collects what this row contributes, or contributed, to derived rows.
    pub(crate) fn derive(
        &self,
        side: Side,
        physical_key: &[u8],
        (key, value): (&K, &V),
        changes: &mut DerivedChanges,
    ) {
        if let Some(expires_at_ms) = self.expires_at_ms {
            changes.expiry(side, expires_at_ms(value), physical_key);
        }
        if let Some(derive) = self.derive {
            derive(key, value, &mut Derived::new(side, changes));
        }
    }
}

/// A derived index that is a set of keys: rows of stores in another order. Every entry must be
/// derived from exactly one row, so it contains what identifies that row.
pub struct EntryIndex<K> {
    id: u8,
    name: &'static str,
    key: PhantomData<fn(K)>,
}

impl<K: Key> EntryIndex<K> {
    /// An index of this id and name, of the same id space as the stores.
    #[must_use]
    pub const fn new(id: u8, name: &'static str) -> Self {
        Self {
            id,
            name,
            key: PhantomData,
        }
    }
}

impl<K> EntryIndex<K> {
    /// The id, which is the first byte of every key of this index.
    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// The name in descriptions and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A derived index that adds up what rows contribute to a key. A sum of zero is no row.
pub struct SumIndex<K> {
    id: u8,
    name: &'static str,
    key: PhantomData<fn(K)>,
}

impl<K: Key> SumIndex<K> {
    /// An index of this id and name, of the same id space as the stores.
    #[must_use]
    pub const fn new(id: u8, name: &'static str) -> Self {
        Self {
            id,
            name,
            key: PhantomData,
        }
    }
}

impl<K> SumIndex<K> {
    /// The id, which is the first byte of every key of this index.
    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// The name in descriptions and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Store<K, V> {}

impl<K, V> fmt::Debug for Store<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Store({} {})", self.id, self.name)
    }
}
