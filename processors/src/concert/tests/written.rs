//! What the records themselves look like: bytes, keys, how many there are, and what leaves none.

use super::harness::{CONCERT, OPENS_MS, Task, best, bytes, concert, general, hold, release};
use stagedoor_topology::NoHeaders;

use crate::concert::queries::answer;
use crate::concert::records::PutConcert;
use crate::concert::{Command, EVENTS, RESULTS};
use crate::id::{Id, scoped_hash};

const T: i64 = OPENS_MS;

fn id_of(user: &str, command_id: &str) -> String {
    Id::reservation(CONCERT, scoped_hash(user, command_id)).to_string()
}

#[test]
fn a_repeated_command_gets_the_same_bytes_and_has_no_effect() {
    let mut task = Task::on_sale();
    let commands = [
        (T, hold("u1", "k1", &["A-1-1"])),
        (T + 1, general("u1", "k2", "GA", 1)),
        (T + 2, best("u1", "k3", 2, None, true)),
        (T + 3, release("u1", "k4", &id_of("u1", "k1"))),
        (T + 4, Command::PutConcert(concert("organiser", "put"))),
    ];
    let play = |task: &mut Task, at: i64| -> Vec<Vec<u8>> {
        let each = commands
            .iter()
            .map(|(t, command)| task.play_bytes(t + at, CONCERT, command, None));
        each.collect()
    };
    let first = play(&mut task, 0);
    let digest = task.digest();
    let events = task.event_names().len();
    task.restart();
    assert_eq!(play(&mut task, 100), first);
    assert_eq!((task.digest(), task.event_names().len()), (digest, events));
    task.tick(T + 10_100);
    assert_eq!(
        play(&mut task, 20_000),
        first,
        "also after the holds have ended"
    );
}

#[test]
fn an_answer_is_found_by_its_command() {
    let mut task = Task::on_sale();
    let held = task.play(T, &hold("u1", "k1", &["A-1-1"]));
    let released = task.play(T, &release("u1", "k2", &id_of("u1", "k1")));
    let mut find = |key: &str| answer(task.state(), CONCERT, &scoped_hash("u1", key), T).unwrap();
    assert_eq!(find("k1"), Some(held));
    assert_eq!(find("k2"), Some(released));
    assert_eq!(find("k3"), None);
}

#[test]
fn a_hold_leaves_four_records() {
    let mut task = Task::on_sale();
    task.commit();
    let (sent, logged) = (task.forwarded.len(), task.changelog.len());
    task.play(T, &hold("u1", "k1", &["A-1-1", "A-1-2"]));
    task.commit();
    assert_eq!(task.forwarded.len() - sent, 2, "result and event");
    assert_eq!(task.changelog.len() - logged, 2, "reservation and block");
}

#[test]
fn answers_and_events_are_keyed_by_command_and_by_user() {
    let mut task = Task::on_sale();
    task.play(T, &hold("u1", "k1", &["A-1-1"]));
    task.tick(T + 10_000);
    let keys: Vec<_> = task
        .sent(EVENTS)
        .map(|message| message.key.clone())
        .collect();
    assert_eq!(keys, [b"u1", b"u1"]);
    assert_eq!(task.sent(RESULTS).last().unwrap().key, b"k1");
}

#[test]
fn records_that_are_no_commands_leave_no_answer_and_no_trace() {
    let mut task = Task::on_sale();
    let (digest, sent) = (task.digest(), task.forwarded.len());
    let put = bytes(&concert("u", "k"));
    let nameless = bytes(&PutConcert {
        user: String::new(),
        ..concert("u", "k")
    });
    let event = bytes(&crate::concert::records::SeatsHeld::default());
    let long = "x".repeat(65);
    for (why, key, value) in [
        ("garbage", Some("c1"), Some(&b"garbage"[..])),
        ("empty", Some("c1"), Some(&b""[..])),
        (
            "an unknown schema",
            Some("c1"),
            Some(&[0, 0, 1, 0, 0, 1][..]),
        ),
        ("an event", Some("c1"), Some(&event)),
        ("cut short", Some("c1"), Some(&put[..20])),
        ("a tombstone", Some("c1"), None),
        ("no key", None, Some(&put)),
        ("a long key", Some(long.as_str()), Some(&put)),
        ("no user", Some("c2"), Some(&nameless)),
    ] {
        let played = task.play_record(T, key.map(str::as_bytes), value, &NoHeaders);
        assert!(played.is_err(), "{why}");
    }
    assert_eq!((task.digest(), task.forwarded.len()), (digest, sent));
}
