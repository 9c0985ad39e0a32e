//! Arbitrary sequences of commands, judged by the naive model after every record.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use stagedoor_state::TypedRead as _;

use super::harness::{
    CONCERT, OPENS_MS, Task, best, code, concert, general, hold, release, two_wishes,
};
use super::model::{Expected, Model, reservation_id, said, should_say};
use crate::concert::Command;
use crate::concert::queries::SeatMap;
use crate::concert::records::{CommandResult, PutConcert};
use crate::concert::stores::FREE_BY_SECTION;

/// A command with the time since the one before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) wait_ms: i64,
    pub(super) command: Command,
    pub(super) late: bool,
}

const USERS: [&str; 3] = ["u1", "u2", "u3"];
const KEYS: [&str; 6] = ["k1", "k2", "k3", "k4", "k5", "k6"];

fn seat() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (1..=3, 1..=5).prop_map(|(row, number)| format!("A-{row}-{number}")),
        6 => (1..=2, 1..=4).prop_map(|(row, number)| format!("B-{row}-{number}")),
        1 => select(vec!["A-4-1", "A-1-6", "A-0-1", "A-01-1", "C-1-1", "GA-1-1", "x", ""])
            .prop_map(str::to_owned),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let who = (select(USERS.to_vec()), select(KEYS.to_vec()));
    let section = select(vec![None, Some("A"), Some("B"), Some("GA"), Some("C")]);
    prop_oneof![
        10 => (who.clone(), proptest::collection::vec(seat(), 0..5)).prop_map(|((user, key), seats)| {
            hold(user, key, &seats.iter().map(String::as_str).collect::<Vec<_>>())
        }),
        8 => (who.clone(), 0..6_i32, section.clone(), any::<bool>())
            .prop_map(|((user, key), quantity, section, split)| best(user, key, quantity, section, split)),
        4 => (who.clone(), -1..5_i32, section)
            .prop_map(|((user, key), n, section)| general(user, key, section.unwrap_or("GA"), n)),
        6 => (who.clone(), select(USERS.to_vec()), select(KEYS.to_vec()))
            .prop_map(|((user, key), owner, of)| release(user, key, &reservation_id(owner, of))),
        1 => who.clone().prop_map(|(user, key)| release(user, key, "rubbish")),
        1 => who.clone().prop_map(|(user, key)| Command::PutConcert(concert(user, key))),
        1 => who.clone().prop_map(|(user, key)| {
            Command::PutConcert(PutConcert { title: "Other".to_owned(), ..concert(user, key) })
        }),
        1 => (who, seat()).prop_map(|((user, key), seat)| two_wishes(user, key, &seat)),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait =
        prop_oneof![20 => 0..4_000_i64, 2 => 9_900..10_100_i64, 1 => 80_000_000..90_000_000_i64];
    let step =
        (wait, command(), proptest::bool::weighted(0.05)).prop_map(|(wait_ms, command, late)| {
            Step {
                wait_ms,
                command,
                late,
            }
        });
    proptest::collection::vec(step, 1..80)
}

/// Plays the steps from just before the sale opens; tells what was answered by whom.
pub(super) fn play(
    steps: &[Step],
    task: &mut Task,
    mut after_each: impl FnMut(&mut Task, i64, &Step, Vec<u8>),
) {
    let mut now_ms = OPENS_MS - 6_000;
    for step in steps {
        now_ms += step.wait_ms;
        let valid_until_ms = step.late.then_some(now_ms - 1);
        let answer = task.play_bytes(now_ms, CONCERT, &step.command, valid_until_ms);
        after_each(task, now_ms, step, answer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_answer_and_every_seat_is_as_the_model_says(steps in steps(), restarts: u64) {
        let (mut task, mut model) = (Task::new(), Model::default());
        model.play(1, &Command::PutConcert(concert("organiser", "put")), None);
        task.play(1, &Command::PutConcert(concert("organiser", "put")));
        let (mut index, mut shown) = (0_u32, task.seats());
        let mut firsts: Vec<(Command, Expected, Vec<u8>)> = Vec::new();
        play(&steps, &mut task, |task, now_ms, step, bytes| {
            let valid_until = step.late.then_some(now_ms - 1);
            let expected = model.play(now_ms, &step.command, valid_until);
            let answer: CommandResult = stagedoor_avro::decode(&bytes).unwrap();
            assert_eq!(said(&answer), should_say(&expected), "{now_ms} {step:?}");
            same_bytes_as_before(&mut firsts, step, expected, bytes);
            seats_are_as_in(&model, task);
            shown = shown_after(&shown, task);
            if restarts >> (index % 64) & 1 == 1 {
                task.restart();
            }
            index += 1;
        });
        task.commit();
        task.state().check_indexes().unwrap();
    }

    #[test]
    fn playing_again_gives_the_same_bytes_and_the_same_state(steps in steps()) {
        let (mut first, mut second) = (Task::on_sale(), Task::on_sale());
        play(&steps, &mut first, |_, _, _, _| {});
        play(&steps, &mut second, |task, _, _, _| task.restart());
        prop_assert_eq!(&first.forwarded, &second.forwarded);
        prop_assert_eq!(first.digest(), second.digest());
    }
}

/// A repeat of an effect that is still known has the first answer's bytes. Effects are told apart
/// by what the model expects, which names their times.
fn same_bytes_as_before(
    firsts: &mut Vec<(Command, Expected, Vec<u8>)>,
    step: &Step,
    expected: Expected,
    bytes: Vec<u8>,
) {
    if matches!(expected, Expected::Refused(_)) {
        return;
    }
    let known = firsts
        .iter()
        .find(|(command, first, _)| *command == step.command && *first == expected);
    match known {
        Some((_, _, first)) => assert_eq!(first, &bytes, "{step:?}"),
        None => firsts.push((step.command.clone(), expected, bytes)),
    }
}

/// The seats now, whose version has grown if anything about them changed.
fn shown_after(before: &SeatMap, task: &mut Task) -> SeatMap {
    let now = task.seats();
    let grown = now.version > before.version;
    assert!(
        grown || now == *before,
        "two seat maps of version {}",
        now.version
    );
    now
}

fn seats_are_as_in(model: &Model, task: &mut Task) {
    for section in task.seats().sections {
        let key = (CONCERT.to_owned(), section.id.clone());
        let free = task.state().sum(&FREE_BY_SECTION, &key).unwrap();
        assert_eq!(
            free,
            i64::from(section.counts.free),
            "the sum of {}",
            section.id
        );
        let (rows, width, capacity) = match section.id.as_str() {
            "A" => (3, 5, 15),
            "B" => (2, 4, 8),
            _ => (0, 0, 6),
        };
        let mut digits = String::new();
        for row in 1..=rows {
            for number in 1..=width {
                let owners = model.owners(&format!("{}-{row}-{number}", section.id));
                assert!(owners <= 1, "a seat has {owners} live owners");
                digits.push_str(&owners.to_string());
            }
        }
        assert_eq!(section.seats, digits);
        let counts = section.counts;
        assert_eq!(
            counts.free + counts.held + counts.sold,
            capacity,
            "{}",
            section.id
        );
        let held =
            digits.matches('1').count() + usize::try_from(model.places_held(&section.id)).unwrap();
        assert_eq!(usize::try_from(counts.held).unwrap(), held);
    }
    assert!(
        ["u1", "u2", "u3"]
            .iter()
            .all(|user| model.live_of(user) <= 4)
    );
}

/// A property over runs that never get anywhere proves nothing.
#[test]
fn the_runs_of_the_properties_reach_every_answer() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..300 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut task = Task::on_sale();
        play(&steps, &mut task, |_, _, step, bytes| {
            let answer: CommandResult = stagedoor_avro::decode(&bytes).unwrap();
            let way = match &step.command {
                Command::HoldSeats(wish) if wish.best.is_some() => "best",
                Command::HoldSeats(wish) if wish.general.is_some() => "general",
                Command::HoldSeats(_) => "chosen",
                Command::ReleaseHold(_) => "release",
                Command::PutConcert(_) => "put",
            };
            reached.insert(format!("{way} {}", code(&answer)));
        });
        reached.extend(task.event_names().into_iter().map(str::to_owned));
    }
    let missing: Vec<_> = REACHED
        .iter()
        .filter(|what| !reached.contains(**what))
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

const REACHED: [&str; 27] = [
    "best command_expired",
    "best idempotency_mismatch",
    "best invalid_request",
    "best limit_reached",
    "best not_enough_seats",
    "best ok",
    "best sale_not_open",
    "best unknown_seat",
    "chosen invalid_request",
    "chosen limit_reached",
    "chosen ok",
    "chosen sale_not_open",
    "chosen seat_taken",
    "chosen unknown_seat",
    "general not_enough_seats",
    "general ok",
    "put concert_differs",
    "put idempotency_mismatch",
    "put ok",
    "release hold_expired",
    "release hold_not_found",
    "release not_owner",
    "release ok",
    "release wrong_state",
    "stagedoor.concert.HoldExpired",
    "stagedoor.concert.HoldReleased",
    "stagedoor.concert.SeatsHeld",
];
