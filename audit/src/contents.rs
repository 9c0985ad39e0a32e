//! The changelogs of one task: the rows they leave after compaction, and the last position.

use std::collections::BTreeMap;
use std::sync::Arc;

use stagedoor_state::{MemoryDatabase, StorageProvider as _, StoreSet, TaskState};
use stagedoor_topology::log::Log;
use stagedoor_topology::{POSITION_KEY, Position, TopicNaming};

use crate::error::AuditError;
use crate::load::read_to_end;
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
}

impl Contents {
    /// Reads both changelogs of a task.
    pub(crate) fn read(
        log: &dyn Log,
        naming: &TopicNaming,
        sub_topology: &str,
        partition: i32,
    ) -> Result<Self, AuditError> {
        let mut contents = Self::default();
        let topic: Arc<str> = naming.changelog(sub_topology).into();
        let mut failure = None;
        read_to_end(log, &topic, &[partition], &mut |record| {
            let place = Place::new(Arc::clone(&topic), partition, record.offset);
            let key = record.key.unwrap_or_default();
            if let Err(error) = contents.take(place, key, record.value) {
                failure.get_or_insert(error);
            }
        })?;
        read_to_end(
            log,
            &naming.window_changelog(sub_topology),
            &[partition],
            &mut |record| {
                put(
                    &mut contents.window_rows,
                    record.key.unwrap_or_default(),
                    record.value,
                );
            },
        )?;
        failure.map_or(Ok(contents), Err)
    }

    /// Takes one record of the compacted changelog.
    pub(crate) fn take(
        &mut self,
        place: Place,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), AuditError> {
        if key == POSITION_KEY {
            let position = stagedoor_avro::decode(value.unwrap_or_default())?;
            self.position = Some((position, place.clone()));
            self.torn = None;
        } else {
            put(&mut self.rows, key, value);
            self.torn.get_or_insert_with(|| place.clone());
        }
        self.end = Some(place);
        Ok(())
    }

    /// Log time of the last position: windowed rows past it do not count.
    pub(crate) fn time_ms(&self) -> i64 {
        self.position
            .as_ref()
            .map_or(0, |(position, _)| position.stream_time_ms)
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
}

fn put(rows: &mut Rows, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => rows.insert(key.to_vec(), value.to_vec()),
        None => rows.remove(key),
    };
}
