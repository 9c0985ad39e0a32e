//! The changelogs of one task: the rows they leave after compaction, and the last position.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stagedoor_state::{
    ChangelogKind, Digest, MemoryDatabase, ReadState as _, StateError, StorageProvider as _,
    StoreKind, StoreSet, TaskState,
};
use stagedoor_topology::log::{InputPosition, Isolation};
use stagedoor_topology::{POSITION_KEY, Position, TopicNaming};

use crate::error::AuditError;
use crate::read::Source;
use crate::report::Place;

/// Rows by their key in the changelog.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the changelogs of one task hold.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The end of the compacted changelog.
    pub(crate) end: Option<Place>,
    pub(crate) rows: Rows,
    pub(crate) window_rows: Rows,
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
    /// Reads both changelogs of a task.
    pub(crate) fn read(
        source: &Source<'_>,
        naming: &TopicNaming,
        sub_topology: &str,
        partition: i32,
    ) -> Result<Self, AuditError> {
        let mut contents = Self::default();
        let topic: Arc<str> = naming.changelog(sub_topology).into();
        let ends = source.ends(Isolation::ReadCommitted, &topic, &[partition])?;
        contents.next_offset = ends.get(&partition).map_or(0, |(_, next)| *next);
        source.read(&topic, &ends, &mut |record| {
            let place = Place::new(Arc::clone(&topic), partition, record.offset);
            contents.read += 1;
            contents.take(place, record.key.unwrap_or_default(), record.value)
        })?;
        let window = naming.window_changelog(sub_topology);
        let ends = source.ends(Isolation::ReadCommitted, &window, &[partition])?;
        source.read(&window, &ends, &mut |record| {
            let key = record.key.unwrap_or_default();
            contents.read += 1;
            put(&mut contents.window_rows, key, record.value);
            Ok(())
        })?;
        contents.at_rest = contents.is_unchanged(source, &topic, partition)?;
        Ok(contents)
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

    /// Takes one record of the compacted changelog.
    pub(crate) fn take(
        &mut self,
        place: Place,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), AuditError> {
        match value {
            Some(value) if key == POSITION_KEY => {
                self.position = Some((stagedoor_avro::decode(value)?, place.clone()));
                self.torn = None;
            }
            _ => {
                put(&mut self.rows, key, value);
                self.torn.get_or_insert_with(|| place.clone());
            }
        }
        self.end = Some(place);
        Ok(())
    }

    /// Frees the memory of the rows; the rest is still known.
    pub(crate) fn forget_rows(&mut self) {
        self.rows = Rows::new();
        self.window_rows = Rows::new();
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

    /// A state in memory that was restored from these rows.
    pub(crate) fn restored(&self, stores: &Arc<StoreSet>) -> Result<TaskState, AuditError> {
        let storage = MemoryDatabase::new().storage("restored")?;
        let mut state = TaskState::new(storage, Arc::clone(stores))?;
        let rows = self.rows.iter().chain(&self.window_rows);
        let mut rows = rows.map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
        state.restore_bulk(&mut rows, &[])?;
        state.rebuild_indexes()?;
        Ok(state)
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

fn put(rows: &mut Rows, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => rows.insert(key.to_vec(), value.to_vec()),
        None => rows.remove(key),
    };
}
