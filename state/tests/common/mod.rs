//! What the suites share: stores to test with, and every back end behind one face.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;
#[cfg(feature = "rocksdb")]
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_state::{
    EntryIndex, Key, KeyRange, MemoryDatabase, ReadState, StateError, StorageProvider, Store,
    StoreSet, SumIndex, TaskState, TypedRead,
};

/// A row to test with, written with the schema of a released record of that shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Position")]
pub(crate) struct Account {
    #[serde(rename = "next_offset")]
    pub(crate) amount: i64,
    pub(crate) unit: i32,
    #[serde(rename = "stream_time_ms")]
    pub(crate) due_at_ms: i64,
    #[serde(rename = "transactional_id")]
    pub(crate) owner: String,
    #[serde(rename = "handed_over")]
    pub(crate) closed: bool,
    #[serde(rename = "source_topic_id")]
    pub(crate) note: String,
    pub(crate) committed_at_ms: i64,
}

impl AvroRecord for Account {
    const SCHEMA_ID: u32 = 1;
    const NAME: &'static str = "stagedoor.topology.Position";
}

pub(crate) type AccountKey = (String, u64);

/// Open accounts are due at some time, and add up by owner; closed ones are in no index.
pub(crate) const ACCOUNTS: Store<AccountKey, Account> =
    Store::new(3, "accounts").derives(|key, account, derived| {
        if !account.closed {
            derived.entry(&DUE, &(account.due_at_ms, key.0.clone(), key.1));
            derived.add(&COUNT_BY_OWNER, &account.owner, 1);
        }
        derived.add(&SUM_BY_OWNER, &account.owner, account.amount);
    });
pub(crate) const NOTES: Store<String, Account> = Store::new(4, "notes");
pub(crate) const RECEIPTS: Store<u64, Account> =
    Store::windowed(6, "receipts", |receipt| receipt.due_at_ms);
pub(crate) const DUE: EntryIndex<(i64, String, u64)> = EntryIndex::new(16, "due");
pub(crate) const SUM_BY_OWNER: SumIndex<String> = SumIndex::new(17, "sum_by_owner");
pub(crate) const COUNT_BY_OWNER: SumIndex<String> = SumIndex::new(18, "count_by_owner");

pub(crate) fn stores() -> Arc<StoreSet> {
    let set = StoreSet::builder()
        .store(&ACCOUNTS)
        .store(&NOTES)
        .store(&RECEIPTS);
    let set = set
        .index(&DUE)
        .sum(&SUM_BY_OWNER)
        .sum(&COUNT_BY_OWNER)
        .build();
    Arc::new(set.expect("a valid set"))
}

pub(crate) fn account(owner: &str, amount: i64, due_at_ms: i64) -> Account {
    Account {
        amount,
        due_at_ms,
        owner: owner.to_owned(),
        ..Account::default()
    }
}

pub(crate) fn key(name: &str, number: u64) -> AccountKey {
    (name.to_owned(), number)
}

/// A back end that can be closed and opened again.
pub(crate) enum Backend {
    Memory(MemoryDatabase),
    #[cfg(feature = "rocksdb")]
    Rocks(tempfile::TempDir, Option<Database>),
}

impl Backend {
    /// All back ends, empty.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::Memory(MemoryDatabase::new()),
            #[cfg(feature = "rocksdb")]
            {
                let directory = tempfile::tempdir().expect("a temporary directory");
                let mut backend = Self::Rocks(directory, None);
                backend.reopen();
                backend
            },
        ]
    }

    pub(crate) fn provider(&self) -> &dyn StorageProvider {
        match self {
            Self::Memory(database) => database,
            #[cfg(feature = "rocksdb")]
            Self::Rocks(_, database) => database.as_ref().expect("an open database"),
        }
    }

    /// Closes and opens; what is in memory only is lost, where it is not the disk itself.
    pub(crate) fn reopen(&mut self) {
        match self {
            Self::Memory(_) => {}
            #[cfg(feature = "rocksdb")]
            Self::Rocks(directory, database) => {
                drop(database.take());
                let opened = Database::open(directory.path(), &DatabaseOptions::default());
                *database = Some(opened.expect("a database that opens"));
            }
        }
    }

    pub(crate) fn task(&self, name: &str) -> TaskState {
        let storage = self.provider().storage(name).expect("a storage");
        TaskState::new(storage, stores()).expect("a readable state")
    }
}

/// Runs a claim on every back end.
pub(crate) fn on_each(claim: impl Fn(&mut Backend)) {
    for mut backend in Backend::all() {
        claim(&mut backend);
    }
}

pub(crate) fn rows<K: Key, V: AvroRecord>(
    state: &(impl ReadState + ?Sized),
    store: &Store<K, V>,
    range: KeyRange,
) -> Vec<(K, V)> {
    let mut rows = Vec::new();
    let scanned = state.scan(store, range, &mut |key, row| {
        rows.push((key, row));
        ControlFlow::Continue(())
    });
    scanned.expect("readable rows");
    rows
}

pub(crate) fn entries<K: Key>(
    state: &(impl ReadState + ?Sized),
    index: &EntryIndex<K>,
    range: KeyRange,
) -> Vec<K> {
    let mut entries = Vec::new();
    let scanned = state.scan_index(index, range, &mut |key| {
        entries.push(key);
        ControlFlow::Continue(())
    });
    scanned.expect("readable entries");
    entries
}

/// Every stored byte that is not committed over: derived rows, meta rows, all.
pub(crate) fn everything(state: &TaskState) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let scanned = state.scan_bytes(&[0], &[0xFF, 0xFF], &mut |key, value| {
        all.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    scanned.expect("readable bytes");
    all
}

/// The batch's changes as the changelog would keep them.
pub(crate) type Log = Vec<(Vec<u8>, Option<Vec<u8>>)>;

pub(crate) fn changes(state: &TaskState) -> Log {
    let owned = |bytes: &[u8]| bytes.to_vec();
    state
        .changes()
        .map(|change| (owned(change.key), change.value.map(owned)))
        .collect()
}

pub(crate) fn restore(state: &mut TaskState, log: &Log) -> Result<(), StateError> {
    let mut records = log
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_deref()));
    state.restore(&mut records, &[(b"position", b"restored")])
}
