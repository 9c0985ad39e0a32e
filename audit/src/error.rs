//! Why an audit could not be made. What it found wrong is in the report and never an error.

use stagedoor_avro::AvroError;
use stagedoor_state::StateError;
use stagedoor_topology::TaskError;
use stagedoor_topology::log::LogError;

/// The audit could not read something, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A topic cannot be read.
    #[error("cannot read the log: {0}")]
    Log(#[from] LogError),
    /// A topic was not read to its end in time.
    #[error("the topic {topic} was not read to its end in two minutes; look at the broker")]
    TooSlow {
        /// Its full name.
        topic: String,
    },
    /// A store cannot be read.
    #[error("cannot read a store: {0}")]
    State(#[from] StateError),
    /// The replay met what stops a task.
    #[error("the replay of {partition} stopped at {offset}: {reason}")]
    Replay {
        /// Partition of the command topic.
        partition: i32,
        /// Offset of the record.
        offset: i64,
        /// What the task would have stopped with.
        reason: TaskError,
    },
    /// The record of the runtime cannot be read.
    #[error("a position or checkpoint cannot be read: {0}")]
    Position(#[from] AvroError),
    /// The topology has no such sub-topology.
    #[error("the topology has no sub-topology {0:?}; audit the version that wrote the topics")]
    Unknown(&'static str),
}
