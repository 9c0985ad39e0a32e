//! What outlives one run of an application: its names, its directory, its topics.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::RESULTS;
use stagedoor_processors::concert::records::CommandResult;
use stagedoor_state::{Database, DatabaseOptions, Digest, StorageProvider as _, TaskState};
use stagedoor_topology::log::{
    Appended, Appender, Haste, Isolation, Log as _, LogError, Outgoing, Pace, TopicPartition,
};
use stagedoor_topology::{Header, STAMP_HEADER, Stamp, required_topics};
use tempfile::TempDir;

use super::{AppOptions, Program, show_logs};
use crate::kafka::unique;

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Owned {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// Which input made it.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header == STAMP_HEADER);
        found.and_then(|(_, value)| Stamp::decode(value))
    }
}

/// An application's place in the world, and a client that sends to it and reads from it.
pub struct Site {
    /// How it runs; a test may change that between two runs.
    pub options: AppOptions,
    appender: Arc<dyn Appender>,
    directory: TempDir,
}

impl Site {
    /// A new application of one partition on a broker, with its topics made.
    #[must_use]
    pub fn new(bootstrap_servers: &str) -> Self {
        Self::of(bootstrap_servers, Program::Concerts)
    }

    /// The same with another program.
    #[must_use]
    pub fn of(bootstrap_servers: &str, program: Program) -> Self {
        let site = Self::without_topics(bootstrap_servers, program);
        site.make_topics();
        site
    }

    /// The same without topics: nothing is asked of the broker.
    #[must_use]
    pub fn without_topics(bootstrap_servers: &str, program: Program) -> Self {
        show_logs();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = AppOptions {
            bootstrap_servers: bootstrap_servers.to_owned(),
            application: unique("app"),
            instance: "one".to_owned(),
            directory: directory.path().join("one"),
            partitions: 1,
            session: Duration::from_secs(6),
            transaction: Duration::from_secs(5),
            raw: BTreeMap::new(),
            batch: 10_000,
            program,
        };
        let appender = options.log().appender().expect("a producer");
        Self {
            options,
            appender,
            directory,
        }
    }

    /// Creates every topic that the application wants.
    pub fn make_topics(&self) {
        let day = 24 * 60 * 60 * 1000;
        let specs = required_topics(&self.options.topology(), &self.options.naming(), day);
        self.options
            .log()
            .ensure_topics(&specs)
            .expect("the topics are made");
    }

    /// A second instance of the application, with a directory and a transactional id of its own.
    #[must_use]
    pub fn instance(&self, name: &str) -> AppOptions {
        let directory = self.directory.path().join(name);
        AppOptions {
            instance: name.to_owned(),
            directory,
            ..self.options.clone()
        }
    }

    /// Full name of a topic that the outside knows.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        self.options.naming().topic(name)
    }

    /// The command topic.
    #[must_use]
    pub fn commands(&self) -> String {
        self.topic(self.options.topology().sub_topologies()[0].source.topic)
    }

    /// The compacted changelog.
    #[must_use]
    pub fn changelog(&self) -> String {
        self.options
            .naming()
            .changelog(self.options.topology().sub_topologies()[0].name)
    }

    /// Sends a command to partition 0 and returns its offset.
    pub fn send<R: AvroRecord>(&self, key: &str, command: &R) -> i64 {
        let mut value = Vec::new();
        stagedoor_avro::encode(command, &mut value).expect("a command can be encoded");
        self.send_raw(Some(key.as_bytes()), Some(&value))
    }

    /// Sends any record to partition 0 of the command topic and returns its offset.
    pub fn send_raw(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> i64 {
        self.append(&self.commands(), key, value)
            .expect("the record is appended")
            .offset
    }

    /// Appends to partition 0 of a topic, and waits for the broker.
    ///
    /// # Errors
    /// Those of the log.
    pub fn append(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Appended, LogError> {
        let (told, answer) = mpsc::channel();
        self.append_then(topic, key, value, move |result| drop(told.send(result)));
        let unanswered = LogError::Unavailable("no answer of the producer".to_owned());
        answer.recv_timeout(ANSWER).unwrap_or(Err(unanswered))
    }

    /// Appends to partition 0 of a topic; `done` is told.
    pub fn append_then(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        done: impl FnOnce(Result<Appended, LogError>) + Send + Sync + 'static,
    ) {
        let headers: [Header<'_>; 0] = [];
        let record = Outgoing {
            topic,
            partition: 0,
            key,
            value,
            headers: &headers,
        };
        self.appender.append(record, Haste::Prompt, Box::new(done));
    }

    /// Everything that is in a topic, read committed.
    #[must_use]
    pub fn read(&self, topic: &str) -> Vec<Owned> {
        self.read_as(topic, Isolation::ReadCommitted)
    }

    /// Everything that is in a topic.
    #[must_use]
    pub fn read_as(&self, topic: &str, isolation: Isolation) -> Vec<Owned> {
        let deadline = Instant::now() + ANSWER;
        loop {
            if let Some(records) = self.read_once(topic, isolation) {
                return records;
            }
            assert!(
                Instant::now() < deadline,
                "the end of {topic} is reached in time"
            );
        }
    }

    /// Everything that is in a topic, unless its end is not reached soon: a client that has met a
    /// partition without a leader does not find it again for long, and another one does at once.
    fn read_once(&self, topic: &str, isolation: Isolation) -> Option<Vec<Owned>> {
        let log = self.options.log();
        let mut reader = log.reader(isolation, Pace::CatchUp).expect("a reader");
        let from: Vec<(i32, i64)> = (0..self.options.partitions)
            .map(|partition| (partition, 0))
            .collect();
        reader.open(topic, &from).ok()?;
        let mut records = Vec::new();
        let mut visit = |record: &stagedoor_topology::Record<'_>| {
            let mut headers = Vec::new();
            record
                .headers
                .each(&mut |name, value| headers.push((name.to_owned(), value.to_vec())));
            records.push(Owned {
                partition: record.partition,
                offset: record.offset,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers,
            });
        };
        let give_up = Instant::now() + ANSWER / 4;
        while !reader
            .poll(Duration::from_millis(20), 10_000, &mut visit)
            .expect("a poll")
        {
            if Instant::now() > give_up {
                return None;
            }
        }
        Some(records)
    }

    /// First and next offset of partition 0 of a topic, uncommitted records included.
    #[must_use]
    pub fn watermarks(&self, topic: &str) -> (i64, i64) {
        let log = self.options.log();
        let partition = TopicPartition::new(topic, 0);
        let mut found = Err(LogError::Unavailable(format!("{topic} was not asked")));
        crate::wait::until(ANSWER, || {
            let mut reader = log
                .reader(Isolation::ReadUncommitted, Pace::CatchUp)
                .expect("a reader");
            found = reader.watermarks(&partition);
            found.is_ok()
        });
        found.expect("the topic has watermarks")
    }

    /// The answers by the offset of the command in partition 0, read committed.
    #[must_use]
    pub fn results(&self) -> BTreeMap<i64, CommandResult> {
        let records = self.read(&self.topic(RESULTS.topic));
        let result = |record: Owned| {
            let stamp = record.stamp().expect("a result has a stamp");
            let value = record.value.expect("a result has a value");
            (
                stamp.offset,
                stagedoor_avro::decode(&value).expect("a result can be read"),
            )
        };
        records.into_iter().map(result).collect()
    }

    /// Waits for the answer to the command at an offset of partition 0.
    ///
    /// # Panics
    /// If there is none in time.
    #[must_use]
    pub fn answer(&self, offset: i64, limit: Duration) -> CommandResult {
        let mut found = None;
        crate::wait::until(limit, || {
            found = self.results().remove(&offset);
            found.is_some()
        });
        assert!(
            found.is_some(),
            "no answer to offset {offset} within {limit:?}"
        );
        found.unwrap_or_default()
    }

    /// The dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<Owned> {
        self.read(&self.options.naming().dead_letters())
    }

    /// Digest of the store of partition 0, while no application has it; its indexes are checked.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&self.options)
    }
}

/// Digest of the store of partition 0 of an instance that does not run.
#[must_use]
pub fn digest(options: &AppOptions) -> Digest {
    let data = options.directory.join("data");
    let database = Database::open(data, &DatabaseOptions::default()).expect("the store is free");
    let storage = database.storage("0_0").expect("the task has a store");
    let stores = Arc::clone(&options.topology().sub_topologies()[0].stores);
    let state = TaskState::new(storage, stores).expect("the store can be opened");
    state
        .check_indexes()
        .expect("indexes agree with their rows");
    state.digest(0).expect("a digest")
}
