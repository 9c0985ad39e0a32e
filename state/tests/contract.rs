//! The contract of a task's state, on every back end.

mod common;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use common::{
    ACCOUNTS, COUNT_BY_OWNER, DUE, NOTES, RECEIPTS, SUM_BY_OWNER, account, changes, entries,
    everything, key, on_each, restore, rows,
};
use stagedoor_state::{
    ChangelogKind, Digest, KeyRange, Memo, ReadState, StateError, TaskState, TypedRead,
};

const NO_META: &[(&[u8], &[u8])] = &[];

fn put(state: &mut TaskState, name: &str, number: u64, amount: i64) {
    let row = account("ann", amount, amount);
    state
        .put(&ACCOUNTS, &key(name, number), &row)
        .expect("a row that fits");
}

fn numbers(state: &TaskState, range: KeyRange) -> Vec<u64> {
    rows(state, &ACCOUNTS, range)
        .into_iter()
        .map(|(key, _)| key.1)
        .collect()
}

#[test]
fn rows_are_read_back_before_and_after_a_commit() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 10);
        assert_eq!(
            state.get(&ACCOUNTS, &key("a", 1)).unwrap(),
            Some(account("ann", 10, 10))
        );
        state.commit(NO_META).unwrap();
        assert_eq!(
            state.get(&ACCOUNTS, &key("a", 1)).unwrap(),
            Some(account("ann", 10, 10))
        );
        assert_eq!(state.get(&ACCOUNTS, &key("a", 2)).unwrap(), None);
        assert!(!state.is_dirty());
    });
}

#[test]
fn scans_merge_uncommitted_writes_and_deletes_in_key_order() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        for number in [2, 4, 6, 8] {
            put(&mut state, "a", number, 1);
        }
        put(&mut state, "b", 5, 1);
        state.commit(NO_META).unwrap();
        for number in [1, 4, 5, 9] {
            put(&mut state, "a", number, 2);
        }
        for number in [6, 7, 9] {
            state.delete(&ACCOUNTS, &key("a", number)).unwrap();
        }
        let a = KeyRange::prefix(&"a".to_owned());
        assert_eq!(numbers(&state, a), [1, 2, 4, 5, 8]);
        assert_eq!(numbers(&state, KeyRange::all()), [1, 2, 4, 5, 8, 5]);
        let some = KeyRange::from_until(&key("a", 2), &key("a", 8));
        assert_eq!(numbers(&state, some), [2, 4, 5]);
        assert_eq!(numbers(&state, KeyRange::starting_at(&key("a", 8))), [8, 5]);
        let inverted = KeyRange::from_until(&key("a", 8), &key("a", 2));
        assert_eq!(numbers(&state, inverted), Vec::<u64>::new());
        let amounts: Vec<i64> = rows(&state, &ACCOUNTS, KeyRange::all())
            .iter()
            .map(|(_, row)| row.amount)
            .collect();
        assert_eq!(amounts, [2, 1, 2, 2, 1, 1]);
    });
}

#[test]
fn a_scan_stops_where_the_visitor_breaks() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        for number in [1, 3, 5] {
            put(&mut state, "a", number, 1);
        }
        state.commit(NO_META).unwrap();
        for number in [2, 4, 6] {
            put(&mut state, "a", number, 1);
        }
        for stop in 1..=6 {
            let mut seen = Vec::new();
            let visit = &mut |key: common::AccountKey, _| {
                seen.push(key.1);
                if key.1 < stop {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            };
            state.scan(&ACCOUNTS, KeyRange::all(), visit).unwrap();
            assert_eq!(seen, (1..=stop).collect::<Vec<_>>());
        }
    });
}

#[test]
fn savepoints_nest_and_restore_rows_and_derived_sums() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 10);
        state.commit(NO_META).unwrap();
        let before = everything(&state);
        let outer = state.savepoint();
        put(&mut state, "a", 1, 20);
        put(&mut state, "a", 2, 5);
        let between = everything(&state);
        let inner = state.savepoint();
        put(&mut state, "a", 1, 21);
        put(&mut state, "a", 1, 22);
        state.delete(&ACCOUNTS, &key("a", 2)).unwrap();
        put(&mut state, "a", 3, 7);
        assert_eq!(state.sum(&SUM_BY_OWNER, &"ann".to_owned()).unwrap(), 29);
        state.rollback(inner);
        assert_eq!(everything(&state), between);
        assert_eq!(state.sum(&SUM_BY_OWNER, &"ann".to_owned()).unwrap(), 25);
        put(&mut state, "a", 2, 6);
        state.rollback(outer);
        assert_eq!(everything(&state), before);
        assert_eq!(state.changes().count(), 0);
        assert_eq!(state.sum(&SUM_BY_OWNER, &"ann".to_owned()).unwrap(), 10);
    });
}

#[test]
fn indexes_follow_by_difference() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 10);
        put(&mut state, "a", 2, 30);
        state.commit(NO_META).unwrap();
        state
            .put(&ACCOUNTS, &key("a", 1), &account("bob", 15, 40))
            .unwrap();
        let (ann, bob) = ("ann".to_owned(), "bob".to_owned());
        assert_eq!(state.sum(&SUM_BY_OWNER, &ann).unwrap(), 30);
        assert_eq!(state.sum(&SUM_BY_OWNER, &bob).unwrap(), 15);
        assert_eq!(state.sum(&COUNT_BY_OWNER, &ann).unwrap(), 1);
        let due = entries(&state, &DUE, KeyRange::all());
        assert_eq!(due, [(30, "a".to_owned(), 2), (40, "a".to_owned(), 1)]);
        state.delete(&ACCOUNTS, &key("a", 2)).unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(state.sum(&COUNT_BY_OWNER, &ann).unwrap(), 0);
        assert_eq!(entries(&state, &DUE, KeyRange::all()).len(), 1);
        state.check_indexes().unwrap();
    });
}

#[test]
fn entries_are_found_wherever_they_go_in() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        let due_until = |state: &TaskState, now: i64| {
            let range = KeyRange::from_until(&i64::MIN, &now);
            entries(state, &DUE, range)
                .iter()
                .map(|entry| entry.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(due_until(&state, 100), Vec::<i64>::new());
        for due_at in [70_i64, 50, 60, 10] {
            let number = due_at.unsigned_abs();
            state
                .put(&ACCOUNTS, &key("a", number), &account("ann", 1, due_at))
                .unwrap();
            assert_eq!(due_until(&state, 20).len(), usize::from(due_at == 10));
            state.commit(NO_META).unwrap();
        }
        assert_eq!(due_until(&state, 65), [10, 50, 60]);
        state.delete(&ACCOUNTS, &key("a", 10)).unwrap();
        assert_eq!(due_until(&state, 65), [50, 60]);
        state.discard();
        assert_eq!(due_until(&state, 65), [10, 50, 60]);
        state.delete(&ACCOUNTS, &key("a", 10)).unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(due_until(&state, 65), [50, 60]);
        state
            .put(&ACCOUNTS, &key("z", 1), &account("ann", 1, -5))
            .unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(due_until(&state, 65), [-5, 50, 60]);
        state.wipe().unwrap();
        assert_eq!(due_until(&state, 65), Vec::<i64>::new());
        state
            .put(&ACCOUNTS, &key("z", 1), &account("ann", 1, -9))
            .unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(due_until(&state, 65), [-9]);
    });
}

#[test]
fn changes_are_the_final_values_of_source_rows_in_key_order() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "b", 1, 1);
        put(&mut state, "a", 1, 1);
        put(&mut state, "b", 1, 2);
        state.put(&RECEIPTS, &7, &account("ann", 1, 1)).unwrap();
        state.delete(&NOTES, &"gone".to_owned()).unwrap();
        let kinds: Vec<(u8, bool, ChangelogKind)> = state
            .changes()
            .map(|change| (change.key[0], change.value.is_some(), change.changelog))
            .collect();
        assert_eq!(
            kinds,
            [
                (3, true, ChangelogKind::Compacted),
                (3, true, ChangelogKind::Compacted),
                (4, false, ChangelogKind::Compacted),
                (6, true, ChangelogKind::Window),
            ]
        );
        let stored = state.get_bytes(&changes(&state)[1].0).unwrap();
        assert_eq!(stored, changes(&state)[1].1);
        state.commit(NO_META).unwrap();
        assert_eq!(state.changes().count(), 0);
    });
}

#[test]
fn a_discard_leaves_what_was_committed() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 10);
        state.commit(&[(b"position", b"1")]).unwrap();
        let committed = everything(&state);
        put(&mut state, "a", 1, 11);
        put(&mut state, "a", 2, 12);
        state.discard();
        assert_eq!(everything(&state), committed);
        assert_eq!(
            state.meta(b"position").unwrap().as_deref(),
            Some(b"1".as_slice())
        );
    });
}

#[test]
fn a_reader_sees_one_committed_snapshot_while_commits_go_on() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 1);
        state.commit(&[(b"position", b"1")]).unwrap();
        put(&mut state, "a", 1, 99);
        let reader = state.reader();
        let (read, reading) = mpsc::channel();
        let (committed, commits) = mpsc::channel();
        let reader_thread = thread::spawn(move || {
            reader.read(|snapshot| {
                let before = snapshot.get(&ACCOUNTS, &key("a", 1))?;
                read.send(()).expect("the test waits");
                commits.recv().expect("the test commits");
                let after = snapshot.get(&ACCOUNTS, &key("a", 1))?;
                let sum = snapshot.sum(&SUM_BY_OWNER, &"ann".to_owned())?;
                Ok((before, after, sum, snapshot.meta(b"position")?))
            })
        });
        reading.recv().unwrap();
        state.commit(&[(b"position", b"2")]).unwrap();
        committed.send(()).unwrap();
        let (before, after, sum, position) = reader_thread.join().unwrap().unwrap();
        assert_eq!(before, Some(account("ann", 1, 1)));
        assert_eq!(
            (after, sum, position.as_deref()),
            (before, 1, Some(b"1".as_slice()))
        );
        let latest = state
            .reader()
            .read(|snapshot| snapshot.get(&ACCOUNTS, &key("a", 1)));
        assert_eq!(latest.unwrap(), Some(account("ann", 99, 99)));
    });
}

#[test]
fn snapshots_are_never_torn_while_another_thread_commits() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        let reader = state.reader();
        let writer = thread::spawn(move || {
            for round in 0..300_i64 {
                for number in 0..5 {
                    put(&mut state, "a", number, round);
                }
                state
                    .commit(&[(b"round", &round.to_be_bytes())])
                    .expect("a commit");
            }
        });
        let mut finished = false;
        while !finished {
            // Asked before the read, so that the last read is one of the last commit.
            finished = writer.is_finished();
            let read = reader.read(|snapshot| {
                let amounts = rows(snapshot, &ACCOUNTS, KeyRange::all());
                let sum = snapshot.sum(&SUM_BY_OWNER, &"ann".to_owned())?;
                Ok((amounts, sum, snapshot.meta(b"round")?))
            });
            let (amounts, sum, round) = read.unwrap();
            let Some(round) = round else {
                assert!(
                    amounts.is_empty() && !finished,
                    "rows without their meta row"
                );
                continue;
            };
            let round = i64::from_be_bytes(round.try_into().unwrap());
            assert!(
                amounts.iter().all(|(_, row)| row.amount == round),
                "torn at {round}"
            );
            assert_eq!((amounts.len(), sum), (5, round * 5));
        }
        writer.join().unwrap();
    });
}

#[test]
fn committed_state_survives_reopening() {
    on_each(|backend| {
        let mut state = backend.task("0_3");
        put(&mut state, "a", 1, 10);
        state.commit(&[(b"position", b"17")]).unwrap();
        put(&mut state, "a", 2, 10);
        let uncommitted = everything(&state);
        state.discard();
        let committed = everything(&state);
        assert_ne!(uncommitted, committed);
        drop(state);
        backend.reopen();
        assert_eq!(backend.provider().tasks(), ["0_3"]);
        let state = backend.task("0_3");
        assert_eq!(everything(&state), committed);
        assert_eq!(
            state.meta(b"position").unwrap().as_deref(),
            Some(b"17".as_slice())
        );
    });
}

#[test]
fn a_task_is_wiped_and_removed_without_touching_others() {
    on_each(|backend| {
        let (mut one, mut two) = (backend.task("0_1"), backend.task("0_2"));
        put(&mut one, "a", 1, 10);
        put(&mut two, "a", 1, 20);
        one.commit(&[(b"position", b"1")]).unwrap();
        two.commit(&[(b"position", b"2")]).unwrap();
        let kept = everything(&two);
        let reader = one.reader();
        one.wipe().unwrap();
        assert_eq!(everything(&one), []);
        assert_eq!(one.meta(b"position").unwrap(), None);
        assert_eq!(
            reader
                .read(|state| state.get(&ACCOUNTS, &key("a", 1)))
                .unwrap(),
            None
        );
        put(&mut one, "b", 2, 30);
        one.commit(NO_META).unwrap();
        assert_eq!(everything(&two), kept);
        assert!(matches!(
            backend.provider().remove("0_1"),
            Err(StateError::TaskInUse { .. })
        ));
        drop((one, reader));
        backend.provider().remove("0_1").unwrap();
        drop(two);
        backend.reopen();
        assert_eq!(backend.provider().tasks(), ["0_2"]);
        assert_eq!(everything(&backend.task("0_2")), kept);
    });
}

#[test]
fn a_task_has_one_owner_at_a_time() {
    on_each(|backend| {
        let state = backend.task("0_1");
        let second = backend.provider().storage("0_1");
        assert!(matches!(second, Err(StateError::TaskInUse { .. })));
        drop(state);
        backend.provider().storage("0_1").unwrap();
    });
}

#[test]
fn windowed_rows_end_by_their_time_and_are_purged_without_a_change() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        for number in 0..5_u8 {
            let row = account("ann", 1, i64::from(number) * 10);
            state.put(&RECEIPTS, &u64::from(number), &row).unwrap();
        }
        state.commit(NO_META).unwrap();
        assert!(state.get_at(&RECEIPTS, &2, 19).unwrap().is_some());
        assert_eq!(state.get_at(&RECEIPTS, &2, 20).unwrap(), None);
        let mut live = Vec::new();
        let visit = &mut |key, _| {
            live.push(key);
            ControlFlow::Continue(())
        };
        state
            .scan_at(&RECEIPTS, KeyRange::all(), 20, visit)
            .unwrap();
        assert_eq!(live, [3, 4]);
        let digest = state.digest(20).unwrap();
        assert_eq!(digest.rows, 2);
        assert_eq!(state.purge_expired(20, 2).unwrap(), 2);
        assert_eq!(state.purge_expired(20, 2).unwrap(), 1);
        assert_eq!(state.purge_expired(20, 2).unwrap(), 0);
        assert_eq!(state.changes().count(), 0);
        state.commit(NO_META).unwrap();
        assert_eq!(rows(&state, &RECEIPTS, KeyRange::all()).len(), 2);
        assert_eq!(state.digest(20).unwrap(), digest);
        state.check_indexes().unwrap();
    });
}

#[test]
fn a_row_written_again_after_its_end_is_changelogged_before_it_is_purged() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        state.put(&RECEIPTS, &1, &account("ann", 1, 10)).unwrap();
        state.commit(NO_META).unwrap();
        state.put(&RECEIPTS, &1, &account("ann", 1, 15)).unwrap();
        assert_eq!(state.purge_expired(20, 10).unwrap(), 0);
        assert_eq!(state.changes().count(), 1);
        state.commit(NO_META).unwrap();
        assert_eq!(state.purge_expired(14, 10).unwrap(), 0);
        assert_eq!(state.purge_expired(20, 10).unwrap(), 1);
        state.put(&RECEIPTS, &1, &account("ann", 2, 90)).unwrap();
        assert_eq!(state.changes().count(), 1);
        state.commit(NO_META).unwrap();
        assert_eq!(
            state.get_at(&RECEIPTS, &1, 20).unwrap(),
            Some(account("ann", 2, 90))
        );
        state.check_indexes().unwrap();
    });
}

#[test]
fn restore_by_difference_and_in_bulk_equal_the_live_state() {
    on_each(|backend| {
        let mut live = backend.task("0_0");
        let (mut one, mut bulk) = (backend.task("0_1"), backend.task("0_2"));
        for batch in 0..4_i64 {
            for number in 0..50_u64 {
                put(&mut live, "a", (number * 7) % 31, batch);
            }
            live.delete(&ACCOUNTS, &key("a", batch.unsigned_abs()))
                .unwrap();
            live.put(&RECEIPTS, &batch.unsigned_abs(), &account("ann", 1, batch))
                .unwrap();
            let log = changes(&live);
            live.commit(&[(b"position", b"restored")]).unwrap();
            restore(&mut one, &log).unwrap();
            let mut records = log
                .iter()
                .map(|(key, value)| (key.as_slice(), value.as_deref()));
            bulk.restore_bulk(&mut records, &[(b"position", b"restored")])
                .unwrap();
        }
        assert!(bulk.must_rebuild_indexes());
        assert!(matches!(
            bulk.commit(NO_META),
            Err(StateError::IndexesNotBuilt)
        ));
        bulk.rebuild_indexes().unwrap();
        for restored in [&one, &bulk] {
            restored.check_indexes().unwrap();
            assert_eq!(everything(restored), everything(&live));
            assert_eq!(restored.digest(0).unwrap(), live.digest(0).unwrap());
            assert_eq!(restored.changes().count(), 0);
        }
    });
}

#[test]
fn an_interrupted_bulk_restore_is_finished_at_the_next_start() {
    on_each(|backend| {
        let mut live = backend.task("0_0");
        for number in 0..50 {
            put(&mut live, "a", number, 1);
        }
        let log = changes(&live);
        live.commit(NO_META).unwrap();
        let mut bulk = backend.task("0_1");
        let mut records = log
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()));
        bulk.restore_bulk(&mut records, NO_META).unwrap();
        assert!(matches!(
            bulk.check_indexes(),
            Err(StateError::IndexDiffers { .. })
        ));
        drop((bulk, live));
        backend.reopen();
        let bulk = backend.task("0_1");
        assert!(!bulk.must_rebuild_indexes());
        bulk.check_indexes().unwrap();
        assert_eq!(everything(&bulk), everything(&backend.task("0_0")));
    });
}

#[test]
fn records_applied_one_by_one_are_no_changes_of_the_task() {
    on_each(|backend| {
        let mut live = backend.task("0_0");
        put(&mut live, "a", 1, 4);
        live.put(&NOTES, &"a".to_owned(), &account("ann", 1, 1))
            .unwrap();
        let mut copy = backend.task("0_1");
        for (key, value) in changes(&live) {
            copy.apply_changelog(&key, value.as_deref()).unwrap();
        }
        assert_eq!(everything(&copy), everything(&live));
        assert_eq!(copy.changes().count(), 0);
        copy.commit(NO_META).unwrap();
        copy.check_indexes().unwrap();
        assert_eq!(copy.digest(0).unwrap(), live.digest(0).unwrap());
    });
}

#[test]
fn a_restore_that_fails_writes_nothing() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 1);
        let mut log = changes(&state);
        assert!(matches!(
            restore(&mut state, &log),
            Err(StateError::Uncommitted { .. })
        ));
        state.discard();
        log.push((vec![99, 1], Some(vec![1])));
        assert!(matches!(
            restore(&mut state, &log),
            Err(StateError::UnknownStore { id: 99, .. })
        ));
        log.pop();
        log.push((log[0].0.clone(), Some(b"garbage".to_vec())));
        let error = restore(&mut state, &log).unwrap_err();
        assert!(matches!(error, StateError::Corrupted { .. }), "{error}");
        assert_eq!(everything(&state), []);
        assert!(!state.is_dirty());
    });
}

#[test]
fn digests_depend_on_the_rows_and_on_nothing_else() {
    let digests = RefCell::new(Vec::new());
    on_each(|backend| {
        let mut forwards = backend.task("0_0");
        let mut backwards = backend.task("0_1");
        for number in 0..20 {
            put(&mut forwards, "a", number, 3);
            put(&mut backwards, "a", 19 - number, 4);
            backwards
                .commit(&[(b"position", &number.to_be_bytes())])
                .unwrap();
            put(&mut backwards, "a", 19 - number, 3);
        }
        let digest = forwards.digest(0).unwrap();
        assert_eq!(backwards.digest(0).unwrap(), digest);
        forwards.commit(NO_META).unwrap();
        assert_eq!(forwards.digest(0).unwrap(), digest);
        let of_reader = forwards
            .reader()
            .read(|state| Digest::of(state, &common::stores(), 0));
        assert_eq!(of_reader.unwrap(), digest);
        digests.borrow_mut().push(digest);
        put(&mut forwards, "a", 5, 2);
        assert_ne!(forwards.digest(0).unwrap(), digest);
    });
    let digests = digests.into_inner();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn bytes_that_cannot_be_read_are_named_with_the_remedy() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, 1);
        let physical = changes(&state)[0].0.clone();
        state.commit(NO_META).unwrap();
        drop(state);
        let storage = backend.provider().storage("0_0").unwrap();
        let sum_key = [&[17], b"ann\0\0".as_slice()].concat();
        let garbage: [(&[u8], Option<&[u8]>); 2] =
            [(&physical, Some(b"garbage")), (&sum_key, Some(b"short"))];
        storage.write(&mut garbage.into_iter()).unwrap();
        drop(storage);
        let mut state = backend.task("0_0");
        let errors = [
            state.get(&ACCOUNTS, &key("a", 1)).unwrap_err(),
            state
                .scan(&ACCOUNTS, KeyRange::all(), &mut |_, _| {
                    ControlFlow::Continue(())
                })
                .unwrap_err(),
            state
                .put(&ACCOUNTS, &key("a", 1), &account("ann", 1, 1))
                .unwrap_err(),
            state.rebuild_indexes().unwrap_err(),
        ];
        for error in &errors {
            let text = error.to_string();
            assert!(
                text.contains("accounts") && text.contains("036100"),
                "{text}"
            );
            assert!(text.ends_with("restore it from the changelog"), "{text}");
        }
    });
}

#[test]
fn an_index_that_differs_from_its_rows_is_found() {
    let entry = |due_at: i64| {
        let mut state = common::Backend::all().remove(0).task("0_0");
        state
            .put(&ACCOUNTS, &key("a", 1), &account("ann", 5, due_at))
            .expect("a row");
        let is_entry = |row: &&(Vec<u8>, Vec<u8>)| row.0[0] == 16;
        everything(&state)
            .iter()
            .find(is_entry)
            .expect("an entry")
            .0
            .clone()
    };
    let sum_key = [&[17], b"ann\0\0".as_slice()].concat();
    let defects: [(Vec<u8>, Option<Vec<u8>>); 4] = [
        (entry(5), None),
        (entry(6), Some(Vec::new())),
        (sum_key.clone(), Some(6_i64.to_be_bytes().to_vec())),
        (sum_key, None),
    ];
    for (defect, value) in defects {
        on_each(|backend| {
            let mut state = backend.task("0_0");
            put(&mut state, "a", 1, 5);
            state.commit(NO_META).unwrap();
            state.check_indexes().unwrap();
            drop(state);
            let storage = backend.provider().storage("0_0").unwrap();
            storage
                .write(&mut [(defect.as_slice(), value.as_deref())].into_iter())
                .unwrap();
            drop(storage);
            let mut state = backend.task("0_0");
            let error = state.check_indexes().unwrap_err();
            assert!(matches!(error, StateError::IndexDiffers { .. }), "{error}");
            state.rebuild_indexes().unwrap();
            state.check_indexes().unwrap();
        });
    }
}

#[test]
fn a_sum_that_overflows_is_refused_and_rolled_back() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        put(&mut state, "a", 1, i64::MAX);
        let savepoint = state.savepoint();
        let one_more = state.put(&ACCOUNTS, &key("a", 2), &account("ann", 1, 1));
        assert!(matches!(one_more, Err(StateError::SumOverflow { .. })));
        state.rollback(savepoint);
        // From one end to the other in one step: the difference is wider than the sum.
        put(&mut state, "a", 1, i64::MIN);
        assert_eq!(
            state.sum(&SUM_BY_OWNER, &"ann".to_owned()).unwrap(),
            i64::MIN
        );
        state.check_indexes().unwrap();
    });
}

#[test]
#[should_panic(expected = "a savepoint must not outlive its batch")]
fn a_savepoint_does_not_outlive_its_batch() {
    let mut state = common::Backend::all().remove(0).task("0_0");
    let savepoint = state.savepoint();
    state.commit(NO_META).unwrap();
    state.rollback(savepoint);
}

#[test]
fn rows_read_often_follow_every_commit_wipe_and_rollback() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        let amount = |state: &TaskState| {
            let row = state.get(&NOTES, &"a".to_owned()).expect("a readable row");
            row.map(|row| row.amount)
        };
        for round in 1..4 {
            state
                .put(&NOTES, &"a".to_owned(), &account("ann", round, 1))
                .unwrap();
            state.commit(NO_META).unwrap();
            assert_eq!((amount(&state), amount(&state)), (Some(round), Some(round)));
            let savepoint = state.savepoint();
            state.delete(&NOTES, &"a".to_owned()).unwrap();
            assert_eq!(amount(&state), None);
            state.rollback(savepoint);
            assert_eq!(amount(&state), Some(round));
        }
        let nested = state.visit_bytes(b"\x04a\0\0", &mut |_| {
            assert_eq!(amount(&state), Some(3));
            assert_eq!(state.get(&NOTES, &"b".to_owned()).unwrap(), None);
        });
        assert!(nested.unwrap());
        state.delete(&NOTES, &"a".to_owned()).unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(amount(&state), None);
        state
            .put(&NOTES, &"a".to_owned(), &account("ann", 9, 1))
            .unwrap();
        state.commit(NO_META).unwrap();
        assert_eq!(amount(&state), Some(9));
        state.wipe().unwrap();
        assert_eq!(amount(&state), None);
    });
}

#[test]
fn what_was_decoded_before_is_never_older_than_what_is_stored() {
    on_each(|backend| {
        let mut state = backend.task("0_0");
        let mut memo = Memo::default();
        let mut amount = |state: &TaskState| {
            let row = state.get_remembered(&NOTES, &"a".to_owned(), &mut memo);
            row.expect("a readable row").map(|row| row.amount)
        };
        assert_eq!(amount(&state), None);
        for round in 0..4 {
            // Rows long enough that what is remembered overflows now and then.
            let mut row = account("ann", round % 2, 1);
            row.note = "x".repeat(50_000);
            state.put(&NOTES, &"a".to_owned(), &row).unwrap();
            assert_eq!(amount(&state), Some(round % 2));
            let savepoint = state.savepoint();
            row.amount = 7 + round;
            state.put(&NOTES, &"a".to_owned(), &row).unwrap();
            assert_eq!(amount(&state), Some(7 + round));
            state.rollback(savepoint);
            assert_eq!(amount(&state), Some(round % 2));
            state.commit(NO_META).unwrap();
            assert_eq!(amount(&state), Some(round % 2));
        }
        state.delete(&NOTES, &"a".to_owned()).unwrap();
        assert_eq!(amount(&state), None);
    });
}
