//! Rules as tables: what is refused, with which code, and which field is to blame.

use super::harness::{
    CONCERT, OPENS_MS, Task, best, code, concert, general, hold, places, release, rows, two_wishes,
};
use crate::concert::Command;
use crate::concert::lifecycle::{Step, next};
use crate::concert::records::{CommandResult, PutConcert, ReservationState};

#[expect(
    clippy::too_many_lines,
    reason = "a table has as many lines as it has rows"
)]
#[test]
fn a_malformed_or_impossible_hold_is_refused_with_its_reason() {
    let eleven: Vec<String> = (1..=11).map(|n| format!("A-1-{n}")).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let many = vec!["A-1-1"; 10_000];
    let table: Vec<(Command, &str, &str)> = vec![
        (hold("u", "k", &[]), "invalid_request", "seats"),
        (hold("u", "k", &eleven), "invalid_request", "seats"),
        (hold("u", "k", &many), "invalid_request", "seats"),
        (
            hold("u", "k", &["A-1-1", "A-1-2", "A-1-1"]),
            "invalid_request",
            "seats[2]",
        ),
        (two_wishes("u", "k", "A-1-1"), "invalid_request", "seats"),
        (
            best("u", "k", 0, None, false),
            "invalid_request",
            "best.quantity",
        ),
        (
            best("u", "k", 10_000, None, true),
            "invalid_request",
            "best.quantity",
        ),
        (
            best("u", "k", -1, None, false),
            "invalid_request",
            "best.quantity",
        ),
        (
            general("u", "k", "GA", 0),
            "invalid_request",
            "general.quantity",
        ),
        (
            general("u", "k", "GA", 11),
            "invalid_request",
            "general.quantity",
        ),
        (
            general("u", "k", "GA", i32::MIN),
            "invalid_request",
            "general.quantity",
        ),
        (hold("u", "k", &["A-1-6"]), "unknown_seat", ""),
        (hold("u", "k", &["A-4-1"]), "unknown_seat", ""),
        (hold("u", "k", &["A-0-1"]), "unknown_seat", ""),
        (hold("u", "k", &["A-01-1"]), "unknown_seat", ""),
        (hold("u", "k", &["Z-1-1"]), "unknown_seat", ""),
        (hold("u", "k", &["GA-1-1"]), "unknown_seat", ""),
        (hold("u", "k", &[""]), "unknown_seat", ""),
        (best("u", "k", 1, Some("Z"), false), "unknown_seat", ""),
        (best("u", "k", 1, Some("GA"), false), "unknown_seat", ""),
        (general("u", "k", "A", 1), "unknown_seat", ""),
        (general("u", "k", "Z", 1), "unknown_seat", ""),
        (
            hold("u", "k", &["A-1-1", "A-1-2", "A-1-3", "A-1-4", "A-1-5"]),
            "limit_reached",
            "",
        ),
        (release("u", "k", ""), "hold_not_found", ""),
        (
            release("u", "k", "rAAAAAAAAAAAAAAAAAAAAAGMx"),
            "hold_not_found",
            "",
        ),
    ];
    let mut task = Task::on_sale();
    let digest = task.digest();
    for (command, expected, field) in table {
        let answer = task.play(OPENS_MS, &command);
        let rejection = answer.rejection.clone().unwrap_or_default();
        let blamed = rejection
            .errors
            .first()
            .map_or("", |error| error.field.as_str());
        assert_eq!((code(&answer), blamed), (expected, field), "{command:?}");
        assert!(!rejection.detail.is_empty() && rejection.detail.len() < 200);
    }
    assert_eq!(task.digest(), digest, "a refusal leaves nothing");
}

#[test]
fn nothing_can_be_asked_of_a_concert_that_does_not_exist() {
    let mut task = Task::on_sale();
    for command in [
        hold("u", "k", &["A-1-1"]),
        best("u", "k", 1, None, false),
        general("u", "k", "GA", 1),
        release("u", "k", "rAAAA"),
    ] {
        let bytes = task.play_bytes(OPENS_MS, "nowhere", &command, None);
        let answer: CommandResult = stagedoor_avro::decode(&bytes).unwrap();
        assert_eq!(code(&answer), "concert_not_found");
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "a table has as many lines as it has rows"
)]
#[test]
fn a_concert_out_of_bounds_is_refused_with_the_field() {
    let plan = || concert("o", "k");
    let with = |sections| PutConcert { sections, ..plan() };
    let text = |length: usize| "é".repeat(length);
    let many = |count: usize| (0..count).map(|n| places(&format!("s{n}"), 1, 1)).collect();
    let mut halfway = rows("A", 1, 1, 1);
    halfway.capacity = Some(1);
    let mut unnamed = rows("A", 1, 1, 1);
    unnamed.name.clear();
    let table: Vec<(&str, PutConcert)> = vec![
        ("", plan()),
        (
            "",
            PutConcert {
                title: text(200),
                ..plan()
            },
        ),
        (
            "title",
            PutConcert {
                title: text(201),
                ..plan()
            },
        ),
        (
            "title",
            PutConcert {
                title: String::new(),
                ..plan()
            },
        ),
        (
            "hall",
            PutConcert {
                hall: Some(String::new()),
                ..plan()
            },
        ),
        (
            "time_zone",
            PutConcert {
                time_zone: String::new(),
                ..plan()
            },
        ),
        (
            "time_zone",
            PutConcert {
                time_zone: "Asia//Seoul".to_owned(),
                ..plan()
            },
        ),
        (
            "currency",
            PutConcert {
                currency: "won".to_owned(),
                ..plan()
            },
        ),
        (
            "currency",
            PutConcert {
                currency: "KRWW".to_owned(),
                ..plan()
            },
        ),
        (
            "starts_at",
            PutConcert {
                starts_at_ms: -1,
                ..plan()
            },
        ),
        (
            "ends_at",
            PutConcert {
                ends_at_ms: plan().starts_at_ms,
                ..plan()
            },
        ),
        (
            "sale_closes_at",
            PutConcert {
                sale_closes_at_ms: plan().sale_opens_at_ms,
                ..plan()
            },
        ),
        (
            "sale_closes_at",
            PutConcert {
                sale_closes_at_ms: plan().ends_at_ms + 1,
                ..plan()
            },
        ),
        (
            "max_seats_per_user",
            PutConcert {
                max_seats_per_user: 0,
                ..plan()
            },
        ),
        (
            "max_seats_per_user",
            PutConcert {
                max_seats_per_user: 101,
                ..plan()
            },
        ),
        (
            "hold_seconds",
            PutConcert {
                hold_seconds: 0,
                ..plan()
            },
        ),
        (
            "hold_seconds",
            PutConcert {
                hold_seconds: 3_601,
                ..plan()
            },
        ),
        ("sections", with(vec![])),
        ("", with(many(1_000))),
        ("sections", with(many(1_001))),
        (
            "sections[1].id",
            with(vec![rows("A", 1, 1, 1), rows("A", 1, 1, 1)]),
        ),
        ("sections[0].id", with(vec![rows("A-1", 1, 1, 1)])),
        (
            "sections[0].id",
            with(vec![rows("seventeenletters1", 1, 1, 1)]),
        ),
        ("sections[0].name", with(vec![unnamed])),
        ("sections[0].price_minor", with(vec![rows("A", 1, 1, -1)])),
        (
            "sections[0].price_minor",
            with(vec![rows("A", 1, 1, i64::MAX)]),
        ),
        ("sections[0].rows", with(vec![rows("A", 0, 1, 1)])),
        ("sections[0].rows", with(vec![rows("A", 1_001, 1, 1)])),
        (
            "sections[0].seats_per_row",
            with(vec![rows("A", 1, 1_001, 1)]),
        ),
        ("sections[0].seats_per_row", with(vec![rows("A", 1, -1, 1)])),
        ("sections[0].rows", with(vec![halfway])),
        ("sections[0].capacity", with(vec![places("A", 0, 1)])),
        (
            "sections[0].capacity",
            with(vec![places("A", 1_000_001, 1)]),
        ),
        (
            "",
            with(vec![rows("A", 200, 1_000, 1), places("GA", 1_000_000, 1)]),
        ),
        (
            "sections",
            with(vec![rows("A", 200, 1_000, 1), rows("B", 1, 1, 1)]),
        ),
    ];
    for (field, plan) in table {
        let answer = Task::new().play(1, &Command::PutConcert(plan));
        let rejection = answer.rejection.unwrap_or_default();
        let blamed = rejection
            .errors
            .first()
            .map_or("", |error| error.field.as_str());
        assert_eq!(blamed, field);
        let expected = if field.is_empty() {
            ""
        } else {
            "invalid_request"
        };
        assert_eq!(rejection.code, expected, "{field}");
    }
}

#[test]
fn a_concert_id_is_lower_case_letters_digits_dots_dashes_and_underscores() {
    let longest = "a".repeat(64);
    for (id, fits) in [
        (CONCERT, true),
        ("0.a_b-c", true),
        (longest.as_str(), true),
        (".a", false),
        ("A", false),
        ("a b", false),
        ("é", false),
    ] {
        let put = Command::PutConcert(concert("o", "k"));
        let bytes = Task::new().play_bytes(1, id, &put, None);
        let answer: CommandResult = stagedoor_avro::decode(&bytes).unwrap();
        assert_eq!(answer.rejection.is_none(), fits, "{id}");
    }
}

#[test]
fn only_a_pending_reservation_moves() {
    use ReservationState::{Expired, Pending, Released};
    for (state, step, after) in [
        (Pending, Step::Release, Some(Released)),
        (Pending, Step::Expire, Some(Expired)),
        (Released, Step::Release, None),
        (Released, Step::Expire, None),
        (Expired, Step::Release, None),
        (Expired, Step::Expire, None),
    ] {
        assert_eq!(next(state, step), after, "{state:?} {step:?}");
    }
}
