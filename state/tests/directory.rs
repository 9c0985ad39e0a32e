//! The data directory: one process, a known format, and clear words otherwise.
#![cfg(feature = "rocksdb")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use stagedoor_state::{Database, DatabaseOptions, StateError, StorageProvider};

/// Set for the process that a test starts to try a directory that is in use.
const DIRECTORY: &str = "STAGEDOOR_TEST_DIRECTORY";

fn open(directory: &Path) -> Result<Database, StateError> {
    Database::open(directory, &DatabaseOptions::default())
}

fn refusal(directory: &Path) -> StateError {
    open(directory).err().expect("a refusal")
}

#[test]
fn a_second_database_in_the_same_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path()).unwrap();
    let reader = database.storage("0_0").unwrap().reader();
    let error = refusal(directory.path());
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    drop(database);
    // A reader keeps the database open.
    assert!(matches!(
        refusal(directory.path()),
        StateError::Locked { .. }
    ));
    drop(reader);
    open(directory.path()).unwrap();
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let _database = open(directory.path()).unwrap();
    let second = Command::new(std::env::current_exe().unwrap())
        .args(["the_second_process_reports", "--exact", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&second.stdout);
    let expected = format!("is in use by process {}; stop it", std::process::id());
    assert!(text.contains(&expected), "{text}");
}

/// The other half of the test above, in a process of its own; on its own it opens a directory
/// that is free.
#[test]
fn the_second_process_reports() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os(DIRECTORY);
    let directory = given.as_ref().map_or(own.path(), |given| Path::new(given));
    match open(directory) {
        Ok(_) => assert!(given.is_none(), "the directory should be in use"),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let file = directory.path().join("FORMAT");
    assert_eq!(fs::read_to_string(&file).unwrap(), "stagedoor-state 1\n");
    fs::write(&file, "stagedoor-state 2\n").unwrap();
    let error = refusal(directory.path());
    assert!(
        matches!(
            error,
            StateError::NewerFormat {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "stagedoor-state 2\n");
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    fs::write(directory.path().join("FORMAT"), "something else").unwrap();
    assert!(matches!(
        refusal(directory.path()),
        StateError::ForeignDirectory { .. }
    ));
    fs::remove_file(directory.path().join("FORMAT")).unwrap();
    let error = refusal(directory.path());
    assert!(
        error
            .to_string()
            .contains("a database without a FORMAT file"),
        "{error}"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    // Neither of them can be written to, not even by root.
    for unusable in [file.join("data").as_path(), Path::new("/proc/stagedoor")] {
        let error = refusal(unusable);
        assert!(matches!(error, StateError::Directory { .. }), "{error}");
        assert!(
            error.to_string().contains(&unusable.display().to_string()),
            "{error}"
        );
    }
}

#[test]
fn a_half_made_directory_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("LOCK"), "1\n").unwrap();
    fs::write(directory.path().join("FORMAT.new"), "stagedoor").unwrap();
    drop(open(directory.path()).unwrap());
    assert!(directory.path().join("FORMAT").exists());
}

#[test]
fn damaged_files_are_reported_as_corrupted() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap().storage("0_0").unwrap());
    let files = fs::read_dir(directory.path().join("rocksdb")).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        if file.to_string_lossy().contains("MANIFEST") {
            fs::write(file, vec![7; 5_000]).unwrap();
        }
    }
    let error = refusal(directory.path());
    assert!(matches!(error, StateError::Corrupted { .. }), "{error}");
}
