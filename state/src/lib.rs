//! State stores: typed rows of one task, changes over them, derived indexes, and two back ends.
//!
//! A [`TaskState`] is what one task reads and writes. Its rows are typed by constant handles:
//!
//! ```
//! # use stagedoor_state::{MemoryDatabase, StorageProvider};
//! use stagedoor_state::{Store, StoreSet, SumIndex, TaskState, TypedRead};
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct Tick { observed_lag: i32, #[serde(with = "stagedoor_avro::bytes")] mac: Vec<u8> }
//! # impl stagedoor_avro::AvroRecord for Tick {
//! #     const SCHEMA_ID: u32 = 2;
//! #     const NAME: &'static str = "stagedoor.topology.Tick";
//! # }
//!
//! const TICKS: Store<(String, u16), Tick> = Store::new(3, "ticks").derives(|key, tick, derived| {
//!     derived.add(&LAG_BY_NAME, &key.0, i64::from(tick.observed_lag));
//! });
//! const LAG_BY_NAME: SumIndex<String> = SumIndex::new(18, "lag_by_name");
//!
//! # let database = MemoryDatabase::new();
//! # let name = "a".to_owned();
//! # let tick = Tick { observed_lag: 5, mac: Vec::new() };
//! let stores = StoreSet::builder().store(&TICKS).sum(&LAG_BY_NAME).build()?;
//! let mut state = TaskState::new(database.storage("0_3")?, stores.into())?;
//! let savepoint = state.savepoint();
//! state.put(&TICKS, &(name.clone(), 1), &tick)?;
//! assert_eq!(state.sum(&LAG_BY_NAME, &name)?, 5);
//! state.rollback(savepoint);
//! assert_eq!(state.sum(&LAG_BY_NAME, &name)?, 0);
//! state.commit(&[(b"position", b"17")])?;
//! # Ok::<(), stagedoor_state::StateError>(())
//! ```
//!
//! Reading order: [`Key`] (bytes that sort), [`Store`] (handles), [`StoreSet`],
//! `overlay` (writes with an undo log), [`Derived`] (indexes by difference), [`TaskState`]
//! (reads, writes, commit, restore), [`Storage`] and its back ends, [`StoreReader`] (snapshots
//! for other threads), [`Digest`].
//!
//! The key of every stored row is the id of its store, one byte, and the bytes of its key. The
//! same bytes are the key of its changelog record, and the stored value is that record's value.

mod cache;
#[cfg(feature = "rocksdb")]
mod database;
mod derived;
mod digest;
mod error;
mod key_filter;
mod key_order;
mod keys;
mod memo;
mod open_tasks;
mod overlay;
mod range;
mod read;
mod reader;
mod short_key;
mod storage;
mod store;
mod store_set;
mod task_state;

#[cfg(feature = "rocksdb")]
pub use database::{Database, DatabaseOptions, Keyspace, KeyspaceBatch};
pub use derived::Derived;
pub use digest::Digest;
pub use error::StateError;
pub use keys::{Key, KeyLike, KeyReader, KeyWriter};
pub use memo::Memo;
pub use overlay::Savepoint;
pub use range::KeyRange;
pub use read::{ReadState, TypedRead, VisitRow};
pub use reader::{SnapshotSource, StoreReader};
pub use storage::{MemoryDatabase, Storage, StorageProvider, Write};
pub use store::{ChangelogKind, EntryIndex, Store, SumIndex};
pub use store_set::{StoreKind, StoreSet, StoreSetBuilder};
pub use task_state::{Change, StoreBatch, TaskState};
