//! The rules alone beside the model: no runtime, no faults, only records one after the other.

use std::ops::ControlFlow;
use std::sync::Arc;

use stagedoor_processors::concert::stores::{DEADLINES, store_set};
use stagedoor_processors::concert::{CATALOGUE, ConcertProcessor, EVENTS};
use stagedoor_state::{MemoryDatabase, ReadState as _, StorageProvider as _, TaskState};
use stagedoor_topology::log::TopicPartition;
use stagedoor_topology::{
    Context, Failure, Forwarded, Header, Headers, NoHeaders, Processor as _, Record, Secret,
};

use crate::model::{Channel, Expected, Facts, Model, Said};
use crate::script::Step;
use crate::workload::START_MS;

const MAX_RECORD_BYTES: usize = 12_000;

struct Straight {
    state: TaskState,
    processor: ConcertProcessor,
    model: Model,
    offset: i64,
    now_ms: i64,
}

impl Straight {
    fn new() -> Self {
        let storage = MemoryDatabase::new().storage("0_0").unwrap();
        let facts = Facts {
            partitions: 1,
            event_partitions: 1,
            max_record_bytes: MAX_RECORD_BYTES,
            input: TopicPartition::new("concert.commands", 0),
            secret: Secret::new(*b"secret"),
        };
        Self {
            state: TaskState::new(storage, Arc::new(store_set().unwrap())).unwrap(),
            processor: ConcertProcessor::default(),
            model: Model::new(facts),
            offset: 0,
            now_ms: START_MS,
        }
    }

    /// What the rules forward for a record, unit by unit, as the runtime would ask them.
    fn rules(&mut self, record: &Record<'_>) -> (Vec<Vec<Forwarded>>, Option<&'static str>) {
        let mut units = Vec::new();
        loop {
            let due = self.due();
            if due.is_empty() {
                break;
            }
            let mut unit = Vec::new();
            for timer in due {
                let mut context = Context::new(&mut self.state, self.now_ms, &mut unit);
                self.processor.fire(&timer, &mut context).unwrap();
            }
            units.push(unit);
        }
        let (mut unit, mut failed) = (Vec::new(), None);
        if record
            .value
            .is_some_and(|value| value.starts_with(&[0, 0, 0, 0, 2]))
        {
            // Ticks are the runtime's own; there is none here, and a forged one is no record.
            units.push(unit);
            return (units, failed.map(|(code, _): (_, String)| code));
        }
        let savepoint = self.state.savepoint();
        let mut context = Context::new(&mut self.state, self.now_ms, &mut unit);
        if let Err(error) = self.processor.process(record, &mut context) {
            failed = Some(("undecodable", error.to_string()));
        }
        let size =
            |sent: &Forwarded| sent.message.key.len() + sent.message.value.as_ref().unwrap().len();
        if unit.iter().any(|sent| size(sent) > MAX_RECORD_BYTES) {
            failed = Some(("oversize", String::new()));
        }
        if let Some((code, reason)) = &failed {
            self.state.rollback(savepoint);
            unit.clear();
            let mut context = Context::new(&mut self.state, self.now_ms, &mut unit);
            let failure = Failure::new(code, reason.clone());
            self.processor
                .answer_failure(record, &failure, &mut context)
                .unwrap();
        }
        units.push(unit);
        (units, failed.map(|(code, _)| code))
    }

    fn due(&self) -> Vec<Vec<u8>> {
        let mut until = vec![DEADLINES.id()];
        until.extend(((self.now_ms + 1) ^ i64::MIN).to_be_bytes());
        let mut due = Vec::new();
        self.state
            .scan_bytes(&[DEADLINES.id()], &until, &mut |key, _| {
                due.push(key[1..].to_vec());
                if due.len() < 256 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
            .unwrap();
        due
    }

    fn play(&mut self, step: &Step, context: &str) {
        if let Step::Wait(ms) = step {
            self.now_ms += ms;
        }
        let Step::Send(command) = step else {
            return;
        };
        let until = command.patience_ms.map(|ms| (self.now_ms + ms).to_string());
        let reply_to = command.reply_to.map(|partition| partition.to_string());
        let header =
            |name, text: &'_ Option<String>| text.as_ref().map(|text| (name, text.clone()));
        let headers: Vec<(&str, String)> =
            [header("valid-until", &until), header("reply-to", &reply_to)]
                .into_iter()
                .flatten()
                .collect();
        let headers: Vec<Header<'_>> = headers
            .iter()
            .map(|(name, text)| Header {
                name,
                value: text.as_bytes(),
            })
            .collect();
        let (key, value) = command.bytes();
        let record = Record {
            topic: "concert.commands",
            partition: 0,
            offset: self.offset,
            timestamp_ms: self.now_ms,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &All(&headers),
        };
        self.offset += 1;
        let expected = self.model.apply(&record);
        let (found, failed) = self.rules(&record);
        assert_eq!(expected.len(), found.len(), "units of {step} in {context}");
        for (expected, found) in expected.iter().zip(&found) {
            same(expected, found, failed, &format!("{step} in {context}"));
        }
        self.state.commit(&[]).unwrap();
        let difference = self.model.differs(&self.state).unwrap();
        assert_eq!(difference, None, "{step} in {context}");
    }
}

/// Headers behind a reference.
struct All<'a>(&'a [Header<'a>]);

impl Headers for All<'_> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        Headers::each(self.0, visit);
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        Headers::get(self.0, name)
    }
}

fn same(expected: &[Expected], found: &[Forwarded], failed: Option<&str>, what: &str) {
    let (letters, expected): (Vec<&Expected>, Vec<&Expected>) = expected
        .iter()
        .partition(|expected| expected.channel == Channel::DeadLetters);
    let codes: Vec<Option<&str>> = letters
        .iter()
        .map(|letter| {
            let Said::Letter(code, _) = letter.said else {
                return None;
            };
            Some(code)
        })
        .collect();
    if let Some(failed) = failed
        && !letters.is_empty()
    {
        assert_eq!(codes, [Some(failed)], "{what}");
    }
    assert_eq!(
        expected.len(),
        found.len(),
        "{what}: {expected:?} {found:?}"
    );
    for (expected, found) in expected.iter().zip(found) {
        let channel = if found.sink == EVENTS {
            Channel::Events
        } else if found.sink == CATALOGUE {
            Channel::Catalogue
        } else {
            Channel::Results
        };
        let record = Record {
            topic: "",
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: Some(&found.message.key),
            value: found.message.value.as_deref(),
            headers: &NoHeaders,
        };
        assert_eq!(expected.objection(channel, 0, &record), None, "{what}");
    }
}

#[test]
fn the_rules_and_the_model_agree_about_every_record_and_every_row() {
    let mut answers = std::collections::BTreeMap::new();
    for seed in 0..300 {
        let mut straight = Straight::new();
        let script = crate::schedule::script(seed);
        for step in &script.steps {
            straight.play(step, &format!("seed {seed}"));
        }
        let difference = straight.model.differs_anywhere(&straight.state).unwrap();
        assert_eq!(difference, None, "at the end of seed {seed}");
        straight.state.check_indexes().unwrap();
        for (answer, count) in straight.model.answers {
            *answers.entry(answer).or_insert(0) += count;
        }
    }
    for answer in EVERY_ANSWER {
        assert!(
            answers.contains_key(answer),
            "{answer} was never answered: {answers:?}"
        );
    }
}

const EVERY_ANSWER: [&str; 17] = [
    "ok",
    "command_expired",
    "concert_differs",
    "concert_not_found",
    "hold_expired",
    "hold_not_found",
    "idempotency_mismatch",
    "invalid_request",
    "limit_reached",
    "not_enough_seats",
    "not_owner",
    "oversize",
    "sale_closed",
    "sale_not_open",
    "seat_taken",
    "unknown_seat",
    "wrong_state",
];
