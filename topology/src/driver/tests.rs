//! The driver over a small topology: outputs, timers, crashes, and faults that must do nothing.

use crate::driver::{DriverError, TopologyTestDriver};
use crate::log::simulated::{Armed, Call, Fault};
use crate::log::{Isolation, Log as _, Outgoing};
use stagedoor_state::TypedRead as _;

use crate::instances::Instance;
use crate::murmur2::partition_for;
use crate::task_tests::{ROWS, scripted};
use crate::topology::{Topology, TopologyBuilder};
use crate::wiring::TaskId;

fn topology() -> Topology {
    let builder = TopologyBuilder::new().sub_topology(scripted());
    builder.build().expect("a topology")
}

fn driver() -> TopologyTestDriver {
    TopologyTestDriver::new(topology(), 2, 0).expect("a driver")
}

fn pipe(driver: &mut TopologyTestDriver, text: &str) {
    driver
        .pipe_input("commands", b"key", Some(text.as_bytes()), &[])
        .expect("processed");
}

fn output(driver: &mut TopologyTestDriver) -> Vec<String> {
    let text =
        |value: Option<Vec<u8>>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
    let records = driver.read_output("out");
    records
        .into_iter()
        .map(|record| text(record.value))
        .collect()
}

#[test]
fn what_is_piped_in_is_answered_and_a_timer_fires_when_time_has_passed() {
    let mut driver = driver();
    pipe(&mut driver, "put a 5000");
    pipe(&mut driver, "read a");
    assert_eq!(output(&mut driver), ["done", "there"]);
    driver.advance_time(4_999).expect("time");
    assert_eq!(output(&mut driver), [""; 0]);
    driver.advance_time(1).expect("time");
    assert_eq!(output(&mut driver), ["fired a"]);
}

#[test]
fn restarts_crashes_and_lost_stores_change_no_row_and_no_answer() {
    let mut driver = driver();
    pipe(&mut driver, "put a 5000");
    pipe(&mut driver, "put b 9000");
    let before = driver.digests().expect("digests");
    driver.restart().expect("restarted");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.crash().expect("crashed and started");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.lose_stores().expect("restored");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.advance_time(5_000).expect("time");
    assert_eq!(output(&mut driver), ["done", "done", "fired a"]);
}

#[test]
fn a_record_that_panics_is_dead_lettered_and_the_next_one_is_processed() {
    let mut driver = driver();
    pipe(&mut driver, "die a");
    pipe(&mut driver, "read a");
    assert_eq!(output(&mut driver), ["failed panic", "gone"]);
    let dead_letters = driver.naming().dead_letters();
    assert_eq!(driver.read_output(&dead_letters).len(), 1);
}

/// Plays one command while something goes wrong at a call, and one more after it.
fn with_fault(call: Call, fault: Fault) -> (Vec<String>, TopologyTestDriver) {
    let mut driver = driver();
    let skip = 0;
    let call = Some(call);
    driver.arm(Armed { call, skip, fault });
    pipe(&mut driver, "put a 5000");
    pipe(&mut driver, "read a");
    let seen = output(&mut driver);
    (seen, driver)
}

#[test]
fn a_crash_at_any_call_leaves_one_answer_a_command() {
    let calls = [
        Call::Poll,
        Call::Send,
        Call::AddOffsets,
        Call::Commit,
        Call::Store,
    ];
    for call in calls {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Unavailable] {
            let name = format!("{fault:?} at {call:?}");
            if call == Call::Store && matches!(fault, Fault::Unavailable) {
                continue;
            }
            let (seen, mut driver) = with_fault(call, fault);
            assert_eq!(seen, ["done", "there"], "{name}");
            let live = driver.digests().expect("digests");
            driver.lose_stores().expect("restored");
            assert_eq!(driver.digests().expect("digests"), live, "{name}");
        }
    }
}

#[test]
fn a_commit_of_unknown_outcome_is_settled_by_what_the_log_says() {
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::SlowMarkers] {
        let name = format!("{fault:?}");
        let (seen, _) = with_fault(Call::Commit, fault);
        assert_eq!(seen, ["done", "there"], "{name}");
    }
}

/// Plays a command whose commit is still under way when the next one comes in, which is decided
/// over it, while something goes wrong at a call.
fn decided_ahead(call: Call, fault: Fault) -> (Vec<String>, TopologyTestDriver) {
    let mut driver = driver();
    pipe(&mut driver, "put a 5000");
    let (cluster, topic) = (driver.cluster().clone(), driver.naming().topic("commands"));
    let partition = partition_for(b"key", 2);
    let comes_in = Fault::Meanwhile(Box::new(move || {
        let next = Outgoing {
            topic: &topic,
            partition,
            key: Some(b"key"),
            value: Some(b"put b 9000"),
            headers: &[],
        };
        cluster.append(next).expect("it comes in");
    }));
    for (call, fault) in [(Call::Send, comes_in), (call, fault)] {
        let call = Some(call);
        let skip = 0;
        driver.arm(Armed { call, skip, fault });
    }
    pipe(&mut driver, "read a");
    pipe(&mut driver, "read b");
    let seen = output(&mut driver);
    (seen, driver)
}

#[test]
fn what_is_decided_ahead_of_a_commit_stands_and_falls_with_it() {
    let nothing = || Fault::Meanwhile(Box::new(|| {}));
    let faults: [(Call, Fault); 10] = [
        (Call::Commit, nothing()),
        (Call::AddOffsets, Fault::Unavailable),
        (Call::Commit, Fault::Unavailable),
        (Call::Commit, Fault::AnswerLost),
        (Call::Commit, Fault::RequestLost),
        (Call::Commit, Fault::Doubled),
        (Call::Commit, Fault::CrashBefore),
        (Call::Commit, Fault::CrashAfter),
        (Call::Store, Fault::CrashBefore),
        (Call::Store, Fault::CrashAfter),
    ];
    for (call, fault) in faults {
        let name = format!("{fault:?} at {call:?}");
        let (seen, mut driver) = decided_ahead(call, fault);
        assert_eq!(seen, ["done", "there", "done", "there"], "{name}");
        let live = driver.digests().expect("digests");
        driver.lose_stores().expect("restored");
        assert_eq!(driver.digests().expect("digests"), live, "{name}");
        driver.advance_time(9_000).expect("time");
        assert_eq!(output(&mut driver), ["fired a", "fired b"], "{name}");
    }
}

#[test]
fn the_end_of_a_transaction_that_arrives_late_ends_no_other_one() {
    for fault in [Fault::Held, Fault::Doubled] {
        let name = format!("{fault:?}");
        let mut driver = driver();
        let call = Some(Call::Commit);
        driver.arm(Armed {
            call,
            skip: 0,
            fault,
        });
        pipe(&mut driver, "put a 5000");
        // The late copy arrives while the next transaction is half written.
        let cluster = driver.cluster().clone();
        let late = Fault::Meanwhile(Box::new(move || {
            assert_eq!(cluster.deliver_late(), 0, "it ended another transaction");
        }));
        driver.arm(Armed {
            call: Some(Call::AddOffsets),
            skip: 0,
            fault: late,
        });
        pipe(&mut driver, "read a");
        assert_eq!(output(&mut driver), ["done", "there"], "{name}");
        let counters = driver.cluster().counters();
        assert_eq!(
            counters.get("late EndTxn bounced"),
            Some(&1),
            "{name}: {counters:?}"
        );
    }
}

#[test]
fn a_changelog_that_was_truncated_is_not_trusted_and_the_task_is_rebuilt() {
    let mut driver = driver();
    pipe(&mut driver, "put a 5000");
    let before = driver.digests().expect("digests");
    let changelog = driver.naming().changelog("scripted");
    for partition in 0..2 {
        driver.cluster().truncate(&changelog, partition, 1);
    }
    driver.crash().expect("crashed and rebuilt");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.lose_stores().expect("restored");
    assert_eq!(driver.digests().expect("digests"), before);
}

#[test]
fn a_rebuild_that_was_asked_for_mends_a_store_and_the_changelog_that_restored_it() {
    let mut driver = driver();
    pipe(&mut driver, "put a 5000");
    pipe(&mut driver, "put b 9000");
    let before = driver.digests().expect("digests");
    let task = altered_task(&mut driver);
    assert_ne!(driver.digests().expect("digests"), before);
    // What the altered row made wrong is in the changelog as well.
    pipe(&mut driver, "put b 9000");
    driver.rebuild(task).expect("rebuilt");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.lose_stores().expect("restored");
    assert_eq!(driver.digests().expect("digests"), before);
    driver.advance_time(5_000).expect("time");
    assert_eq!(output(&mut driver), ["done", "done", "done", "fired a"]);
}

/// Puts a row that no command asked for into the store of the task that has rows.
fn altered_task(driver: &mut TopologyTestDriver) -> TaskId {
    let of = |partition| TaskId {
        sub_topology: 0,
        partition,
    };
    let has_rows = |task: &TaskId| {
        let found = driver
            .state(*task)
            .expect("it serves")
            .read(|state| state.get(&ROWS, &"a".to_owned()));
        found.expect("it can be read").is_some()
    };
    let task = [of(0), of(1)].into_iter().find(has_rows).expect("one has");
    let row = Instance {
        port: 70_000,
        ..Instance::default()
    };
    driver
        .alter_store(task, |state| state.put(&ROWS, &"c".to_owned(), &row))
        .expect("altered");
    task
}

#[test]
fn a_task_that_is_not_served_here_is_not_rebuilt() {
    let task = TaskId {
        sub_topology: 0,
        partition: 9,
    };
    let asked = driver().rebuild(task);
    assert!(matches!(asked, Err(DriverError::UnknownTask(unknown)) if unknown == task));
}

#[test]
fn a_changelog_that_is_truncated_under_its_owner_is_written_anew_by_a_rebuild() {
    let mut driver = driver();
    for _ in 0..10 {
        pipe(&mut driver, "put a 5000");
    }
    let changelog = driver.naming().changelog("scripted");
    for partition in 0..2 {
        driver.cluster().truncate(&changelog, partition, 1);
    }
    pipe(&mut driver, "read a");
    let before = driver.digests().expect("digests");
    driver.lose_stores().expect("restored");
    assert_eq!(driver.digests().expect("digests"), before);
    pipe(&mut driver, "read a");
    let answers = output(&mut driver);
    assert_eq!(answers[answers.len() - 2..], ["there", "there"]);
}

#[test]
fn an_aborted_record_is_seen_by_readers_of_everything_only() {
    let driver = driver();
    let log = driver.cluster().client("another");
    let mut session = log.session("somebody").expect("a session");
    session.begin().expect("begun");
    let record = Outgoing {
        topic: "out",
        partition: 0,
        key: Some(b"key"),
        value: Some(b"value"),
        headers: &[],
    };
    session.send(record).expect("sent");
    let (_, stable, high) = driver.cluster().watermarks("out", 0).expect("a partition");
    assert_eq!((stable, high), (0, 1));
    drop(log.session("somebody").expect("the next session"));
    let read = |isolation| driver.cluster().read("out", 0, isolation, 0).len();
    assert_eq!(read(Isolation::ReadUncommitted), 1);
    assert_eq!(read(Isolation::ReadCommitted), 0);
    let (_, stable, high) = driver.cluster().watermarks("out", 0).expect("a partition");
    assert_eq!((stable, high), (2, 2), "the marker took an offset");
    assert!(session.commit().is_err(), "the first session is fenced");
}
