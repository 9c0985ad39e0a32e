//! Retention, tombstones, and the cut of the chain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::VirtualClock;
use stagedoor_topology::log::embedded::{EmbeddedConfig, EmbeddedLog};
use stagedoor_topology::log::{Haste, Isolation, Log, LogError, Outgoing, Pace, TopicPartition};

use super::small_log::{PATIENCE, append, config, open, open_with, options, record, topic};

/// First offset and offsets of all records.
fn offsets(log: &EmbeddedLog, name: &str) -> (i64, Vec<i64>) {
    let reader = log.reader(Isolation::ReadCommitted, Pace::CatchUp);
    let mut reader = reader.expect("a reader");
    let partition = TopicPartition::new(name, 0);
    reader.open(name, &[(0, 0)]).expect("it opens");
    let mut found = Vec::new();
    while !reader
        .poll(Duration::ZERO, 1_000, &mut |record| {
            found.push(record.offset)
        })
        .expect("it is read")
    {}
    let (first, _) = reader.watermarks(&partition).expect("they are known");
    (first, found)
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn old_segments_are_deleted_by_size_and_readers_behind_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).unwrap();
    let settings = [("segment.bytes", "10000"), ("retention.bytes", "50000")];
    topic(&log, "bounded", 1, &settings);
    topic(
        &log,
        "kept",
        1,
        &[("retention.ms", "-1"), ("segment.bytes", "10000")],
    );
    let mut behind = log.reader(Isolation::ReadCommitted, Pace::CatchUp).unwrap();
    behind.open("bounded", &[(0, 1)]).unwrap();
    for _ in 0..200 {
        for name in ["bounded", "kept"] {
            append(&log, record(name, 0, &[7; 1_000])).unwrap();
        }
    }
    eventually("the oldest are deleted", || {
        offsets(&log, "bounded").0 > 140
    });
    let (first, found) = offsets(&log, "bounded");
    assert_eq!(found, (first..200).collect::<Vec<_>>());
    assert!(found.len() >= 40, "not more than was asked for: {found:?}");
    let polled = behind.poll(Duration::ZERO, 10, &mut |_| panic!("it is gone"));
    assert!(matches!(polled, Err(LogError::OutOfRange(_))));
    drop((behind, log));
    let log = open(directory.path()).unwrap();
    assert!(offsets(&log, "bounded").0 >= first, "also after a restart");
    assert_eq!(offsets(&log, "kept").1.len(), 200);
}

#[test]
fn old_segments_are_deleted_by_age() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::new(1_800_000_000_000));
    let config = EmbeddedConfig {
        clock: Arc::<VirtualClock>::clone(&clock),
        ..config()
    };
    let log = open_with(directory.path(), config).unwrap();
    topic(
        &log,
        "aged",
        1,
        &[("retention.ms", "60000"), ("segment.ms", "10000")],
    );
    for _ in 0..10 {
        append(&log, record("aged", 0, b"x")).unwrap();
        clock.advance(10_001);
    }
    eventually("what is over a minute old is deleted", || {
        offsets(&log, "aged") == (5, (5..10).collect())
    });
}

#[test]
fn a_tombstone_stays_for_its_time_and_then_goes() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::new(1_800_000_000_000));
    let config = EmbeddedConfig {
        clock: Arc::<VirtualClock>::clone(&clock),
        ..config()
    };
    let log = open_with(directory.path(), config).unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "60000"),
        ("segment.ms", "1000"),
    ];
    topic(&log, "table", 1, &settings);
    let write = |key: &[u8], value: Option<&[u8]>| {
        let outgoing = Outgoing {
            key: Some(key),
            value,
            ..record("table", 0, b"")
        };
        clock.advance(1_001);
        append(&log, outgoing).unwrap();
    };
    write(b"gone", Some(b"1"));
    write(b"kept", Some(b"1"));
    write(b"gone", None);
    write(b"other", Some(b"1"));
    eventually(
        "the deleted record is gone, and its tombstone is not",
        || offsets(&log, "table").1 == [1, 2, 3],
    );
    clock.advance(60_000);
    let mut fillers = 0;
    eventually("the tombstone goes", || {
        write(format!("filler-{fillers}").as_bytes(), Some(b"1"));
        fillers += 1;
        let found = offsets(&log, "table").1;
        assert!(found.contains(&1), "{found:?}");
        !found.contains(&2)
    });
    let (first, found) = offsets(&log, "table");
    assert_eq!((first, found[0]), (0, 1), "offsets and the start stay");
}

#[test]
fn the_chain_is_cut_behind_what_is_flushed_and_the_log_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions {
        write_buffer_bytes: 64 << 20,
        ..options()
    };
    let database = Database::open(directory.path(), &options).unwrap();
    let log = EmbeddedLog::open(&database, config()).unwrap();
    topic(&log, "long", 1, &[]);
    let rows = database.keyspace("log").unwrap();
    let first_link = [&b"C"[..], &1_u64.to_be_bytes()].concat();
    assert!(rows.get(&first_link).unwrap().is_some());
    let value = vec![7; 900_000];
    eventually("the first links are cut off", || {
        append(&log, record("long", 0, &value)).unwrap();
        rows.get(&first_link).unwrap().is_none()
    });
    let (_, before) = offsets(&log, "long");
    drop((rows, log, database));
    let log = open(directory.path()).unwrap();
    assert_eq!(offsets(&log, "long").1, before);
    append(&log, record("long", 0, b"more")).unwrap();
    drop(log);
    assert_eq!(
        offsets(&open(directory.path()).unwrap(), "long").1.len(),
        before.len() + 1
    );
}

#[test]
fn a_thousand_appends_share_few_writes() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path(), &options()).unwrap();
    let log = EmbeddedLog::open(&database, config()).unwrap();
    topic(&log, "shared", 1, &[]);
    let appender = log.appender().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..1_000 {
        let tell = std::sync::Mutex::new(tell.clone());
        let done = move |outcome| {
            tell.lock()
                .expect("nobody panicked")
                .send(outcome)
                .expect("told")
        };
        appender.append(record("shared", 0, b"x"), Haste::Prompt, Box::new(done));
    }
    let offsets: Vec<i64> = told
        .iter()
        .take(1_000)
        .map(|outcome: Result<_, LogError>| outcome.expect("taken").offset)
        .collect();
    assert_eq!(offsets, (0..1_000).collect::<Vec<_>>());
    let mut links = 0;
    let rows = database.keyspace("log").unwrap();
    let mut count = |_: &[u8], _: &[u8]| {
        links += 1;
        std::ops::ControlFlow::Continue(())
    };
    rows.scan(b"C", b"D", &mut count).unwrap();
    assert!(links < 500, "{links} writes");
}
