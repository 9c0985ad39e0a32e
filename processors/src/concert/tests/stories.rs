//! Stories: what happens to people, told line by line. The task restarts between any two lines.

use super::harness::{CONCERT, OPENS_MS, Task, best, bytes, code, concert, general, hold, release};
use stagedoor_topology::NoHeaders;

use crate::concert::queries::{answer, reservation};
use crate::concert::records::{CommandResult, PutConcert, ReservationState};
use crate::concert::{CATALOGUE, Command, EVENTS, RESULTS};
use crate::id::{Id, scoped_hash};

const T: i64 = OPENS_MS;

/// Plays lines of (time, command, expected code), restarting after each.
fn story(lines: &[(i64, Command, &str)]) -> Task {
    let mut task = Task::on_sale();
    for (at_ms, command, expected) in lines {
        let answer = task.play(*at_ms, command);
        assert_eq!(code(&answer), *expected, "{at_ms} {command:?} {answer:?}");
        task.restart();
    }
    task
}

fn id_of(user: &str, command_id: &str) -> String {
    Id::reservation(CONCERT, scoped_hash(user, command_id)).to_string()
}

#[test]
fn a_seat_is_held_once() {
    let mut task = story(&[
        (T, hold("u1", "k", &["A-2-3", "B-1-1"]), "ok"),
        (T, hold("u2", "k", &["A-2-2", "A-2-3"]), "seat_taken"),
        (T, hold("u2", "k", &["A-2-2"]), "ok"),
    ]);
    assert_eq!(task.section("A"), "000000110000000");
    assert_eq!(task.section("B"), "10000000");
}

#[test]
fn an_expired_hold_is_free_from_its_deadline_on_and_not_before() {
    let mut task = story(&[
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (T + 9_999, hold("u2", "k1", &["A-1-1"]), "seat_taken"),
        (T + 10_000, hold("u2", "k1", &["A-1-1"]), "ok"),
        (
            T + 10_000,
            release("u1", "k2", &id_of("u1", "k1")),
            "hold_expired",
        ),
    ]);
    assert_eq!(task.section("A"), "100000000000000");
    assert_eq!(
        task.event_names(),
        [
            "stagedoor.concert.SeatsHeld",
            "stagedoor.concert.HoldExpired",
            "stagedoor.concert.SeatsHeld",
        ]
    );
}

#[test]
fn a_released_hold_is_free_and_cannot_be_released_again() {
    let mut task = story(&[
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (T, release("u2", "k2", &id_of("u1", "k1")), "not_owner"),
        (T + 1, release("u1", "k2", &id_of("u1", "k1")), "ok"),
        (T + 2, release("u1", "k2", &id_of("u1", "k1")), "ok"),
        (
            T + 3,
            release("u1", "k3", &id_of("u1", "k1")),
            "wrong_state",
        ),
        (T + 3, hold("u2", "k1", &["A-1-1"]), "ok"),
    ]);
    let hash = scoped_hash("u1", "k1");
    let view = reservation(task.state(), CONCERT, &hash).unwrap().unwrap();
    assert_eq!(view.state, ReservationState::Released);
}

#[test]
fn the_limit_counts_all_live_holds_of_a_user() {
    story(&[
        (T, hold("u1", "k1", &["A-1-1", "A-1-2"]), "ok"),
        (T, general("u1", "k2", "GA", 3), "limit_reached"),
        (T, general("u1", "k2", "GA", 2), "ok"),
        (T, best("u1", "k3", 1, None, false), "limit_reached"),
        (T, release("u1", "k4", &id_of("u1", "k1")), "ok"),
        (T, best("u1", "k3", 3, None, false), "limit_reached"),
        (T, best("u1", "k3", 2, None, false), "ok"),
        (T + 10_000, best("u1", "k5", 4, None, false), "ok"),
    ]);
}

#[test]
fn holds_are_accepted_inside_the_sale_window_only() {
    let closes = super::harness::CLOSES_MS;
    story(&[
        (T - 1, hold("u1", "k1", &["A-1-1"]), "sale_not_open"),
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (closes - 1, hold("u1", "k2", &["A-1-1"]), "ok"),
        (closes, hold("u2", "k1", &["A-1-2"]), "sale_closed"),
        (closes, release("u1", "k3", &id_of("u1", "k2")), "ok"),
    ]);
}

#[test]
fn general_admission_ends_with_its_capacity() {
    let mut task = story(&[
        (T, general("u1", "k1", "GA", 4), "ok"),
        (T, general("u2", "k1", "GA", 3), "not_enough_seats"),
        (T, general("u2", "k1", "GA", 2), "ok"),
        (T, general("u3", "k1", "GA", 1), "not_enough_seats"),
        (T, release("u2", "k2", &id_of("u2", "k1")), "ok"),
        (T, general("u3", "k1", "GA", 1), "ok"),
    ]);
    let counts = task.seats().sections[2].counts;
    assert_eq!((counts.free, counts.held), (1, 5));
}

#[test]
fn best_available_goes_through_the_sections_in_order() {
    let mut task = Task::on_sale();
    for (user, expected) in [
        ("u1", "A-1-1 A-1-2 A-1-3 A-1-4"),
        ("u2", "A-2-1 A-2-2 A-2-3 A-2-4"),
        ("u3", "A-3-1 A-3-2 A-3-3 A-3-4"),
        ("u4", "B-1-1 B-1-2 B-1-3 B-1-4"),
    ] {
        let answer = task.play(T, &best(user, "k", 4, None, false));
        assert_eq!(answer.reservation.unwrap().seats.join(" "), expected);
    }
    assert_eq!(
        code(&task.play(T, &best("u5", "k", 2, Some("A"), false))),
        "not_enough_seats"
    );
    let answer = task.play(T, &best("u5", "k", 2, Some("A"), true));
    assert_eq!(answer.reservation.unwrap().seats, ["A-1-5", "A-2-5"]);
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
fn a_key_with_another_body_is_refused_whatever_its_first_use_was() {
    story(&[
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (T, hold("u1", "k1", &["A-1-2"]), "idempotency_mismatch"),
        (T, general("u1", "k1", "GA", 1), "idempotency_mismatch"),
        (
            T,
            release("u1", "k1", &id_of("u1", "k1")),
            "idempotency_mismatch",
        ),
        (T, release("u1", "k2", &id_of("u1", "k1")), "ok"),
        (T, hold("u1", "k2", &["A-1-1"]), "idempotency_mismatch"),
        (
            T,
            hold("organiser", "put", &["A-1-1"]),
            "idempotency_mismatch",
        ),
        (T, hold("u2", "k1", &["A-1-2"]), "ok"),
    ]);
}

#[test]
fn a_refused_command_may_be_tried_again_with_its_key() {
    story(&[
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (T, hold("u2", "k1", &["A-1-1"]), "seat_taken"),
        (T + 10_000, hold("u2", "k1", &["A-1-1"]), "ok"),
    ]);
}

#[test]
fn a_command_is_known_for_a_day_after_its_reservation_ended() {
    let day = 24 * 3_600 * 1_000;
    let mut task = story(&[
        (T, hold("u1", "k1", &["A-1-1"]), "ok"),
        (T + 1, release("u1", "k2", &id_of("u1", "k1")), "ok"),
        (T + day, release("u1", "k2", &id_of("u1", "k1")), "ok"),
        (
            T + day,
            hold("u1", "k1", &["A-1-2"]),
            "idempotency_mismatch",
        ),
        (
            T + day + 1,
            release("u1", "k3", &id_of("u1", "k1")),
            "hold_not_found",
        ),
        (T + day + 1, hold("u1", "k1", &["A-1-2"]), "ok"),
    ]);
    let state = task.state();
    assert_eq!(
        answer(state, CONCERT, &scoped_hash("u1", "k2"), T + day + 1).unwrap(),
        None
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
fn a_command_that_comes_too_late_has_no_effect_but_a_repeat_is_answered() {
    let mut task = Task::on_sale();
    let command = hold("u1", "k1", &["A-1-1"]);
    let mut play = |at: i64, until: i64| -> CommandResult {
        stagedoor_avro::decode(&task.play_bytes(at, CONCERT, &command, Some(until))).unwrap()
    };
    assert_eq!(code(&play(T + 1, T)), "command_expired");
    let first = play(T + 1, T + 1);
    assert_eq!(code(&first), "ok");
    assert_eq!(play(T + 2, T), first);
}

#[test]
fn a_taken_seat_comes_with_the_nearest_free_ones() {
    let mut task = story(&[(T, hold("u1", "k", &["A-1-2", "A-2-2", "B-1-1"]), "ok")]);
    let refused = task.play(T, &hold("u2", "k", &["A-1-1", "A-1-2", "B-1-1"]));
    let rejection = refused.rejection.unwrap();
    assert_eq!(rejection.taken, ["A-1-2", "B-1-1"]);
    assert_eq!(rejection.alternatives, ["A-1-3", "B-1-2"]);
}

#[test]
fn a_concert_is_put_once() {
    let mut task = Task::new();
    let put = |user: &str, key: &str| Command::PutConcert(concert(user, key));
    let other = Command::PutConcert(PutConcert {
        hold_seconds: 11,
        ..concert("o", "k3")
    });
    assert_eq!(task.play(1, &put("o", "k1")).concert_created, Some(true));
    assert_eq!(code(&task.play(T, &hold("u1", "k1", &["A-1-1"]))), "ok");
    assert_eq!(task.play(T, &put("o", "k1")).concert_created, Some(true));
    assert_eq!(task.play(T, &put("o", "k2")).concert_created, Some(false));
    assert_eq!(code(&task.play(T, &other)), "concert_differs");
    assert_eq!(task.section("A"), "100000000000000");
    assert_eq!(task.sent(CATALOGUE).count(), 1);
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
    let mut task = story(&[(T, hold("u1", "k1", &["A-1-1"]), "ok")]);
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
