//! Where a task stands: the `position` record of its changelog and the checkpoint of its store.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;
use stagedoor_state::{ReadState, TypedRead as _};

use crate::error::TaskError;
use crate::log::InputPosition;

/// Changelog key of the position record: store id 0 is the runtime's own.
pub const POSITION_KEY: &[u8] = b"\0position";

/// Store key of the checkpoint.
pub const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Written as the last changelog record of every transaction in which a task moved. A tombstone in
/// its place says that what is before it proves nothing: a rebuild has begun.
///
/// It lets a restore prove that nothing is missing and nothing is torn, and it names the
/// transactional id that may still have a transaction open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// Offset of the next input record.
    pub next_offset: i64,
    /// Units of that record's turn that are done.
    pub unit: i32,
    /// Stream time: the greatest log-append time seen, in milliseconds.
    pub stream_time_ms: i64,
    /// Transactional id of the writer.
    pub transactional_id: String,
    /// The writer gave the task up in order: it has no transaction open.
    pub handed_over: bool,
    /// Id of the input topic.
    pub source_topic_id: String,
    /// Wall-clock time of the commit in milliseconds, for operators.
    pub committed_at_ms: i64,
}

impl AvroRecord for Position {
    const SCHEMA_ID: u32 = 1;
    const NAME: &'static str = "stagedoor.topology.Position";
}

impl Position {
    /// The input position it stands for.
    #[must_use]
    pub fn input(&self) -> InputPosition {
        InputPosition {
            next_offset: self.next_offset,
            unit: self.unit.unsigned_abs(),
        }
    }
}

/// What a store on disk reflects; written in the same batch as the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    /// Input position of the rows.
    pub position: Position,
    /// Where a restore would go on in the changelog.
    pub changelog_offset: i64,
    /// The same of the window changelog.
    pub window_changelog_offset: i64,
    /// Id of the changelog.
    pub changelog_topic_id: String,
    /// Id of the window changelog.
    pub window_changelog_topic_id: String,
    /// Fingerprint of source and stores of the topology that wrote it.
    pub fingerprint: String,
    /// A restore is under way: the rows are those of no position.
    pub restoring: bool,
}

impl AvroRecord for Checkpoint {
    const SCHEMA_ID: u32 = 4;
    const NAME: &'static str = "stagedoor.topology.Checkpoint";
}

impl Checkpoint {
    /// The checkpoint of a store, or of a snapshot of it; `None` where it was never served.
    ///
    /// # Errors
    /// A store whose checkpoint cannot be read is corrupted.
    pub fn of(state: &dyn ReadState) -> Result<Option<Self>, TaskError> {
        let Some(bytes) = state.meta(CHECKPOINT_KEY)? else {
            return Ok(None);
        };
        let checkpoint = stagedoor_avro::decode(&bytes).map_err(|error| TaskError::Corrupted {
            reason: format!("checkpoint: {error}"),
        })?;
        Ok(Some(checkpoint))
    }
}

/// The input position that a snapshot of a task's store reflects: everything before it is in.
///
/// # Errors
/// A store whose checkpoint cannot be read is corrupted.
pub fn snapshot_position(snapshot: &dyn ReadState) -> Result<Option<InputPosition>, TaskError> {
    Ok(Checkpoint::of(snapshot)?.map(|checkpoint| checkpoint.position.input()))
}
