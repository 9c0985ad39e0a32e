//! Store sets that contradict themselves, and stored data of another program version.

mod common;

use std::sync::Arc;

use common::{
    ACCOUNTS, Account, Backend, COUNT_BY_OWNER, DUE, NOTES, RECEIPTS, SUM_BY_OWNER, account, key,
    on_each,
};
use stagedoor_state::{
    EntryIndex, StateError, Store, StoreSet, StoreSetBuilder, SumIndex, TaskState, TypedRead,
};

const OTHER: Store<String, Account> = Store::new(9, "other");

fn refused(set: StoreSetBuilder) -> String {
    set.build().err().expect("a refusal").to_string()
}

fn open(backend: &Backend, set: StoreSetBuilder) -> Result<TaskState, StateError> {
    let storage = backend.provider().storage("0_0").expect("a storage");
    TaskState::new(storage, Arc::new(set.build().expect("a valid set")))
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    const SAME_ID: Store<u8, Account> = Store::new(16, "another");
    const SAME_NAME: SumIndex<u8> = SumIndex::new(20, "due");
    const META: EntryIndex<u8> = EntryIndex::new(0, "zero");
    const EXPIRY: EntryIndex<u8> = EntryIndex::new(254, "expiry");
    const INTERNAL: EntryIndex<u8> = EntryIndex::new(255, "internal");
    const BLANK: EntryIndex<u8> = EntryIndex::new(30, "two words");
    const WINDOW: Store<u8, Account> =
        Store::windowed(31, "window", |row: &Account| row.due_at_ms).derives(|_, _, _| {});
    let due = || StoreSet::builder().index(&DUE);
    assert!(refused(due().store(&SAME_ID)).contains("id used twice: 16 \"another\""));
    assert!(refused(due().sum(&SAME_NAME)).contains("name used twice: 20 \"due\""));
    for reserved in [&META, &EXPIRY, &INTERNAL] {
        assert!(refused(due().index(reserved)).contains("reserved id"));
    }
    assert!(refused(due().index(&BLANK)).contains("blanks"));
    assert!(refused(due().store(&WINDOW)).contains("windowed store with derived indexes"));
}

#[test]
fn a_handle_that_is_not_in_the_set_is_refused() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        let put = state.put(&OTHER, &"a".to_owned(), &account("ann", 1, 1));
        assert!(matches!(put, Err(StateError::UnknownStore { id: 9, .. })));
        let set = StoreSet::builder().store(&ACCOUNTS);
        drop(state);
        let mut state = open(backend, set).unwrap();
        let put = state.put(&ACCOUNTS, &key("a", 1), &account("ann", 1, 1));
        assert!(matches!(put, Err(StateError::UnknownStore { .. })));
    });
}

#[test]
fn an_index_that_is_added_later_is_built_at_the_next_start() {
    const BY_NOTE: Store<(String, u64), Account> = ACCOUNTS.derives(|key, account, derived| {
        derived.entry(&NOTED, &(account.owner.clone(), key.1));
    });
    const NOTED: EntryIndex<(String, u64)> = EntryIndex::new(40, "noted");
    on_each(|backend| {
        let mut state = backend.task("0_0");
        state
            .put(&ACCOUNTS, &key("a", 1), &account("ann", 1, 1))
            .unwrap();
        state.commit(&[]).unwrap();
        drop(state);
        let newer = || {
            StoreSet::builder()
                .store(&BY_NOTE)
                .store(&NOTES)
                .store(&RECEIPTS)
        };
        let state = open(backend, newer().index(&NOTED).store(&OTHER)).unwrap();
        state.check_indexes().unwrap();
        let noted = common::entries(&state, &NOTED, stagedoor_state::KeyRange::all());
        assert_eq!(noted, [("ann".to_owned(), 1)]);
        let of_older = common::everything(&state);
        assert!(
            !of_older
                .iter()
                .any(|(key, _)| [16, 17, 18].contains(&key[0]))
        );
        drop(state);
        let missing = open(backend, newer().index(&NOTED))
            .err()
            .expect("a refusal");
        assert!(
            matches!(missing, StateError::LayoutChanged { .. }),
            "{missing}"
        );
    });
}

#[test]
fn data_of_other_stores_is_refused() {
    const RENAMED: Store<String, Account> = Store::new(4, "remarks");
    on_each(|backend| {
        let mut state = backend.task("0_0");
        state
            .put(&NOTES, &"a".to_owned(), &account("ann", 1, 1))
            .unwrap();
        state.commit(&[]).unwrap();
        drop(state);
        let set = StoreSet::builder()
            .store(&ACCOUNTS)
            .store(&RENAMED)
            .store(&RECEIPTS);
        let set = set.index(&DUE).sum(&SUM_BY_OWNER).sum(&COUNT_BY_OWNER);
        let error = open(backend, set).err().expect("a refusal").to_string();
        assert!(error.contains("no longer: 4 store notes"), "{error}");
        assert!(
            backend
                .task("0_0")
                .get(&NOTES, &"a".to_owned())
                .unwrap()
                .is_some()
        );
    });
}
