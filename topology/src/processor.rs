//! The contract of a processor: a record in, effects out, no clock and no I/O of its own.

use stagedoor_state::TaskState;

use crate::error::{Failure, TaskError};
use crate::record::{Message, Record, Sink};

/// Turns records into effects. One instance per task; called by one thread at a time.
///
/// Everything it does goes through the [`Context`]: state changes and forwarded messages become
/// real together at the next commit, or not at all. It must be deterministic: the same records on
/// the same state give the same bytes, because replay from offset 0 is a promise.
pub trait Processor: Send {
    /// Handles one record.
    ///
    /// # Errors
    /// [`TaskError::Undecodable`] sends the record to the dead-letter topic; the others are
    /// handled as their names say.
    fn process(&mut self, record: &Record<'_>, context: &mut Context<'_>) -> Result<(), TaskError>;

    /// Handles one due timer, given as the key bytes of its entry in the timer index.
    ///
    /// It must change the row that the entry derives from, so that the entry goes away or moves
    /// to a later deadline.
    ///
    /// # Errors
    /// As for [`Processor::process`].
    fn fire(&mut self, timer: &[u8], context: &mut Context<'_>) -> Result<(), TaskError>;

    /// Answers a record whose unit was rolled back, as far as it can be answered at all.
    ///
    /// # Errors
    /// As for [`Processor::process`]; a second failure leaves the record without an answer.
    fn answer_failure(
        &mut self,
        record: &Record<'_>,
        failure: &Failure,
        context: &mut Context<'_>,
    ) -> Result<(), TaskError>;
}

/// A forwarded message with its sink, in the order of forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Where it goes.
    pub sink: Sink,
    /// What goes there.
    pub message: Message,
}

/// What a processor may touch while it handles one unit.
pub struct Context<'a> {
    /// The task's stores: committed state under an overlay of this batch's changes.
    pub state: &'a mut TaskState,
    time_ms: i64,
    forwarded: &'a mut Vec<Forwarded>,
}

impl<'a> Context<'a> {
    /// A context at a log time. The runtime makes one per unit; harnesses may make their own.
    pub fn new(state: &'a mut TaskState, time_ms: i64, forwarded: &'a mut Vec<Forwarded>) -> Self {
        Self {
            state,
            time_ms,
            forwarded,
        }
    }

    /// Log time of this unit in milliseconds: never goes back within a task.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Sends a message to a sink, in the transaction of this unit.
    pub fn forward(&mut self, sink: Sink, message: Message) {
        self.forwarded.push(Forwarded { sink, message });
    }
}
