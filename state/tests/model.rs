//! Arbitrary operations against a naive model, on every back end: an ordered map that is copied
//! at each savepoint, with sums and entries computed by going over all rows.

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use common::{
    ACCOUNTS, Account, AccountKey, Backend, COUNT_BY_OWNER, DUE, Log, RECEIPTS, SUM_BY_OWNER,
    account, changes, entries, everything, key, restore, rows,
};
use proptest::prelude::*;
use stagedoor_state::{KeyRange, ReadState as _, Savepoint, TaskState, TypedRead};

#[derive(Clone, Debug)]
enum Step {
    Put(AccountKey, Account),
    Delete(AccountKey),
    PutReceipt(u64, i64),
    Purge(i64),
    Savepoint,
    Rollback,
    Seal,
    Commit,
    Discard,
    Reopen,
}

#[derive(Clone, Default)]
struct Rows {
    accounts: BTreeMap<AccountKey, Account>,
    receipts: BTreeMap<u64, i64>,
}

/// What should be there, what was sealed and committed, and what there was at each savepoint.
#[derive(Default)]
struct Model {
    rows: Rows,
    sealed: Option<(Rows, Log)>,
    committed: Rows,
    savepoints: Vec<(Savepoint, Rows)>,
}

fn some_key() -> impl Strategy<Value = AccountKey> {
    (prop::sample::select(vec!["", "a", "a\0", "b"]), 0..4_u64).prop_map(|(name, n)| key(name, n))
}

/// Rows of several lengths, so that a new value does not always fit where the old one stood.
fn some_account() -> impl Strategy<Value = Account> {
    let owner = prop::sample::select(vec!["ann", "bob"]);
    let note = prop::sample::select(vec!["", "a note", "a note that is longer than a key"]);
    (owner, note, -3..4_i64, 0..6_i64, any::<bool>()).prop_map(
        |(owner, note, amount, due, closed)| {
            let note = note.to_owned();
            Account {
                closed,
                note,
                ..account(owner, amount, due)
            }
        },
    )
}

fn some_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (some_key(), some_account()).prop_map(|(key, row)| Step::Put(key, row)),
        4 => some_key().prop_map(Step::Delete),
        3 => (0..4_u64, 0..40_i64).prop_map(|(key, ends)| Step::PutReceipt(key, ends)),
        1 => (0..40_i64).prop_map(Step::Purge),
        3 => Just(Step::Savepoint),
        2 => Just(Step::Rollback),
        2 => Just(Step::Seal),
        2 => Just(Step::Commit),
        1 => Just(Step::Discard),
        1 => Just(Step::Reopen),
    ]
}

/// The live state of one back end, and a second task that restores from its changes.
struct Run {
    backend: Backend,
    live: TaskState,
    restored: TaskState,
    model: Model,
}

impl Run {
    fn new(backend: Backend) -> Self {
        let (live, restored) = (backend.task("0_0"), backend.task("0_1"));
        Self {
            backend,
            live,
            restored,
            model: Model::default(),
        }
    }

    fn step(mut self, step: &Step) -> Self {
        match step {
            Step::Put(key, row) => {
                self.live.put(&ACCOUNTS, key, row).expect("a row that fits");
                self.model.rows.accounts.insert(key.clone(), row.clone());
            }
            Step::Delete(key) => {
                self.live.delete(&ACCOUNTS, key).expect("a delete");
                self.model.rows.accounts.remove(key);
            }
            Step::PutReceipt(key, ends) => {
                self.live
                    .put(&RECEIPTS, key, &account("ann", 1, *ends))
                    .expect("a receipt");
                self.model.rows.receipts.insert(*key, *ends);
            }
            Step::Purge(now) => self.purge(*now),
            Step::Savepoint => {
                let savepoint = self.live.savepoint();
                self.model
                    .savepoints
                    .push((savepoint, self.model.rows.clone()));
            }
            Step::Rollback => {
                if let Some((savepoint, rows)) = self.model.savepoints.pop() {
                    self.live.rollback(savepoint);
                    self.model.rows = rows;
                }
            }
            Step::Seal => self.seal(),
            Step::Commit => self.commit(),
            Step::Discard => self.discard(),
            Step::Reopen => return self.reopen(),
        }
        self
    }

    /// Purging takes rows away that nobody sees any more, so the model is asked at that time.
    fn purge(&mut self, now: i64) {
        let before = self.live.digest(now).expect("a digest");
        self.live.purge_expired(now, usize::MAX).expect("a purge");
        assert_eq!(self.live.digest(now).expect("a digest"), before);
        let kept = rows(&self.live, &RECEIPTS, KeyRange::all());
        assert!(
            self.model
                .rows
                .receipts
                .iter()
                .all(|(key, ends)| { *ends <= now || kept.iter().any(|(kept, _)| kept == key) })
        );
        self.model.rows.receipts = kept
            .into_iter()
            .map(|(key, row)| (key, row.due_at_ms))
            .collect();
    }

    fn seal(&mut self) {
        if self.model.sealed.is_none() {
            self.model.sealed = Some((self.model.rows.clone(), changes(&self.live)));
            self.live.seal().expect("a seal");
            self.model.savepoints.clear();
        }
    }

    /// Of what is sealed, on another thread; or of everything.
    fn commit(&mut self) {
        let meta: [(&[u8], &[u8]); 1] = [(b"position", b"restored")];
        let log = match self.model.sealed.take() {
            Some((rows, log)) => {
                let batch = self.live.sealed_batch().expect("a sealed batch");
                std::thread::scope(|scope| {
                    let written = scope.spawn(|| batch.write(&meta)).join();
                    written.expect("no panic").expect("written");
                });
                drop(batch);
                self.check_rows();
                self.live.stored();
                self.model.committed = rows;
                log
            }
            None => {
                let log = changes(&self.live);
                self.live.commit(&meta).expect("a commit");
                self.model.committed = self.model.rows.clone();
                self.model.savepoints.clear();
                log
            }
        };
        restore(&mut self.restored, &log).expect("a restore");
    }

    fn discard(&mut self) {
        self.live.discard();
        self.model.sealed = None;
        self.model.rows = self.model.committed.clone();
        self.model.savepoints.clear();
    }

    fn reopen(mut self) -> Self {
        self.discard();
        let Self {
            mut backend,
            live,
            restored,
            model,
        } = self;
        drop((live, restored));
        backend.reopen();
        Self {
            model,
            ..Self::new(backend)
        }
    }

    fn check(&self) {
        self.check_rows();
        let committed = self.live.reader().read(|snapshot| {
            Ok(rows(snapshot, &ACCOUNTS, KeyRange::all())
                .into_iter()
                .collect::<BTreeMap<_, _>>())
        });
        assert_eq!(
            committed.expect("a snapshot"),
            self.model.committed.accounts
        );
    }

    /// What the task sees.
    fn check_rows(&self) {
        let Rows { accounts, receipts } = &self.model.rows;
        let expected: Vec<_> = accounts.clone().into_iter().collect();
        assert_eq!(rows(&self.live, &ACCOUNTS, KeyRange::all()), expected);
        for key in ["", "a", "a\0", "b"]
            .map(|name| (0..4).map(move |n| key(name, n)))
            .into_iter()
            .flatten()
        {
            let found = self.live.get(&ACCOUNTS, &key).expect("a look-up");
            assert_eq!(found.as_ref(), accounts.get(&key));
        }
        for name in ["", "a", "a\0"] {
            let some = KeyRange::from_until(&key(name, 1), &key("a\0", 3));
            let inside =
                |(found, _): &&(AccountKey, Account)| (key(name, 1)..key("a\0", 3)).contains(found);
            let expected: Vec<_> = expected.iter().filter(inside).cloned().collect();
            assert_eq!(rows(&self.live, &ACCOUNTS, some), expected);
        }
        let stored: BTreeMap<u64, i64> = rows(&self.live, &RECEIPTS, KeyRange::all())
            .into_iter()
            .map(|(key, row)| (key, row.due_at_ms))
            .collect();
        assert_eq!(&stored, receipts);
        self.check_derived(accounts);
    }

    fn check_derived(&self, accounts: &BTreeMap<AccountKey, Account>) {
        let open = || accounts.iter().filter(|(_, row)| !row.closed);
        let mut due: Vec<_> = open()
            .map(|(key, row)| (row.due_at_ms, key.0.clone(), key.1))
            .collect();
        due.sort();
        // As timers are asked for: up to a time that goes back and forth with what is stored.
        for now in [1_i64, 4] {
            let mut until = vec![DUE.id()];
            until.extend_from_slice(&(now ^ i64::MIN).to_be_bytes());
            let mut found = 0;
            let counted = self.live.scan_bytes(&[DUE.id()], &until, &mut |_, _| {
                found += 1;
                ControlFlow::Continue(())
            });
            counted.expect("readable entries");
            assert_eq!(found, due.iter().filter(|entry| entry.0 < now).count());
        }
        let until_three = KeyRange::from_until(&i64::MIN, &3_i64);
        let found = entries(&self.live, &DUE, until_three);
        assert_eq!(
            found,
            due.iter()
                .filter(|entry| entry.0 < 3)
                .cloned()
                .collect::<Vec<_>>()
        );
        assert_eq!(entries(&self.live, &DUE, KeyRange::all()), due);
        for owner in ["ann", "bob"] {
            let of_owner = |row: &Account| row.owner == owner;
            let sum: i64 = accounts
                .values()
                .filter(|row| of_owner(row))
                .map(|row| row.amount)
                .sum();
            let count = open().filter(|(_, row)| of_owner(row)).count();
            let owner = owner.to_owned();
            assert_eq!(self.live.sum(&SUM_BY_OWNER, &owner).expect("a sum"), sum);
            let stored = self.live.sum(&COUNT_BY_OWNER, &owner).expect("a sum");
            assert_eq!(usize::try_from(stored).expect("a count"), count);
        }
        self.live.check_indexes().expect("indexes that agree");
    }

    /// After a last commit the restored task has every byte of the live one, save what was purged.
    fn finish(mut self) {
        if self.model.sealed.is_some() {
            self.commit();
        }
        self.commit();
        self.restored.check_indexes().expect("indexes that agree");
        for state in [&mut self.live, &mut self.restored] {
            state.purge_expired(i64::MAX, usize::MAX).expect("a purge");
            state.commit(&[]).expect("a commit");
        }
        assert_eq!(everything(&self.live), everything(&self.restored));
        let before = everything(&self.live);
        self.live.rebuild_indexes().expect("a rebuild");
        assert_eq!(everything(&self.live), before);
    }
}

fn run(backend: Backend, steps: &[Step]) {
    let mut run = Run::new(backend);
    for step in steps {
        run = run.step(step);
        run.check();
    }
    run.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn memory_behaves_as_the_model(steps in prop::collection::vec(some_step(), 1..60)) {
        run(Backend::all().remove(0), &steps);
    }
}

#[cfg(feature = "rocksdb")]
proptest! {
    // Each case opens a database.
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn rocksdb_behaves_as_the_model(steps in prop::collection::vec(some_step(), 1..60)) {
        run(Backend::all().remove(1), &steps);
    }
}
