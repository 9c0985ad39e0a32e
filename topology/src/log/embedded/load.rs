//! The start: what the database holds is checked and brought into memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use stagedoor_state::{Database, Keyspace};

use super::anchor::{self, Anchor};
use super::batch::read_header;
use super::config::EmbeddedConfig;
use super::keys::{self, PartitionId};
use super::partition::{Closed, Partition, Segment};
use super::topics::{Topic, Topics};
use super::{Shared, chain, cleaner, decode_position, random, refused};
use crate::log::{InputPosition, LogError};

/// The format that this program writes. Raise it when older programs would misread the rows.
const FORMAT: u32 = 1;

/// A log that is ready for its threads.
pub(super) struct Loaded {
    pub(super) shared: Shared,
    pub(super) anchor: Anchor,
    pub(super) chain_start: u64,
}

/// Reads everything but the records.
pub(super) fn load(database: &Database, config: EmbeddedConfig) -> Result<Loaded, LogError> {
    let rows = database.keyspace("log").map_err(|error| refused(&error))?;
    let log_id = identify(&rows, database.directory())?;
    let (chain_start, sequence) = chain::check(&rows)?;
    let anchor = anchored(database, log_id, sequence)?;
    let shared = Shared {
        topics: load_topics(&rows)?,
        group: super::Group::default(),
        epochs: Mutex::new(load_epochs(&rows)?),
        committed: Mutex::new(load_offsets(&rows)?),
        queue: super::Queue::default(),
        sequence: AtomicU64::new(sequence),
        written_bytes: AtomicU64::new(0),
        cleaner: cleaner::Bell::default(),
        creating: Mutex::new(()),
        directory: database.directory().to_owned(),
        config,
        rows,
    };
    Ok(Loaded {
        shared,
        anchor,
        chain_start,
    })
}

/// The id of the log; a new one for a new log.
fn identify(rows: &Keyspace, directory: &Path) -> Result<u64, LogError> {
    let row = rows.get(keys::FORMAT).map_err(|error| refused(&error))?;
    let Some(row) = row else {
        if anchor::exists(directory).map_err(|error| unusable(directory, &error))? {
            return Err(LogError::Refused(format!(
                "the log in {0} is gone, although commits of it were acknowledged: files are \
                 missing or damaged; restore the data directory from a backup, or begin anew in \
                 an empty one",
                directory.display()
            )));
        }
        let id = random();
        let row = [&FORMAT.to_be_bytes()[..], &id.to_be_bytes()].concat();
        let mut batch = rows.batch().map_err(|error| refused(&error))?;
        batch.put(keys::FORMAT, &row);
        rows.write(batch, true).map_err(|error| refused(&error))?;
        return Ok(id);
    };
    let format = row
        .get(..4)
        .map(|it| u32::from_be_bytes(super::batch::array(it)));
    match (format, keys::number(&row, 4)) {
        (Some(format), Some(id)) if format <= FORMAT => Ok(id),
        (Some(format), Some(_)) => Err(LogError::Refused(format!(
            "the log has format {format}, and this program knows formats up to {FORMAT}; start a \
             newer program, or choose an empty directory"
        ))),
        _ => Err(damaged("its format")),
    }
}

/// Compares the end of the log with what the anchor remembers.
fn anchored(database: &Database, log_id: u64, sequence: u64) -> Result<Anchor, LogError> {
    let directory = database.directory();
    let opened = Anchor::open(directory, log_id);
    let (anchor, remembered) = opened.map_err(|error| unusable(directory, &error))?;
    let Some(remembered) = remembered.filter(|remembered| *remembered > sequence) else {
        return Ok(anchor);
    };
    Err(LogError::Refused(format!(
        "the log ends with commit {sequence} although commit {remembered} was acknowledged: its \
         files are damaged or incomplete; restore the data directory from a backup and check the \
         disk, or accept the loss by deleting {}",
        anchor.path().display()
    )))
}

fn unusable(directory: &Path, error: &io::Error) -> LogError {
    LogError::Refused(format!(
        "the anchor of the log in {} cannot be used: {error}; give a directory that this user may \
         write to",
        directory.display()
    ))
}

fn load_topics(rows: &Keyspace) -> Result<Topics, LogError> {
    let topics = Topics::default();
    for (key, value) in table(rows, keys::TOPIC)? {
        let name = String::from_utf8(key[1..].to_vec()).map_err(|_| damaged("a topic's name"))?;
        let topic = Topic::from_row(&name, &value).ok_or_else(|| damaged("a topic"))?;
        for partition in &topic.partitions {
            load_partition(rows, partition)?;
        }
        topics.insert(&name, topic);
    }
    Ok(topics)
}

fn load_partition(rows: &Keyspace, partition: &Partition) -> Result<(), LogError> {
    let id = partition.id;
    let start = rows.get(&keys::of_partition(keys::START, id));
    let start = start.map_err(|error| refused(&error))?;
    let mut state = partition.state();
    state.first = start
        .map_or(Some(0), |row| keys::offset(&row, 0))
        .ok_or_else(|| damaged("the start of a partition"))?;
    let last = around(rows, keys::BATCH, id, i64::MAX)?;
    let Some((_, last)) = last else {
        state.end = state.first;
        return Ok(());
    };
    let last = read_header(&last).map_err(damaged)?;
    state.end = last.next;
    state.time_ms = last.time_ms;
    let closed = around(rows, keys::SEGMENT, id, i64::MAX)?;
    let closed = match closed {
        Some((base, row)) => {
            Some(Closed::from_row(base, &row).ok_or_else(|| damaged("a segment"))?)
        }
        None => None,
    };
    let base = closed.map_or(state.first, |closed| closed.next);
    let since_ms = match around(rows, keys::BATCH, id, base)? {
        Some((_, first)) => read_header(&first).map_err(damaged)?.time_ms,
        None => 0,
    };
    // How much is in it is not known; what matters is that it is not empty.
    state.segment = Segment {
        base,
        bytes: u64::from(base < state.end),
        since_ms,
    };
    Ok(())
}

/// The last row of a partition at or before an offset: its own offset and its value.
fn around(
    rows: &Keyspace,
    table: u8,
    id: PartitionId,
    offset: i64,
) -> Result<Option<(i64, Vec<u8>)>, LogError> {
    let (from, until) = keys::range(table, id, 0, i64::MAX);
    let at = keys::at_offset(table, id, offset);
    let mut found = None;
    let scanned = rows.scan_around((&from, &until), &at, &mut |key, value| {
        found = keys::offset(key, 9).map(|base| (base, value.to_vec()));
        ControlFlow::Break(())
    });
    scanned.map_err(|error| refused(&error))?;
    Ok(found)
}

fn load_epochs(rows: &Keyspace) -> Result<BTreeMap<String, u64>, LogError> {
    let epochs = table(rows, keys::EPOCH)?.into_iter().map(|(key, value)| {
        let name = String::from_utf8(key[1..].to_vec()).ok()?;
        Some((name, keys::number(&value, 0)?))
    });
    let epochs: Option<BTreeMap<String, u64>> = epochs.collect();
    epochs.ok_or_else(|| damaged("an epoch"))
}

fn load_offsets(rows: &Keyspace) -> Result<BTreeMap<PartitionId, InputPosition>, LogError> {
    let offsets = table(rows, keys::OFFSET)?.into_iter();
    let offsets =
        offsets.map(|(key, value)| Some((keys::partition(&key)?, decode_position(&value)?)));
    let offsets: Option<BTreeMap<PartitionId, InputPosition>> = offsets.collect();
    offsets.ok_or_else(|| damaged("a committed offset"))
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// A small table as a whole.
fn table(rows: &Keyspace, table: u8) -> Result<Rows, LogError> {
    let (from, until) = keys::table(table);
    let mut found = Vec::new();
    let scanned = rows.scan(&from, &until, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| refused(&error))?;
    Ok(found)
}

fn damaged(what: &str) -> LogError {
    LogError::Refused(format!(
        "the log is damaged: {what} cannot be read; restore the data directory from a backup, and \
         check the disk"
    ))
}
