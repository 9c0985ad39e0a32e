//! Where a task stands: the `position` record of its changelog and the checkpoint of its store.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;
use stagedoor_state::{ReadState, TypedRead as _};

use crate::log::InputPosition;

/// Changelog key of the position record: store id 0 is the runtime's own.
pub const POSITION_KEY: &[u8] = b"\0position";

/// Store key of the checkpoint.
pub(crate) const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Written as the last changelog record of every transaction in which a task moved.
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
pub(crate) struct Checkpoint {
    pub(crate) position: Position,
    pub(crate) changelog_offset: i64,
    pub(crate) window_changelog_offset: i64,
    pub(crate) changelog_topic_id: String,
    pub(crate) window_changelog_topic_id: String,
    pub(crate) fingerprint: String,
    pub(crate) restoring: bool,
}

impl AvroRecord for Checkpoint {
    const SCHEMA_ID: u32 = 4;
    const NAME: &'static str = "stagedoor.topology.Checkpoint";
}

/// The input position that a snapshot of a task's store reflects: everything before it is in.
///
/// # Errors
/// A store whose checkpoint cannot be read is corrupted.
pub fn snapshot_position(
    snapshot: &dyn ReadState,
) -> Result<Option<InputPosition>, crate::TaskError> {
    let Some(bytes) = snapshot.meta(CHECKPOINT_KEY)? else {
        return Ok(None);
    };
    let checkpoint: Checkpoint =
        stagedoor_avro::decode(&bytes).map_err(|error| crate::TaskError::Corrupted {
            reason: format!("checkpoint: {error}"),
        })?;
    Ok(Some(checkpoint.position.input()))
}
