//! Turns and units of a task over memory: order of timers, rollback, dead letters, stamps.

use std::sync::Arc;

use stagedoor_state::{
    Derived, EntryIndex, MemoryDatabase, StorageProvider as _, Store, StoreSet, TaskState,
    TypedRead as _,
};

use crate::crash_loop::CrashLoopGuard;
use crate::error::{Failure, TaskError};
use crate::instances::Instance;
use crate::log::InputPosition;
use crate::position::Checkpoint;
use crate::processor::{Context, Processor};
use crate::record::{Message, NoHeaders, Record, Sink};
use crate::secret::Secret;
use crate::task::{Task, Turn};
use crate::tick::Tick;
use crate::topology::{Source, SubTopology};
use crate::wiring::{TaskId, WiredTopic, Wiring};

const OUT: Sink = Sink {
    name: "out",
    topic: "out",
};
pub(crate) const ROWS: Store<String, Instance> = Store::new(1, "rows").derives(deadlines);
const DEADLINES: EntryIndex<(i64, String)> = EntryIndex::new(16, "deadlines");

#[expect(clippy::ptr_arg, reason = "the key type of the store is String")]
fn deadlines(key: &String, row: &Instance, derived: &mut Derived<'_>) {
    derived.entry(&DEADLINES, &(i64::from(row.port), key.clone()));
}

/// `put NAME DEADLINE`, `die NAME`, `long`, `read NAME`: each forwards what it saw.
struct Scripted;

impl Processor for Scripted {
    fn process(&mut self, record: &Record<'_>, context: &mut Context<'_>) -> Result<(), TaskError> {
        let text = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["put", name, deadline] => {
                let port = deadline.parse().expect("a deadline");
                let row = Instance {
                    port,
                    ..Instance::default()
                };
                context.state.put(&ROWS, &name.to_owned(), &row)?;
                forward(context, "done");
            }
            ["die", name] => {
                context
                    .state
                    .put(&ROWS, &name.to_owned(), &Instance::default())?;
                forward(context, "never seen");
                panic!("asked to die");
            }
            ["long"] => forward(context, &"x".repeat(2_000)),
            ["read", name] => {
                let found = context.state.get(&ROWS, &name.to_owned())?.is_some();
                forward(context, if found { "there" } else { "gone" });
            }
            _ => {
                return Err(TaskError::Undecodable {
                    code: "undecodable",
                    reason: text.clone(),
                });
            }
        }
        Ok(())
    }

    fn fire(&mut self, timer: &[u8], context: &mut Context<'_>) -> Result<(), TaskError> {
        let name = String::from_utf8_lossy(&timer[8..timer.len() - 2]).into_owned();
        assert_ne!(name, "cursed", "a timer that cannot fire");
        context.state.delete(&ROWS, &name)?;
        forward(context, &format!("fired {name}"));
        Ok(())
    }

    fn answer_failure(
        &mut self,
        _record: &Record<'_>,
        failure: &Failure,
        context: &mut Context<'_>,
    ) -> Result<(), TaskError> {
        forward(context, &format!("failed {}", failure.code));
        Ok(())
    }
}

fn forward(context: &mut Context<'_>, text: &str) {
    let value = Some(text.as_bytes().to_vec());
    context.forward(
        OUT,
        Message {
            value,
            ..Message::default()
        },
    );
}

fn topic(name: &str) -> WiredTopic {
    WiredTopic {
        name: Arc::from(name),
        id: format!("id-of-{name}"),
        partitions: 1,
    }
}

/// The scripted processor with its stores and timers.
pub(crate) fn scripted() -> SubTopology {
    let set = StoreSet::builder()
        .store(&ROWS)
        .index(&DEADLINES)
        .build()
        .expect("a store set");
    SubTopology {
        name: "scripted",
        source: Source {
            name: "commands",
            topic: "commands",
        },
        processor_name: "scripted",
        processor: || Box::new(Scripted),
        stores: Arc::new(set),
        timers: Some(DEADLINES.id()),
        sinks: vec![OUT],
    }
}

fn task() -> Task {
    let part = scripted();
    let wiring = Wiring {
        index: 0,
        fingerprint: part.fingerprint(),
        input: topic("commands"),
        changelog: topic("changelog"),
        window_changelog: topic("window"),
        dead_letters: topic("dlq"),
        sinks: [(OUT.topic, topic("out"))].into(),
        secret: Secret::new(*b"secret"),
        max_record_bytes: 1_000,
        clock: Arc::new(crate::clock::SystemClock),
        part,
    };
    let wiring = Arc::new(wiring);
    let storage = MemoryDatabase::new().storage("0_0").expect("memory");
    let state = TaskState::new(storage, Arc::clone(&wiring.part.stores)).expect("a state");
    let id = TaskId {
        sub_topology: 0,
        partition: 0,
    };
    Task::new(
        id,
        wiring,
        state,
        &Checkpoint::default(),
        CrashLoopGuard::off(),
    )
}

fn give(task: &mut Task, offset: i64, time_ms: i64, value: &[u8]) -> Turn {
    let record = Record {
        topic: "commands",
        partition: 0,
        offset,
        timestamp_ms: time_ms,
        key: Some(b"key"),
        value: Some(value),
        headers: &NoHeaders,
    };
    task.turn(&record).expect("the task goes on")
}

/// Topic and value of everything forwarded since the last call.
fn seen(task: &mut Task) -> Vec<(String, String)> {
    let text = |value: &Option<Vec<u8>>| {
        String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()
    };
    let outputs = std::mem::take(&mut task.outputs);
    outputs
        .iter()
        .map(|out| (out.topic.to_string(), text(&out.message.value)))
        .collect()
}

fn values(task: &mut Task) -> Vec<String> {
    seen(task).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn a_timer_fires_before_the_first_record_at_its_deadline_and_not_earlier() {
    let mut task = task();
    give(&mut task, 0, 10, b"put a 50");
    give(&mut task, 1, 49, b"read a");
    give(&mut task, 2, 50, b"read a");
    assert_eq!(values(&mut task), ["done", "there", "fired a", "gone"]);
}

#[test]
fn time_never_goes_back_within_a_task() {
    let mut task = task();
    give(&mut task, 0, 100, b"put a 50");
    give(&mut task, 1, 10, b"read a");
    assert_eq!(values(&mut task), ["done", "fired a", "gone"]);
    assert_eq!(task.stream_time_ms, 100);
}

#[test]
fn a_unit_that_panics_leaves_a_dead_letter_and_an_answer_and_nothing_else() {
    let mut task = task();
    give(&mut task, 0, 1, b"die a");
    let outputs = task.outputs.clone();
    assert_eq!(values(&mut task), ["failed panic", "die a"]);
    assert_eq!(&*outputs[1].topic, "dlq");
    let header = |name: &str| {
        let found = outputs[1]
            .message
            .headers
            .iter()
            .find(|(header, _)| *header == name);
        String::from_utf8_lossy(&found.expect("a header").1).into_owned()
    };
    assert_eq!(header("__streams.errors.exception"), "panic");
    assert_eq!(header("__streams.errors.message"), "asked to die");
    assert_eq!(header("__streams.errors.offset"), "0");
    give(&mut task, 1, 2, b"read a");
    assert_eq!(values(&mut task), ["gone"]);
}

#[test]
fn an_answer_over_the_limit_fails_its_unit() {
    let mut task = task();
    give(&mut task, 0, 1, b"long");
    assert_eq!(values(&mut task), ["failed oversize", "long"]);
}

#[test]
fn stamps_count_every_record_of_a_unit_and_name_its_place() {
    let mut task = task();
    give(&mut task, 0, 1, b"put a 5");
    give(&mut task, 7, 9, b"nonsense");
    let stamps: Vec<_> = task
        .outputs
        .iter()
        .map(|out| {
            (
                out.stamp.offset,
                out.stamp.unit,
                out.stamp.index,
                out.stamp.count,
            )
        })
        .collect();
    assert_eq!(
        stamps,
        [(0, 0, 0, 1), (7, 0, 0, 1), (7, 1, 0, 2), (7, 1, 1, 2)]
    );
    assert_eq!(
        task.position,
        InputPosition {
            next_offset: 8,
            unit: 0
        }
    );
}

#[test]
fn a_timer_that_fails_is_passed_over_and_the_others_of_its_unit_fire() {
    let mut task = task();
    give(&mut task, 0, 1, b"put cursed 5");
    give(&mut task, 1, 1, b"put fine 6");
    seen(&mut task);
    give(&mut task, 2, 10, b"read fine");
    let seen: Vec<String> = seen(&mut task)
        .into_iter()
        .map(|(topic, _)| topic)
        .collect();
    assert_eq!(seen, ["out", "dlq", "out"]);
    give(&mut task, 3, 11, b"read cursed");
    assert_eq!(values(&mut task), ["there"]);
    assert_eq!(task.next_deadline().expect("a deadline"), None);
}

#[test]
fn more_due_timers_than_a_batch_takes_pause_the_record_until_the_next_commit() {
    let mut task = task();
    for offset in 0..5_000 {
        give(&mut task, offset, 1, format!("put {offset} 100").as_bytes());
    }
    seen(&mut task);
    let mut commits = 0;
    while give(&mut task, 5_000, 100, b"read 1") == Turn::Paused {
        commits += 1;
        assert_eq!(task.position.next_offset, 5_000);
        assert_eq!(task.position.unit, 16 * commits);
        task.state.commit(&[]).expect("a commit");
    }
    assert_eq!(commits, 1);
    assert_eq!(seen(&mut task).len(), 5_001);
}

#[test]
fn a_tick_moves_time_and_a_forged_one_is_a_dead_letter() {
    let mut task = task();
    let genuine = Tick::signed(&Secret::new(*b"secret"), &task.input, 0)
        .encode()
        .expect("bytes");
    let forged = Tick::signed(&Secret::new(*b"guess"), &task.input, 0)
        .encode()
        .expect("bytes");
    give(&mut task, 0, 1, b"put a 50");
    give(&mut task, 1, 60, &genuine);
    assert_eq!(values(&mut task), ["done", "fired a"]);
    give(&mut task, 2, 61, &forged);
    assert_eq!(
        seen(&mut task)
            .iter()
            .map(|(topic, _)| topic.as_str())
            .collect::<Vec<_>>(),
        ["dlq"]
    );
}

#[test]
fn a_batch_that_is_rolled_back_is_processed_again_with_the_same_bytes() {
    let mut task = task();
    give(&mut task, 0, 1, b"put a 5");
    give(&mut task, 1, 9, b"read a");
    let first = task.outputs.clone();
    task.roll_back();
    assert_eq!(task.position, InputPosition::default());
    assert!(task.outputs.is_empty());
    give(&mut task, 0, 1, b"put a 5");
    give(&mut task, 1, 9, b"read a");
    let again: Vec<_> = task
        .outputs
        .iter()
        .map(|out| (&out.message, out.stamp))
        .collect();
    assert_eq!(
        again,
        first
            .iter()
            .map(|out| (&out.message, out.stamp))
            .collect::<Vec<_>>()
    );
}

#[test]
fn records_before_the_position_are_not_processed_again() {
    let mut task = task();
    give(&mut task, 3, 1, b"put a 50");
    give(&mut task, 3, 1, b"put a 50");
    assert_eq!(values(&mut task), ["done"]);
}
