//! A small log in a directory, and all that can be read from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::embedded::{EmbeddedConfig, EmbeddedLog};
use stagedoor_topology::log::{
    Appended, Assignment, Haste, InputPosition, Isolation, Log, LogError, Outgoing, Pace,
    TopicPartition, TopicSpec, Visit,
};

/// The topics of these tests, of two partitions each.
pub(crate) const TOPICS: [&str; 2] = ["commands", "results"];

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A record as it was read: offset, time and value.
pub(crate) type Read = (i64, i64, Vec<u8>);

/// Everything a log has to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) records: BTreeMap<TopicPartition, Vec<Read>>,
    pub(crate) positions: BTreeMap<TopicPartition, Option<InputPosition>>,
    pub(crate) ids: Vec<String>,
}

/// Settings of the database: small, so that little is written to many files.
pub(crate) fn options() -> DatabaseOptions {
    DatabaseOptions {
        authoritative: true,
        write_buffer_bytes: 1 << 20,
        block_cache_bytes: 1 << 20,
        ..DatabaseOptions::default()
    }
}

/// Settings of the log: nothing stays in memory, so that everything is read from the disk.
pub(crate) fn config() -> EmbeddedConfig {
    EmbeddedConfig {
        tail_bytes: 0,
        reserve_bytes: 0,
        clean_interval: Duration::from_millis(20),
        ..EmbeddedConfig::new("small")
    }
}

/// Opens a log; the words of whoever refuses are the error.
pub(crate) fn open(directory: &Path) -> Result<EmbeddedLog, String> {
    open_with(directory, config())
}

/// Opens a log with settings of its own.
pub(crate) fn open_with(directory: &Path, config: EmbeddedConfig) -> Result<EmbeddedLog, String> {
    let database = Database::open(directory, &options()).map_err(|error| error.to_string())?;
    EmbeddedLog::open(&database, config).map_err(|error| error.to_string())
}

/// Creates a topic with settings.
pub(crate) fn topic(log: &dyn Log, name: &str, partitions: i32, config: &[(&str, &str)]) -> String {
    let config = config
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions,
        counted_by: "partitions",
        config: config.collect(),
        checked: Vec::new(),
    };
    let infos = log.ensure_topics(&[spec]).expect("it can be made");
    infos[0].id.clone()
}

/// A record without a key.
pub(crate) fn record<'a>(topic: &'a str, partition: i32, value: &'a [u8]) -> Outgoing<'a> {
    Outgoing {
        topic,
        partition,
        key: None,
        value: Some(value),
        headers: &[],
    }
}

/// Appends a record and waits for the answer.
pub(crate) fn append(log: &dyn Log, record: Outgoing<'_>) -> Result<Appended, LogError> {
    let (tell, told) = mpsc::sync_channel(1);
    let done = move |outcome| drop(tell.send(outcome));
    let appender = log.appender().expect("an appender");
    appender.append(record, Haste::Prompt, Box::new(done));
    told.recv_timeout(PATIENCE).expect("an answer")
}

/// Writes some transactions of records and positions, and some appends.
pub(crate) fn fill(log: &dyn Log, rounds: usize) {
    for name in TOPICS {
        topic(log, name, 2, &[("retention.ms", "-1")]);
    }
    let mut member = log
        .member("0", &TOPICS.map(str::to_owned))
        .expect("it joins");
    let changes = member.poll(Duration::ZERO, &mut |_| Visit::Taken);
    for change in changes.expect("it can be polled") {
        if let Assignment::Assigned(partitions) = change {
            member.accept(&partitions).expect("they are its own");
        }
    }
    let mut session = log.session("small-1").expect("a session");
    for round in 0..rounds {
        session.begin().expect("it begins");
        let large = vec![u8::try_from(round % 251).expect("small"); 40 + (round % 3) * 1_500];
        session.send(record("results", 0, &large)).expect("taken");
        session.send(record("results", 1, b"small")).expect("taken");
        let position = InputPosition {
            next_offset: i64::try_from(round).expect("few"),
            unit: 1,
        };
        let moved = [(TopicPartition::new("commands", 0), position)];
        let generation = member.generation().expect("a membership");
        session.add_offsets(&moved, &generation).expect("taken");
        session.commit().expect("it is committed");
        append(
            log,
            record("commands", 0, format!("command {round}").as_bytes()),
        )
        .expect("taken");
    }
}

/// Reads all there is; the words of whoever refuses are the error.
pub(crate) fn contents(log: &dyn Log) -> Result<Contents, String> {
    let words = |error: LogError| error.to_string();
    let mut contents = Contents::default();
    let mut reader = log
        .reader(Isolation::ReadCommitted, Pace::CatchUp)
        .map_err(words)?;
    contents.ids = TOPICS.map(|name| topic(log, name, 2, &[])).to_vec();
    let mut member = log.member("0", &TOPICS.map(str::to_owned)).map_err(words)?;
    for name in TOPICS {
        for partition in [0, 1] {
            let place = TopicPartition::new(name, partition);
            let mut records = Vec::new();
            reader.open(name, &[(partition, 0)]).map_err(words)?;
            let started = Instant::now();
            while !reader
                .poll(Duration::ZERO, 1_000, &mut |record| {
                    let value = record.value.unwrap_or_default().to_vec();
                    records.push((record.offset, record.timestamp_ms, value));
                })
                .map_err(words)?
            {
                assert!(started.elapsed() < PATIENCE, "the end is reached");
            }
            let position = member.committed(&place).map_err(words)?;
            contents.positions.insert(place.clone(), position);
            contents.records.insert(place, records);
        }
    }
    Ok(contents)
}

/// Copies a closed log. Files that are never changed are shared.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let target = to.join(path.file_name().expect("a name"));
        let never_changes = path
            .extension()
            .is_some_and(|it| it == "sst" || it == "blob");
        if path.is_dir() {
            copy(&path, &target);
        } else if never_changes {
            std::fs::hard_link(&path, &target).expect("a link");
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// All files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}
