//! Why an audit could not be made. What it found wrong is in the report and never an error.

use std::path::PathBuf;

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
    /// A topic gave nothing for a long time.
    #[error("the topic {topic} gave no record for two minutes before its end; look at the broker")]
    TooSlow {
        /// Its full name.
        topic: String,
    },
    /// A command partition has lost its start.
    #[error(
        "{topic}-{partition} starts at {start} and not at 0, so nothing can be replayed; bring \
         the older records back, or leave the partition out with --partitions"
    )]
    Cut {
        /// Full name of the command topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Its first offset.
        start: i64,
    },
    /// A partition that is not there.
    #[error("there is no partition {partition}; {topic} has partitions 0 to {last}")]
    NoPartition {
        /// Full name of the command topic.
        topic: String,
        /// What was asked for.
        partition: i32,
        /// The last one.
        last: i32,
    },
    /// Temporary space cannot be used.
    #[error(
        "temporary space in {} cannot be used: {source}; give another directory (it takes as much \
         as the outputs that are audited) or more memory", directory.display()
    )]
    Spill {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
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
    #[error("a position cannot be read: {0}")]
    Position(#[from] AvroError),
    /// A checkpoint of a store cannot be read.
    #[error("cannot read a store: {0}")]
    Checkpoint(#[from] TaskError),
    /// The topology has no such sub-topology.
    #[error("the topology has no sub-topology {0:?}; audit the version that wrote the topics")]
    Unknown(&'static str),
}
