//! A process that is killed at any moment of a commit loses nothing that was committed, and
//! leaves no part of a batch behind.
#![cfg(feature = "rocksdb")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{ACCOUNTS, COUNT_BY_OWNER, SUM_BY_OWNER, account, key, rows, stores};
use stagedoor_state::{Database, DatabaseOptions, KeyRange, StorageProvider, TaskState, TypedRead};

const DIRECTORY: &str = "STAGEDOOR_TEST_KILLED_DIRECTORY";
const KILLS: u64 = 12;
const TASKS: [&str; 2] = ["0_0", "0_1"];
const BATCH_ROWS: u64 = 400;

/// Every byte is written through the operating system at once, so that files are cut anywhere.
fn open(directory: &Path) -> Database {
    let write_buffer_bytes = 1 << 20;
    let options = DatabaseOptions {
        write_buffer_bytes,
        ..DatabaseOptions::default()
    };
    Database::open(directory, &options).expect("a database that opens")
}

fn task(database: &Database, name: &str) -> TaskState {
    TaskState::new(database.storage(name).expect("a storage"), stores()).expect("a state")
}

fn round(state: &TaskState) -> u64 {
    let stored = state.meta(b"round").expect("a readable meta row");
    stored.map_or(0, |bytes| {
        u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
    })
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["the_killed_process_commits", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a second process")
}

#[test]
fn a_kill_at_any_moment_keeps_whole_committed_batches() {
    let directory = tempfile::tempdir().unwrap();
    let mut confirmed = [0; TASKS.len()];
    for kill in 0..KILLS {
        let mut child = start(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let commits = lines.map_while(Result::ok).filter_map(|line| {
            let (task, round) = line.strip_prefix("committed ")?.split_once(' ')?;
            Some((task.parse::<usize>().ok()?, round.parse::<u64>().ok()?))
        });
        // Another number of commits each time: the kill lands in another part of a round.
        let mut seen = 0;
        for (task, round) in commits {
            confirmed[task] = round;
            seen += 1;
            if seen == 3 + kill * 5 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 3 + kill * 5, "the process ended by itself");
        check(&open(directory.path()), &confirmed);
    }
}

fn check(database: &Database, confirmed: &[u64]) {
    for (name, confirmed) in TASKS.iter().zip(confirmed) {
        let state = task(database, name);
        let stored = round(&state);
        assert!(
            stored >= *confirmed,
            "round {confirmed} is lost, {stored} is there"
        );
        let accounts = rows(&state, &ACCOUNTS, KeyRange::all());
        let expected = i64::try_from(stored).expect("few rounds");
        assert!(
            accounts.iter().all(|(_, row)| row.amount == expected),
            "a torn batch"
        );
        state.check_indexes().expect("indexes that agree");
        let owner = "ann".to_owned();
        let count = state.sum(&COUNT_BY_OWNER, &owner).expect("a sum");
        assert_eq!(
            state.sum(&SUM_BY_OWNER, &owner).expect("a sum"),
            expected * count
        );
    }
}

/// The other half of the test above, in a process of its own; without it, one round.
#[test]
fn the_killed_process_commits() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os(DIRECTORY);
    let directory = given.as_ref().map_or(own.path(), |given| Path::new(given));
    let database = open(directory);
    let mut states = TASKS.map(|name| task(&database, name));
    loop {
        for (number, state) in states.iter_mut().enumerate() {
            let round = round(state) + 1;
            for row in 0..BATCH_ROWS {
                let row_value = account("ann", i64::try_from(round).unwrap(), 1);
                state.put(&ACCOUNTS, &key("a", row), &row_value).unwrap();
            }
            state.commit(&[(b"round", &round.to_be_bytes())]).unwrap();
            println!("committed {number} {round}");
            std::io::stdout().flush().unwrap();
        }
        if given.is_none() {
            break;
        }
    }
    check(
        &{
            drop(states);
            database
        },
        &[1, 1],
    );
}
