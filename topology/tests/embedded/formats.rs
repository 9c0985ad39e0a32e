//! Formats of other versions, gaps in the chain, and clocks that go back.

use std::fs;
use std::sync::Arc;

use stagedoor_state::{Database, StorageProvider as _};
use stagedoor_topology::VirtualClock;
use stagedoor_topology::log::embedded::EmbeddedConfig;

use super::small_log::{append, config, contents, fill, open, open_with, options, record, topic};

#[test]
fn a_log_of_a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()).unwrap(), 2);
    let database = Database::open(directory.path(), &options()).unwrap();
    let rows = database.keyspace("log").unwrap();
    let mut format = rows.get(b"F").unwrap().expect("a format");
    format[..4].copy_from_slice(&2_u32.to_be_bytes());
    let mut batch = rows.batch().unwrap();
    batch.put(b"F", &format);
    rows.write(batch, true).unwrap();
    drop((rows, database));
    let refused = open(directory.path()).err().expect("a refusal");
    assert!(refused.contains("start a newer program"), "{refused}");
}

#[test]
fn a_directory_of_an_older_format_keeps_a_checkpoint_and_its_log() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()).unwrap(), 5);
    let truth = contents(&open(directory.path()).unwrap()).unwrap();
    let database = Database::open(directory.path(), &options()).unwrap();
    drop(database.storage("0_0").unwrap());
    drop(database);
    fs::write(directory.path().join("FORMAT"), "stagedoor-state 0\n").unwrap();
    let database = Database::open(directory.path(), &options()).unwrap();
    assert_eq!(
        database.tasks(),
        Vec::<String>::new(),
        "stores are made anew"
    );
    drop(database);
    let now = fs::read_to_string(directory.path().join("FORMAT")).unwrap();
    assert_eq!(now, "stagedoor-state 1\n");
    assert_eq!(contents(&open(directory.path()).unwrap()).unwrap(), truth);
    // The checkpoint is a whole database of the older program.
    let kept = tempfile::tempdir().unwrap();
    let checkpoint = directory.path().join("rocksdb-format-0");
    fs::rename(checkpoint, kept.path().join("rocksdb")).unwrap();
    fs::write(kept.path().join("FORMAT"), "stagedoor-state 1\n").unwrap();
    let database = Database::open(kept.path(), &options()).unwrap();
    assert_eq!(database.tasks(), ["0_0"]);
    drop(database);
    assert_eq!(contents(&open(kept.path()).unwrap()).unwrap(), truth);
}

#[test]
fn a_commit_that_is_missing_from_the_middle_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()).unwrap(), 5);
    let database = Database::open(directory.path(), &options()).unwrap();
    let rows = database.keyspace("log").unwrap();
    let mut batch = rows.batch().unwrap();
    batch.delete(&[&b"C"[..], &4_u64.to_be_bytes()].concat());
    rows.write(batch, true).unwrap();
    drop((rows, database));
    let refused = open(directory.path()).err().expect("a refusal");
    assert!(refused.contains("missing from 4 on"), "{refused}");
}

#[test]
fn a_batch_that_is_missing_is_noticed_by_its_readers() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()).unwrap(), 5);
    let database = Database::open(directory.path(), &options()).unwrap();
    let rows = database.keyspace("log").unwrap();
    let mut batch = rows.batch().unwrap();
    let key = [
        &b"B"[..],
        &1_u32.to_be_bytes(),
        &0_i32.to_be_bytes(),
        &2_i64.to_be_bytes(),
    ];
    assert!(rows.get(&key.concat()).unwrap().is_some());
    batch.delete(&key.concat());
    rows.write(batch, true).unwrap();
    drop((rows, database));
    let refused = contents(&open(directory.path()).unwrap()).expect_err("a refusal");
    assert!(
        refused.contains("offset 2 of results-0 is missing"),
        "{refused}"
    );
}

#[test]
fn times_stand_still_while_the_wall_clock_is_behind_them() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::new(1_800_000_000_000));
    let config = EmbeddedConfig {
        clock: Arc::<VirtualClock>::clone(&clock),
        ..config()
    };
    let log = open_with(directory.path(), config.clone()).unwrap();
    topic(&log, "commands", 2, &[]);
    let times = |log: &_| -> Vec<i64> {
        let contents = contents(log).unwrap();
        let records = contents.records.into_values().flatten();
        records
            .map(|(_, time_ms, _)| time_ms - 1_800_000_000_000)
            .collect()
    };
    append(&log, record("commands", 0, b"1")).unwrap();
    clock.jump(-3_600_000);
    append(&log, record("commands", 0, b"2")).unwrap();
    drop(log);
    let log = open_with(directory.path(), config).unwrap();
    append(&log, record("commands", 0, b"3")).unwrap();
    clock.advance(3_600_005);
    append(&log, record("commands", 0, b"4")).unwrap();
    assert_eq!(times(&log), [0, 0, 0, 5]);
}
