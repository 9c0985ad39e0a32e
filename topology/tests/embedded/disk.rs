//! Disks that are full or cannot be written, on a small file system of their own in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use stagedoor_state::Database;
use stagedoor_topology::log::LogError;
use stagedoor_topology::log::embedded::EmbeddedConfig;

use super::small_log::{
    PATIENCE, append, config, contents, open, open_with, options, record, topic,
};

/// A small file system; it is gone when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().display().to_string();
        mount(&["-t", "tmpfs", "-o", size, "tmpfs", &path]);
        Self(place)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Takes room until so many bytes are left.
    fn leave(&self, bytes: u64) -> PathBuf {
        let filler = self.0.path().join("filler");
        let disk = rustix::fs::statvfs(self.0.path()).expect("its size");
        let free = disk.f_bavail * disk.f_frsize;
        let size = usize::try_from(free - bytes.min(free)).expect("a small disk");
        fs::write(&filler, vec![1; size]).expect("there is room");
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that failed has more to say than this.
        let _ = run("umount", &["-l", &self.0.path().display().to_string()]);
    }
}

/// As root, or by sudo where one is not.
fn run(program: &str, arguments: &[&str]) -> bool {
    let root = rustix::process::geteuid().is_root();
    let mut command = match root {
        true => Command::new(program),
        false => Command::new("sudo"),
    };
    if !root {
        command.args(["-n", program]);
    }
    command
        .args(arguments)
        .status()
        .is_ok_and(|it| it.success())
}

fn mount(arguments: &[&str]) {
    assert!(
        run("mount", arguments),
        "a small file system is mounted; run as root or with sudo"
    );
}

/// Appends until the log answers otherwise; returns how many it took, and its answer.
fn append_until_refused(log: &stagedoor_topology::log::embedded::EmbeddedLog) -> (usize, LogError) {
    let value = noise(200_000);
    let refused = (0..10_000).find_map(|taken| {
        let refused = append(log, record("commands", 0, &value)).err();
        refused.map(|error| (taken, error))
    });
    refused.expect("the disk fills up")
}

/// Bytes that no compression makes smaller: otherwise what is written leaves the disk again.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &u64| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    };
    let states = std::iter::successors(Some(0x9e37_79b9_7f4a_7c15), next);
    states
        .map(|state| state.to_le_bytes()[7])
        .take(length)
        .collect()
}

fn eventually_taken(log: &stagedoor_topology::log::embedded::EmbeddedLog) {
    let started = Instant::now();
    while append(log, record("commands", 0, b"after")).is_err() {
        assert!(
            started.elapsed() < PATIENCE,
            "it goes on when there is room"
        );
        std::thread::yield_now();
    }
}

fn commands(path: &Path) -> usize {
    let contents = contents(&open(path).expect("it opens")).expect("it can be read");
    contents.records.values().next().map_or(0, Vec::len)
}

#[test]
fn a_disk_that_runs_full_refuses_for_the_moment_and_loses_nothing() {
    let disk = Disk::new("size=96m");
    let config = EmbeddedConfig {
        reserve_bytes: 32 << 20,
        ..config()
    };
    let log = open_with(&disk.path(), config).expect("it opens");
    topic(&log, "commands", 2, &[]);
    let filler = disk.leave(40 << 20);
    let (taken, error) = append_until_refused(&log);
    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(taken > 0);
    assert!(matches!(log_session(&log), Err(LogError::Unavailable(_))));
    fs::remove_file(filler).expect("room is made");
    eventually_taken(&log);
    log_session(&log).expect("sessions go on, too");
    drop(log);
    assert_eq!(commands(&disk.path()), taken + 1);
}

#[test]
fn a_disk_that_others_have_filled_to_the_last_byte_loses_nothing() {
    let disk = Disk::new("size=64m");
    let log = open(&disk.path()).expect("it opens");
    topic(&log, "commands", 2, &[]);
    let filler = disk.leave(2 << 20);
    let (taken, error) = append_until_refused(&log);
    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
    fs::remove_file(filler).expect("room is made");
    drop(log);
    let found = commands(&disk.path());
    assert!(found >= taken, "{found} of {taken}");
    let log = open(&disk.path()).expect("it opens again");
    append(&log, record("commands", 0, b"after")).expect("it goes on after a restart");
}

fn log_session(log: &dyn stagedoor_topology::log::Log) -> Result<(), LogError> {
    log.session("disk-1").map(drop)
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_a_remedy() {
    let disk = Disk::new("size=32m");
    drop(open(&disk.path()).expect("it opens"));
    let place = disk.0.path().display().to_string();
    mount(&["-o", "remount,ro", &place]);
    let refused = Database::open(disk.path(), &options())
        .err()
        .expect("a refusal");
    let refused = refused.to_string();
    assert!(refused.contains("that this user may write to"), "{refused}");
    assert!(refused.contains(&place), "{refused}");
}
