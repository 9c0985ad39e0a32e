//! Appends of a process outside of transactions: written, or failed, or failed and written.

use super::SimulatedLog;
use super::fault::{Call, Fault};
use crate::log::{AppendDone, Appended, Appender, Haste, LogError, Outgoing};

/// Writes at once.
pub(super) struct SimulatedAppender {
    log: SimulatedLog,
}

impl SimulatedAppender {
    pub(super) fn new(log: SimulatedLog) -> Self {
        Self { log }
    }
}

impl Appender for SimulatedAppender {
    fn append(&self, record: Outgoing<'_>, _haste: Haste, done: AppendDone) {
        let wall_ms = self.log.wall_ms();
        let partition = record.partition;
        done(self.log.call(Call::Append, |state, fault| {
            let offset = state.append(record, wall_ms)?;
            if matches!(fault, Some(Fault::AppendDoubt)) {
                state.count("append in doubt");
                return Err(LogError::Unavailable("the answer was lost".to_owned()));
            }
            Ok(Appended { partition, offset })
        }));
    }
}
