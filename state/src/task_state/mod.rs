//! The state of one task: committed rows, and over them the writes since the last commit.
//!
//! ```text
//!   put, delete ──> overlay ── seal ──> sealed batch ── write ──> storage (one batch: rows,
//!                    │   ^                   │            derived rows, meta rows)
//!         rollback, discard                discard           └──> reader (snapshots, any thread)
//! ```
//! Invariants:
//! - Storage holds the rows of whole commits only, and their meta rows.
//! - Derived rows in storage are what the source rows make them, except between a bulk restore
//!   and the rebuild after it; that gap is marked in storage and survives a kill.
//! - The overlay holds every write since, so reading it before storage reads one's own writes.
//! - A sealed batch lies between the two: what is written while its commit is under way is written
//!   over it, and goes with it where that fails.

mod absent;
mod commit;
mod due;
mod layout;
mod reads;
mod rebuild;
mod restore;
mod seal;
mod window;
mod write;

use std::cell::RefCell;
use std::sync::Arc;

use stagedoor_avro::AvroRecord;

use self::absent::Absent;
use self::due::Floors;
use self::layout::LayoutState;
use self::seal::Sealed;
use crate::cache::RowCache;
use crate::derived::DerivedChanges;
use crate::keys::KeyWriter;
use crate::overlay::{Overlay, Savepoint};
use crate::read::{ReadState, meta_key};
use crate::storage::Storage;
use crate::{Key, StateError, Store, StoreReader, StoreSet};

pub use commit::Change;
pub use seal::StoreBatch;

/// One task's committed storage with the writes since the last commit over it.
///
/// Reads through [`ReadState`] see those writes; [`TaskState::reader`] does not.
pub struct TaskState {
    storage: Arc<dyn Storage>,
    stores: Arc<StoreSet>,
    overlay: Overlay,
    sealed: Option<Sealed>,
    /// An overlay that is used up, for its room.
    used_up: Option<Overlay>,
    floors: Floors,
    cache: RefCell<RowCache>,
    absent: Absent,
    layout: LayoutState,
    scratch: Scratch,
}

/// Buffers that are used again for each write.
#[derive(Default)]
struct Scratch {
    key: KeyWriter,
    value: Vec<u8>,
    derived: DerivedChanges,
}

impl TaskState {
    /// Opens the state of a task over its storage. Indexes that were added to the set since, or
    /// that an interrupted bulk restore left behind, are rebuilt first.
    ///
    /// # Errors
    /// [`StateError::LayoutChanged`] where the storage was written for other stores, and those of
    /// reading and writing it.
    pub fn new(storage: Box<dyn Storage>, stores: Arc<StoreSet>) -> Result<Self, StateError> {
        let layout = LayoutState::read(storage.as_ref(), &stores)?;
        let mut state = Self {
            storage: Arc::from(storage),
            stores,
            overlay: Overlay::default(),
            sealed: None,
            used_up: None,
            floors: Floors::default(),
            cache: RefCell::default(),
            absent: Absent::unknown(),
            layout,
            scratch: Scratch::default(),
        };
        if state.layout.must_rebuild() {
            state.rebuild_indexes()?;
        }
        // Of a small store everything is known at once.
        state
            .absent
            .advance(&state.stores, state.storage.as_ref(), &state.overlay)?;
        Ok(state)
    }

    /// Writes a row; derived indexes follow. After an error, roll back or discard.
    ///
    /// # Errors
    /// [`StateError::UnknownStore`], [`StateError::Unencodable`], [`StateError::SumOverflow`],
    /// and those of reading the row that is replaced.
    pub fn put<K: Key, V: AvroRecord>(
        &mut self,
        store: &Store<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StateError> {
        self.write(store, key, Some(value))
    }

    /// Deletes a row; derived indexes follow. A row that is not there is deleted all the same.
    ///
    /// # Errors
    /// As for [`TaskState::put`].
    pub fn delete<K: Key, V: AvroRecord>(
        &mut self,
        store: &Store<K, V>,
        key: &K,
    ) -> Result<(), StateError> {
        self.write(store, key, None)
    }

    /// A point to roll back to. Nested ones are rolled back innermost first.
    pub fn savepoint(&mut self) -> Savepoint {
        self.overlay.savepoint()
    }

    /// Undoes every write since the savepoint, derived ones too.
    ///
    /// # Panics
    /// If the savepoint is older than the last commit or discard, or was rolled back over.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a savepoint is used up by its rollback"
    )]
    pub fn rollback(&mut self, savepoint: Savepoint) {
        self.overlay.rollback(&savepoint);
        self.floors.forget_seen();
    }

    /// Drops every write since the last commit, sealed or not.
    pub fn discard(&mut self) {
        self.sealed = None;
        self.overlay.clear();
        self.floors.forget_seen();
    }

    /// Whether anything was written since the last commit that is not sealed.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// A committed meta row.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.get_bytes(&meta_key(key))
    }

    /// Deletes everything that is stored and everything that is not committed.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn wipe(&mut self) -> Result<(), StateError> {
        self.discard();
        self.cache.get_mut().clear();
        self.layout = LayoutState::empty();
        self.storage.wipe()?;
        self.absent = Absent::everything();
        Ok(())
    }

    /// A reader of committed state for other threads.
    #[must_use]
    pub fn reader(&self) -> StoreReader {
        self.storage.reader()
    }

    /// The stores and indexes of this task.
    #[must_use]
    pub fn stores(&self) -> &StoreSet {
        &self.stores
    }
}
