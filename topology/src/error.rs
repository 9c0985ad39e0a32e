//! The errors of a task, named by their remedy.

use stagedoor_state::StateError;

use crate::wiring::TaskId;

/// Why a task cannot go on with a record, and what follows from it.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Another instance owns the task now: close it and rejoin.
    #[error("the task has moved to another instance")]
    Migrated,
    /// Another thread of this process has not closed the task yet: try again in a moment.
    #[error("the task is not closed yet by its last owner in this process")]
    Locked,
    /// The stored bytes are wrong: wipe the task's store and restore it from its changelog.
    #[error("the store of the task is corrupted: {reason}; it is wiped and restored")]
    Corrupted {
        /// What was found, and where.
        reason: String,
    },
    /// The changelog has lost rows of its owner: rebuild the task from the command log.
    #[error("{reason}")]
    LostRows {
        /// The task.
        task: TaskId,
        /// What was found.
        reason: String,
    },
    /// The record is wrong: dead-letter it and go on.
    #[error("{code}: {reason}")]
    Undecodable {
        /// Short name of the cause, for the dead letter and the metrics.
        code: &'static str,
        /// What was found.
        reason: String,
    },
    /// An invariant is broken: stop the process, since going on would make it worse.
    #[error("{reason}")]
    Fatal {
        /// What was found, and what to do.
        reason: String,
    },
}

impl From<StateError> for TaskError {
    fn from(error: StateError) -> Self {
        if matches!(error, StateError::TaskInUse { .. }) {
            return Self::Locked;
        }
        let reason = error.to_string();
        if matches!(error, StateError::Corrupted { .. }) {
            return Self::Corrupted { reason };
        }
        Self::Fatal { reason }
    }
}

/// Why a unit was rolled back; the cause of its dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Short name: `undecodable`, `panic`, `crash_loop`, `oversize`, or the processor's own.
    pub code: &'static str,
    /// What happened, for people.
    pub reason: String,
}

impl Failure {
    /// A failure with its cause.
    #[must_use]
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}
