//! Kills inside of commits: all of a transaction or nothing of it, and all that was acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::small_log::{contents, fill, open};

const DIRECTORY: &str = "STAGEDOOR_TEST_KILLED_LOG";
const KILLS: usize = 15;

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["kill::the_killed_process_commits", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a second process")
}

#[test]
fn a_kill_inside_a_commit_leaves_all_of_it_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for kill in 0..KILLS {
        let mut child = start(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines.map_while(Result::ok) {
            let Some(count) = line.strip_prefix("committed ") else {
                continue;
            };
            acknowledged = count.parse().expect("a number");
            if acknowledged % 97 >= 5 * kill {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > 0, "it committed");
        let log = open(directory.path()).expect("it opens after a kill");
        let contents = contents(&log).expect("it can be read");
        let counts: Vec<usize> = contents.records.values().map(Vec::len).collect();
        let (commands, results) = (counts[0], &counts[2..]);
        assert_eq!(results[0], results[1], "a torn transaction");
        assert!(commands >= acknowledged, "{commands} of {acknowledged}");
        assert!(results[0] == commands || results[0] == commands + 1);
    }
}

/// The other half of the test above, in a process of its own; without it, one round.
#[test]
fn the_killed_process_commits() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os(DIRECTORY);
    let directory = given.as_ref().map_or(own.path(), |given| Path::new(given));
    let log = open(directory).expect("it opens");
    loop {
        fill(&log, 1);
        let count = contents(&log).expect("it can be read").records;
        println!("committed {}", count.values().next().map_or(0, Vec::len));
        std::io::stdout().flush().unwrap();
        if given.is_none() {
            break;
        }
    }
}
