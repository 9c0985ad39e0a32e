//! Rows that are not there: told without a look into storage, and never confused with stored ones.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    ACCOUNTS, Backend, NOTES, RECEIPTS, SUM_BY_OWNER, account, changes, key, on_each, stores,
};
use proptest::prelude::*;
use stagedoor_state::{StateError, Storage, StoreReader, TaskState, TypedRead, VisitRow, Write};

/// More rows than are read with one commit, so that several commits fall into the reading.
const MANY: u64 = 5_000;

/// A storage that counts how often it is asked for a row.
struct Counting(Box<dyn Storage>, Arc<AtomicUsize>);

impl Storage for Counting {
    fn get(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.get(key, visit)
    }

    fn scan(&self, from: &[u8], until: &[u8], visit: &mut VisitRow<'_>) -> Result<(), StateError> {
        self.0.scan(from, until, visit)
    }

    fn write(&self, batch: &mut dyn Iterator<Item = Write<'_>>) -> Result<(), StateError> {
        self.0.write(batch)
    }

    fn wipe(&self) -> Result<(), StateError> {
        self.0.wipe()
    }

    fn reader(&self) -> StoreReader {
        self.0.reader()
    }
}

fn open(backend: &Backend, gets: &Arc<AtomicUsize>) -> TaskState {
    let storage = backend.provider().storage("0_0").expect("a storage");
    let counting = Counting(storage, Arc::clone(gets));
    TaskState::new(Box::new(counting), stores()).expect("a readable state")
}

fn put(state: &mut TaskState, number: u64) {
    let row = account(&format!("owner-{number}"), 1, 1);
    state
        .put(&ACCOUNTS, &key("a", number), &row)
        .expect("a row");
}

fn is_there(state: &TaskState, number: u64) -> bool {
    let row = state.get(&ACCOUNTS, &key("a", number)).expect("a look-up");
    let sum = state.sum(&SUM_BY_OWNER, &format!("owner-{number}"));
    assert_eq!(sum.expect("a sum"), i64::from(row.is_some()));
    row.is_some()
}

#[test]
fn asking_for_rows_that_are_not_there_costs_storage_next_to_nothing() {
    on_each(|backend| {
        let gets = Arc::new(AtomicUsize::new(0));
        let mut state = open(backend, &gets);
        for number in 0..MANY {
            put(&mut state, number);
        }
        state.commit(&[]).unwrap();
        drop(state);
        backend.reopen();
        let mut state = open(backend, &gets);
        for number in MANY..MANY + 40 {
            put(&mut state, number);
            state.commit(&[]).unwrap();
        }
        gets.store(0, Ordering::SeqCst);
        for number in 0..1_000 {
            assert!(!is_there(&state, 2 * MANY + number));
            assert!(state.get(&RECEIPTS, &number).unwrap().is_none());
            assert!(state.get(&NOTES, &number.to_string()).unwrap().is_none());
        }
        let looks = gets.load(Ordering::SeqCst);
        assert!(looks < 120, "{looks} look-ups for 4,000 absent rows");
    });
}

#[test]
fn rows_are_found_at_every_moment_while_a_large_store_is_read_again() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        for number in 0..MANY {
            put(&mut state, number * 2);
        }
        state.commit(&[]).unwrap();
        drop(state);
        backend.reopen();
        let mut state = backend.task("0_0");
        for round in 0..20 {
            // Before and behind the place that the reading has come to, and deleted both ways.
            for number in [round, MANY - round, 2 * MANY - round] {
                put(&mut state, number * 2 + 1);
                state.delete(&ACCOUNTS, &key("a", number * 2)).unwrap();
            }
            state.commit(&[]).unwrap();
            let deleted = |number: u64| {
                let half = number / 2;
                half <= round || (MANY - round..=MANY).contains(&half)
            };
            // Other rows each time: those that were read before are remembered.
            for number in (round..MANY).step_by(23).map(|number| number * 2) {
                assert_eq!(is_there(&state, number), !deleted(number), "{number}");
            }
            assert!((0..=round).all(|number| is_there(&state, number * 2 + 1)));
        }
    });
}

#[test]
fn a_wiped_or_restored_store_is_known_anew() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, 1);
        let log = changes(&state);
        state.commit(&[]).unwrap();
        state.wipe().unwrap();
        assert!(!is_there(&state, 1));
        let rows = || {
            log.iter()
                .map(|(key, value)| (key.as_slice(), value.as_deref()))
        };
        state.restore_bulk(&mut rows(), &[]).unwrap();
        state.rebuild_indexes().unwrap();
        assert!(is_there(&state, 1));
        state.wipe().unwrap();
        assert!(!is_there(&state, 1));
        state.restore(&mut rows(), &[]).unwrap();
        assert!(is_there(&state, 1));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_was_committed_is_found_and_nothing_else(
        batches in prop::collection::vec(
            (prop::collection::vec((0..60_u64, any::<bool>()), 0..12), 0..4_u8),
            1..20,
        ),
    ) {
        let mut backend = Backend::all().remove(0);
        let mut state = backend.task("0_0");
        let mut there = [false; 60];
        for (writes, end) in &batches {
            let before = there;
            let savepoint = state.savepoint();
            for (number, kept) in writes {
                match kept {
                    true => put(&mut state, *number),
                    false => state.delete(&ACCOUNTS, &key("a", *number)).unwrap(),
                }
                there[usize::try_from(*number).unwrap()] = *kept;
            }
            match end {
                0 => {
                    state.rollback(savepoint);
                    there = before;
                }
                1 => {
                    state.discard();
                    there = before;
                }
                2 => {
                    state.commit(&[]).unwrap();
                    drop(state);
                    backend.reopen();
                    state = backend.task("0_0");
                }
                _ => state.commit(&[]).unwrap(),
            }
            state.commit(&[]).unwrap();
            for (number, there) in (0..).zip(there) {
                prop_assert_eq!(is_there(&state, number), there);
            }
        }
    }
}
