//! Keyspaces: rows beside the stores, in the same database and write-ahead log.
#![cfg(feature = "rocksdb")]

use std::ops::ControlFlow;

use stagedoor_state::{Database, DatabaseOptions, Keyspace, StorageProvider as _};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(keyspace: &Keyspace, from: &[u8], until: &[u8], at: Option<&[u8]>) -> Rows {
    let mut found = Vec::new();
    let mut collect = |key: &[u8], value: &[u8]| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    match at {
        None => keyspace.scan(from, until, &mut collect),
        Some(at) => keyspace.scan_around((from, until), at, &mut collect),
    }
    .expect("it can be read");
    found
}

fn row(key: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.to_vec(), value.to_vec())
}

fn filled(database: &Database) -> Keyspace {
    let keyspace = database.keyspace("log").expect("it opens");
    let mut batch = keyspace.batch().expect("a batch");
    let large = vec![7; 5_000];
    for key in [b"a1", b"a3", b"a5", b"b2"] {
        batch.put(key, &large);
    }
    batch.put(b"a1", b"small");
    keyspace.write(batch, true).expect("it is written");
    keyspace
}

#[test]
fn rows_are_read_in_order_and_around_a_key_from_the_one_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path(), &DatabaseOptions::default()).unwrap();
    let keyspace = filled(&database);
    let large = vec![7; 5_000];
    assert_eq!(keyspace.get(b"a1").unwrap(), Some(b"small".to_vec()));
    assert_eq!(keyspace.get(b"a2").unwrap(), None);
    let (three, five) = (row(b"a3", &large), row(b"a5", &large));
    let from_three = [three.clone(), five.clone()];
    assert_eq!(rows(&keyspace, b"a2", b"b", None), from_three);
    assert_eq!(rows(&keyspace, b"a", b"b", Some(b"a4")), from_three);
    assert_eq!(rows(&keyspace, b"a", b"b", Some(b"a3")), from_three);
    assert_eq!(
        rows(&keyspace, b"a", b"b", Some(b"a0")).len(),
        3,
        "from the first one on"
    );
    assert_eq!(rows(&keyspace, b"a", b"b", Some(b"zz")), [five]);
    assert_eq!(rows(&keyspace, b"c", b"d", Some(b"c5")), []);
}

#[test]
fn deleted_ranges_stay_deleted_and_the_rest_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions::default();
    let database = Database::open(directory.path(), &options).unwrap();
    let keyspace = filled(&database);
    keyspace.flush().unwrap();
    let mut batch = keyspace.batch().unwrap();
    batch.delete_range(b"a1", b"a5");
    batch.delete(b"b2");
    batch.put(b"c", b"1");
    assert!(batch.bytes() > 0);
    keyspace.write(batch, false).unwrap();
    keyspace.delete_files(b"a1", b"a5").unwrap();
    keyspace.sync().unwrap();
    drop((keyspace, database));
    let database = Database::open(directory.path(), &options).unwrap();
    let keyspace = database.keyspace("log").unwrap();
    let left: Vec<Vec<u8>> = rows(&keyspace, b"", b"z", None)
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(left, [b"a5".to_vec(), b"c".to_vec()]);
}

#[test]
fn a_keyspace_is_no_task_and_keeps_the_directory_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions::default();
    let database = Database::open(directory.path(), &options).unwrap();
    let keyspace = filled(&database);
    drop(database.storage("0_0").unwrap());
    assert_eq!(database.tasks(), ["0_0"]);
    drop(database);
    assert!(Database::open(directory.path(), &options).is_err());
    drop(keyspace);
    let database = Database::open(directory.path(), &options).unwrap();
    assert_eq!(database.tasks(), ["0_0"]);
}
