//! A small sale: commands, and what a right task writes, stores and logs because of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{HoldSeats, ReleaseHold};
use stagedoor_processors::concert::sub_topology;
use stagedoor_processors::id::{Id, scoped_hash};
use stagedoor_state::{MemoryDatabase, StorageProvider as _, StoreSet, TaskState};
use stagedoor_topology::log::{InputPosition, TopicPartition};
use stagedoor_topology::{
    CHECKPOINT_KEY, Checkpoint, NoHeaders, POSITION_KEY, Position, Record, Secret, Stamp,
    SubTopology, Tick, TopicNaming,
};

use super::plan::plan;
use super::sections;
use crate::contents::{Contents, Restore};
use crate::inputs::{Input, kind_of};
use crate::replay::{Given, Replay, Rules};
use crate::report::{Place, Report};
use crate::turn::{Lane, Output, Turn};

/// Changelogs whose last record is a position.
pub(crate) fn contents_at(next_offset: i64) -> Contents {
    let mut contents = Contents {
        at_rest: true,
        ..Contents::default()
    };
    let mut value = Vec::new();
    let position = Position {
        next_offset,
        ..Position::default()
    };
    stagedoor_avro::encode(&position, &mut value).unwrap();
    contents
        .take(&"changelog".into(), (0, 8), POSITION_KEY, Some(&value))
        .unwrap();
    contents
}

/// An empty store that says it has read these changelogs and stands at an input offset.
pub(crate) fn store_at(contents: &Contents, next_offset: i64) -> TaskState {
    let stores = Arc::clone(&sub_topology().unwrap().stores);
    let storage = MemoryDatabase::new().storage("0_0").unwrap();
    let mut state = TaskState::new(storage, stores).unwrap();
    let place = &contents.position.as_ref().unwrap().1;
    let checkpoint = Checkpoint {
        position: Position {
            next_offset,
            ..Position::default()
        },
        changelog_offset: place.offset + 1,
        ..Checkpoint::default()
    };
    let mut bytes = Vec::new();
    stagedoor_avro::encode(&checkpoint, &mut bytes).unwrap();
    state.commit(&[(CHECKPOINT_KEY, &bytes)]).unwrap();
    state
}

/// A small sale as a task would have written it: commands, outputs, changelog rows.
pub(crate) struct Run {
    pub(crate) lane: Lane,
    pub(crate) outputs: Vec<Output>,
    pub(crate) contents: Contents,
    /// Rows of the compacted changelog.
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    window_rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) stores: Arc<StoreSet>,
    part: SubTopology,
    naming: TopicNaming,
    secret: Secret,
    records: Vec<(i64, Vec<u8>, Vec<u8>)>,
}

impl Run {
    pub(crate) fn sale() -> Self {
        let part = sub_topology().unwrap();
        let secret = Secret::new(*b"secret");
        let partition = TopicPartition::new("concert.commands", 0);
        let tick = Tick::signed(&secret, &partition, 0).encode().unwrap();
        let hold = |user: &str, id: &str, seat: &str| HoldSeats {
            user: user.to_owned(),
            command_id: id.to_owned(),
            seats: vec![seat.to_owned()],
            ..HoldSeats::default()
        };
        let release = ReleaseHold {
            user: "bob".to_owned(),
            command_id: "3".to_owned(),
            reservation: Id::reservation("c", scoped_hash("bob", "2")).to_string(),
        };
        let values = [
            (1_000, framed(&plan(10, 2, sections()))),
            (2_000, framed(&hold("ann", "1", "A-1-1"))),
            (2_100, framed(&hold("bob", "2", "A-1-2"))),
            (2_200, framed(&hold("cat", "9", "A-1-2"))),
            (3_000, framed(&release)),
            (3_100, b"garbage".to_vec()),
            (4_000, framed(&hold("bob", "4", "A-2-2"))),
            (12_500, tick),
            (13_000, framed(&hold("cat", "5", "A-1-1"))),
        ];
        let records = values
            .map(|(time_ms, value)| (time_ms, b"c".to_vec(), value))
            .to_vec();
        let stores = Arc::clone(&part.stores);
        let contents = contents_at(9);
        let until = contents.input();
        let mut run = Self {
            lane: Lane {
                topic: "concert.commands".into(),
                partition: 0,
                until,
            },
            outputs: Vec::new(),
            contents,
            rows: BTreeMap::new(),
            window_rows: BTreeMap::new(),
            stores,
            part,
            naming: TopicNaming::new("sale", "", 1),
            secret,
            records,
        };
        run.write();
        run
    }

    /// Fills in what a right task would have written.
    fn write(&mut self) {
        let replay = self.replay(self.lane.until);
        let output = |given: &Given| {
            let (key, value) = (given.key.clone(), given.value.clone());
            let place = Place::new("out", given.partition.unwrap_or(0), given.stamp.offset);
            let stamp = Stamp {
                log_id: 7,
                ..given.stamp
            };
            Output::read(stamp, place, given.channel, key, value)
        };
        let outputs = replay.given.iter().map(output).collect();
        let time_ms = replay.time_ms;
        let mut rows = BTreeMap::new();
        stagedoor_state::ReadState::scan_bytes(&replay.state, &[1], &[16], &mut |key, value| {
            rows.insert(key.to_vec(), value.to_vec());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        let is_window = |key: &Vec<u8>| key.first() == Some(&6);
        (self.window_rows, self.rows) = rows.into_iter().partition(|(key, _)| is_window(key));
        self.contents.position.as_mut().unwrap().0.stream_time_ms = time_ms;
        self.outputs = outputs;
    }

    /// Shows every turn with what a replay gives for it. Returns the replay at its end.
    pub(crate) fn walk(
        &self,
        mut visit: impl FnMut(&Lane, &Turn<'_>, &[Given], &mut Report),
    ) -> (Report, Replay<'_>) {
        let (mut report, mut replay) = (Report::default(), self.begin());
        let mut outputs = self.outputs.clone();
        outputs.sort_by_key(|output| output.stamp);
        for (offset, (time_ms, key, value)) in (0..).zip(&self.records) {
            let record = record(offset, *time_ms, key, value);
            replay.given.clear();
            replay.take(&record, self.lane.until).unwrap();
            let of = |output: &&Output| output.stamp.offset == offset;
            let outputs: Vec<Output> = outputs.iter().filter(of).cloned().collect();
            let input = Input {
                offset,
                time_ms: *time_ms,
                kind: kind_of(&record, &self.secret),
            };
            let turn = Turn {
                input,
                outputs: &outputs,
                over: true,
            };
            visit(&self.lane, &turn, &replay.given, &mut report);
        }
        (report, replay)
    }

    /// What the changelogs restore.
    pub(crate) fn restored(&self) -> TaskState {
        let mut restore = Restore::new(&self.stores).unwrap();
        for (key, value) in self.rows.iter().chain(&self.window_rows) {
            restore.row(key, Some(value)).unwrap();
        }
        restore.finish().unwrap()
    }

    /// The offset after the last record.
    pub(crate) fn end(&self) -> i64 {
        i64::try_from(self.records.len()).unwrap()
    }

    /// The store that a right task has at the end.
    pub(crate) fn live(&self) -> TaskState {
        self.replay(InputPosition {
            next_offset: self.end(),
            unit: 0,
        })
        .state
    }

    pub(crate) fn with_replay_until(&self, until: InputPosition, look: impl FnOnce(&Replay<'_>)) {
        look(&self.replay(until));
    }

    fn begin(&self) -> Replay<'_> {
        let (part, secret, naming) = (&self.part, &self.secret, &self.naming);
        let rules = Rules {
            part,
            naming,
            secret,
            max_record_bytes: 1_000_000,
        };
        Replay::new(rules, 0, BTreeSet::new()).unwrap()
    }

    fn replay(&self, until: InputPosition) -> Replay<'_> {
        let mut replay = self.begin();
        for (offset, (time_ms, key, value)) in (0..).zip(&self.records) {
            replay
                .take(&record(offset, *time_ms, key, value), until)
                .unwrap();
        }
        replay.state.commit(&[]).unwrap();
        replay
    }
}

fn record<'a>(offset: i64, timestamp_ms: i64, key: &'a [u8], value: &'a [u8]) -> Record<'a> {
    Record {
        topic: "concert.commands",
        partition: 0,
        offset,
        timestamp_ms,
        key: Some(key),
        value: Some(value),
        headers: &NoHeaders,
    }
}

fn framed<R: AvroRecord>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    stagedoor_avro::encode(record, &mut bytes).unwrap();
    bytes
}
