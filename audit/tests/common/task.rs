//! A task that decides commands and writes what a right one writes, commit by commit.

use std::ops::ControlFlow;

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{HoldSeats, PutConcert, ReleaseHold, SectionPlan};
use stagedoor_processors::id::{Id, scoped_hash};
use stagedoor_state::{
    ChangelogKind, MemoryDatabase, ReadState as _, StorageProvider as _, TaskState,
};
use stagedoor_topology::log::TopicPartition;
use stagedoor_topology::{
    Context, Forwarded, NoHeaders, POSITION_KEY, Position, Record, STAMP_HEADER, Secret, Stamp,
    SubTopology, Tick, TopicNaming, Topology, partition_for,
};

use super::log::{MemoryLog, Stored};
use super::plan::plan;

pub const CONCERT: &str = "c";
pub const SEATS_PER_ROW: i32 = 40;
pub const ROWS: i32 = 50;
const SOURCE_TOPIC_ID: &str = "0123456789";

/// Everything that one application shares.
pub struct Site {
    pub log: MemoryLog,
    pub topology: Topology,
    pub naming: TopicNaming,
    pub secret: Secret,
}

impl Site {
    pub fn new(partitions: i32) -> Self {
        Self {
            log: MemoryLog::default(),
            topology: stagedoor_processors::topology().unwrap(),
            naming: stagedoor_processors::naming("app", "p.", partitions, None),
            secret: Secret::new(*b"secret"),
        }
    }

    pub fn commands(&self) -> String {
        self.naming.topic("concert.commands")
    }
}

/// One task.
pub struct Task<'a> {
    pub site: &'a Site,
    pub partition: i32,
    pub time_ms: i64,
    part: SubTopology,
    state: TaskState,
    forwarded: Vec<Forwarded>,
}

impl<'a> Task<'a> {
    pub fn new(site: &'a Site, partition: i32) -> Self {
        let part = site.topology.sub_topologies()[0].clone();
        let storage = MemoryDatabase::new().storage("task").unwrap();
        Self {
            state: TaskState::new(storage, part.stores.clone()).unwrap(),
            site,
            partition,
            time_ms: 0,
            part,
            forwarded: Vec::new(),
        }
    }

    /// Appends a command and decides it.
    pub fn send<C: AvroRecord>(&mut self, time_ms: i64, command: &C) -> i64 {
        let mut value = Vec::new();
        stagedoor_avro::encode(command, &mut value).unwrap();
        self.send_raw(time_ms, &value)
    }

    /// Appends a Tick and lets the time pass.
    pub fn tick(&mut self, time_ms: i64) -> i64 {
        let place = TopicPartition::new(self.site.commands(), self.partition);
        let tick = Tick::signed(&self.site.secret, &place, 0);
        self.send_raw(time_ms, &tick.encode().unwrap())
    }

    fn send_raw(&mut self, time_ms: i64, value: &[u8]) -> i64 {
        self.time_ms = self.time_ms.max(time_ms);
        let topic = self.site.commands();
        let stored = Stored {
            timestamp_ms: time_ms,
            key: CONCERT.into(),
            value: Some(value.to_vec()),
            ..Stored::default()
        };
        let offset = self.site.log.append(&topic, self.partition, stored);
        let mut unit = 0;
        while self.timers() {
            self.finish_unit(offset, unit);
            unit += 1;
        }
        if !value.starts_with(&[0, 0, 0, 0, 2]) {
            self.decide(&topic, offset, value);
            self.finish_unit(offset, unit);
        }
        self.state.purge_expired(self.time_ms, 4).unwrap();
        offset
    }

    fn timers(&mut self) -> bool {
        let index = self.part.timers.unwrap();
        let mut until = vec![index];
        until.extend_from_slice(&((self.time_ms + 1) ^ i64::MIN).to_be_bytes());
        let mut due = Vec::new();
        self.state
            .scan_bytes(&[index], &until, &mut |key, _| {
                due.push(key[1..].to_vec());
                match due.len() < 256 {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })
            .unwrap();
        let mut processor = (self.part.processor)();
        for timer in &due {
            let mut context = Context::new(&mut self.state, self.time_ms, &mut self.forwarded);
            processor.fire(timer, &mut context).unwrap();
        }
        !due.is_empty()
    }

    fn decide(&mut self, topic: &str, offset: i64, value: &[u8]) {
        let record = Record {
            topic,
            partition: self.partition,
            offset,
            timestamp_ms: self.time_ms,
            key: Some(CONCERT.as_bytes()),
            value: Some(value),
            headers: &NoHeaders,
        };
        let mut context = Context::new(&mut self.state, self.time_ms, &mut self.forwarded);
        let mut processor = (self.part.processor)();
        processor.process(&record, &mut context).unwrap();
    }

    fn finish_unit(&mut self, offset: i64, unit: u32) {
        let count = u32::try_from(self.forwarded.len()).unwrap();
        for (index, forward) in (0..).zip(std::mem::take(&mut self.forwarded)) {
            let stamp = Stamp {
                log_id: u64::from_be_bytes(*SOURCE_TOPIC_ID.as_bytes().first_chunk().unwrap()),
                partition: self.partition,
                offset,
                unit,
                index,
                count,
            };
            let message = forward.message;
            let partition = partition_for(&message.key, self.site.naming.partitions);
            let record = Stored {
                timestamp_ms: self.time_ms,
                key: message.key,
                value: message.value,
                headers: vec![(STAMP_HEADER.to_owned(), stamp.encode().to_vec())],
                ..Stored::default()
            };
            let topic = self.site.naming.topic(forward.sink.topic);
            self.site.log.append(&topic, partition, record);
        }
    }

    /// Writes the changelogs and the position, as a commit does.
    pub fn commit(&mut self, next_offset: i64) {
        let naming = &self.site.naming;
        for change in self.state.changes() {
            let topic = match change.changelog {
                ChangelogKind::Compacted => naming.changelog(self.part.name),
                ChangelogKind::Window => naming.window_changelog(self.part.name),
            };
            let record = Stored {
                timestamp_ms: self.time_ms,
                key: change.key.to_vec(),
                value: change.value.map(<[u8]>::to_vec),
                ..Stored::default()
            };
            self.site.log.append(&topic, self.partition, record);
        }
        self.state.commit(&[]).unwrap();
        let position = Position {
            next_offset,
            stream_time_ms: self.time_ms,
            source_topic_id: SOURCE_TOPIC_ID.to_owned(),
            ..Position::default()
        };
        let mut value = Vec::new();
        stagedoor_avro::encode(&position, &mut value).unwrap();
        let record = Stored {
            timestamp_ms: self.time_ms,
            key: POSITION_KEY.to_vec(),
            value: Some(value),
            ..Stored::default()
        };
        let topic = naming.changelog(self.part.name);
        self.site.log.append(&topic, self.partition, record);
    }
}

/// A concert of one large section.
pub fn concert(hold_seconds: i32) -> PutConcert {
    let section = SectionPlan {
        id: "A".to_owned(),
        name: "A".to_owned(),
        grade: "A".to_owned(),
        rows: Some(ROWS),
        seats_per_row: Some(SEATS_PER_ROW),
        ..SectionPlan::default()
    };
    plan(hold_seconds, 4, vec![section])
}

/// A hold of two neighbours.
pub fn hold(number: i64) -> HoldSeats {
    let pair = i32::try_from(number % i64::from(ROWS * SEATS_PER_ROW / 2)).unwrap();
    let (row, first) = (pair % ROWS + 1, pair / ROWS * 2 + 1);
    HoldSeats {
        user: format!("user-{}", number % 5_000),
        command_id: format!("hold-{number}"),
        seats: vec![format!("A-{row}-{first}"), format!("A-{row}-{}", first + 1)],
        ..HoldSeats::default()
    }
}

/// The release of such a hold.
pub fn release(number: i64) -> ReleaseHold {
    let held = hold(number);
    let hash = scoped_hash(&held.user, &held.command_id);
    ReleaseHold {
        user: held.user,
        command_id: format!("release-{number}"),
        reservation: Id::reservation(CONCERT, hash).to_string(),
    }
}
