//! The changelogs of one task: the state that they restore, and the last position.

use std::ops::ControlFlow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stagedoor_state::{
    ChangelogKind, Digest, MemoryDatabase, ReadState as _, StateError, StorageProvider as _,
    StoreKind, StoreSet, TaskState,
};
use stagedoor_topology::log::{InputPosition, Isolation};
use stagedoor_topology::{POSITION_KEY, Position, SubTopology, TopicNaming};

use crate::error::AuditError;
use crate::read::Source;
use crate::report::Place;

/// What the changelogs of one task hold besides their rows.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The end of the compacted changelog.
    pub(crate) end: Option<Place>,
    /// The last position, and where it stands.
    pub(crate) position: Option<(Position, Place)>,
    /// The first record after the last position: part of a torn set.
    pub(crate) torn: Option<Place>,
    /// Nothing was written while both changelogs were read, so they belong to one position.
    pub(crate) at_rest: bool,
    /// Where the compacted changelog ended.
    pub(crate) next_offset: i64,
    /// Records that were read.
    pub(crate) read: u64,
}

impl Contents {
    /// Reads both changelogs of a task, and gives the state that they restore. Its indexes are not
    /// built, because none is in a topic.
    pub(crate) fn read(
        source: &Source<'_>,
        naming: &TopicNaming,
        part: &SubTopology,
        partition: i32,
    ) -> Result<(Self, TaskState), AuditError> {
        let (mut contents, mut restore) = (Self::default(), Restore::new(&part.stores)?);
        let topic: Arc<str> = naming.changelog(part.name).into();
        let ends = source.ends(Isolation::ReadCommitted, &topic, &[partition])?;
        contents.next_offset = ends.get(&partition).map_or(0, |(_, next)| *next);
        source.read(&topic, &ends, &mut |record| {
            contents.read += 1;
            let (offset, key) = (record.offset, record.key.unwrap_or_default());
            contents.take(&topic, (partition, offset), key, record.value)?;
            match key {
                POSITION_KEY => Ok(()),
                _ => restore.row(key, record.value),
            }
        })?;
        let window = naming.window_changelog(part.name);
        let ends = source.ends(Isolation::ReadCommitted, &window, &[partition])?;
        source.read(&window, &ends, &mut |record| {
            contents.read += 1;
            restore.row(record.key.unwrap_or_default(), record.value)
        })?;
        contents.at_rest = contents.is_unchanged(source, &topic, partition)?;
        Ok((contents, restore.finish()?))
    }

    /// Whether the changelog still ends where it was read to, uncommitted records included.
    pub(crate) fn is_unchanged(
        &self,
        source: &Source<'_>,
        topic: &str,
        partition: i32,
    ) -> Result<bool, AuditError> {
        let ends = source.ends(Isolation::ReadUncommitted, topic, &[partition])?;
        Ok(ends.values().all(|(_, next)| *next == self.next_offset))
    }

    /// Takes one record of the compacted changelog, of which only positions matter here.
    pub(crate) fn take(
        &mut self,
        topic: &Arc<str>,
        (partition, offset): (i32, i64),
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), AuditError> {
        let place = || Place::new(Arc::clone(topic), partition, offset);
        match value {
            Some(value) if key == POSITION_KEY => {
                self.position = Some((stagedoor_avro::decode(value)?, place()));
                self.torn = None;
            }
            // A tombstone in the position's place says the same as a row behind it.
            _ if self.torn.is_none() => self.torn = Some(place()),
            _ => {}
        }
        match &mut self.end {
            Some(end) => end.offset = offset,
            None => self.end = Some(place()),
        }
        Ok(())
    }

    /// The input position that the rows belong to.
    pub(crate) fn input(&self) -> InputPosition {
        let position = self.position.as_ref();
        position.map_or_else(InputPosition::default, |(position, _)| position.input())
    }

    /// Log time of the last position: windowed rows past it do not count.
    pub(crate) fn time_ms(&self) -> i64 {
        let position = self.position.as_ref();
        position.map_or(0, |(position, _)| position.stream_time_ms)
    }

    /// The input log's part of the stamps, if a position names it.
    pub(crate) fn log_id(&self) -> Option<u64> {
        let (position, _) = self.position.as_ref()?;
        let id = position.source_topic_id.as_bytes().first_chunk::<8>()?;
        Some(u64::from_be_bytes(*id))
    }

    /// The digest of a state as far as these rows can be compared with it. Changelogs that were
    /// written to while they were read are two moments, of which only the first has a position.
    pub(crate) fn digest_of(&self, state: &TaskState) -> Result<Digest, StateError> {
        match self.at_rest {
            true => state.digest(self.time_ms()),
            false => digest_of_compacted(state),
        }
    }
}

/// The digest of the rows of stores that are not windowed.
fn digest_of_compacted(state: &TaskState) -> Result<Digest, StateError> {
    let (mut hash, mut rows) = (Sha256::new(), 0);
    for (id, _, kind) in state.stores().list() {
        if kind != StoreKind::Store(ChangelogKind::Compacted) {
            continue;
        }
        state.scan_bytes(&[id], &[id + 1], &mut |key, value| {
            rows += 1;
            for bytes in [key, value] {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
            ControlFlow::Continue(())
        })?;
    }
    let hash = hash.finalize().into();
    Ok(Digest { rows, hash })
}

/// Rows on their way from a changelog to a state in memory.
pub(crate) struct Restore {
    state: TaskState,
    bytes: Vec<u8>,
    /// Where keys end in the bytes, and where their values end, if they have some.
    rows: Vec<(usize, Option<usize>)>,
}

/// Rows that go into the state at once.
const ROWS_PER_BATCH: usize = 1_000;

impl Restore {
    /// Into an empty state.
    pub(crate) fn new(stores: &Arc<StoreSet>) -> Result<Self, AuditError> {
        let storage = MemoryDatabase::new().storage("restored")?;
        Ok(Self {
            state: TaskState::new(storage, Arc::clone(stores))?,
            bytes: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// The next record of a changelog.
    pub(crate) fn row(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), AuditError> {
        self.bytes.extend_from_slice(key);
        let end_of_key = self.bytes.len();
        self.bytes.extend_from_slice(value.unwrap_or_default());
        let end_of_value = value.map(|_| self.bytes.len());
        self.rows.push((end_of_key, end_of_value));
        if self.rows.len() == ROWS_PER_BATCH {
            self.write()?;
        }
        Ok(())
    }

    /// The state that the rows give.
    pub(crate) fn finish(mut self) -> Result<TaskState, AuditError> {
        self.write()?;
        Ok(self.state)
    }

    fn write(&mut self) -> Result<(), AuditError> {
        let (bytes, mut at) = (&self.bytes, 0);
        let mut rows = self.rows.iter().map(|(end_of_key, end_of_value)| {
            let key = &bytes[at..*end_of_key];
            at = end_of_value.unwrap_or(*end_of_key);
            (key, end_of_value.map(|end| &bytes[*end_of_key..end]))
        });
        self.state.restore_bulk(&mut rows, &[])?;
        self.bytes.clear();
        self.rows.clear();
        Ok(())
    }
}
