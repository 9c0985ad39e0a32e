//! The suite where it cannot measure: it says so, and leaves nothing behind.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

fn suite(temporary: &Path, arguments: &[&str], path: &str) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_stagedoor-bench"))
        .args(["suite", "--quick"])
        .args(arguments)
        .arg("--out")
        .arg(temporary.join("out"))
        .env("TMPDIR", temporary)
        .env("PATH", path)
        .env_remove("JAVA_HOME")
        .output()
}

fn told(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"", "no table where nothing was measured");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_java_it_says_what_to_install_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let text = told(&suite(temporary.path(), &[], "").unwrap());
    assert!(text.contains("java is missing"), "{text}");
    assert!(text.contains("install version 17 or later"), "{text}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_second_run_is_refused_while_the_first_one_has_the_machine() {
    let temporary = tempfile::tempdir().unwrap();
    let shared = temporary.path().join("stagedoor-bench");
    fs::create_dir(&shared).unwrap();
    let held = fs::File::create(shared.join("lock")).unwrap();
    held.lock().unwrap();
    let path = std::env::var("PATH").unwrap();
    let text = told(&suite(temporary.path(), &[], &path).unwrap());
    assert!(text.contains("wait for its end"), "{text}");
    let left: Vec<_> = fs::read_dir(&shared).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");
}

#[test]
fn an_unknown_scenario_is_refused_with_those_that_there_are() {
    let temporary = tempfile::tempdir().unwrap();
    let text = told(&suite(temporary.path(), &["--scenario", "hottest"], "").unwrap());
    assert!(text.contains("hot-seats"), "{text}");
}
