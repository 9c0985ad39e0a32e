//! When a task's owner has to put time into the log.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::TaskError;
use crate::log::{Appender, Haste, Outgoing};
use crate::task::Task;
use crate::tick::Tick;

/// At most ten Ticks a second per partition.
const SPACING: Duration = Duration::from_millis(100);

/// Watches the earliest deadline of one task.
pub(crate) struct Ticker {
    deadline_ms: Option<i64>,
    not_before: Duration,
    clock: Arc<dyn Clock>,
}

impl Ticker {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            deadline_ms: None,
            not_before: clock.now(),
            clock,
        }
    }

    /// Looks the deadline up again, after a commit.
    pub(crate) fn refresh(&mut self, task: &Task) -> Result<(), TaskError> {
        self.deadline_ms = task.next_deadline()?;
        Ok(())
    }

    /// A Tick came back with the broker's time: if that is before the deadline, this clock is
    /// ahead, and the next Tick waits the difference.
    pub(crate) fn came_back(&mut self, timestamp_ms: i64) {
        let Some(deadline_ms) = self.deadline_ms else {
            return;
        };
        let early = u64::try_from(deadline_ms - timestamp_ms).unwrap_or(0);
        self.not_before = self
            .not_before
            .max(self.clock.now() + Duration::from_millis(early));
    }

    /// How long nothing is due.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let until_due = u64::try_from(self.deadline_ms? - self.clock.wall_ms()).unwrap_or(0);
        let until_allowed = self.not_before.saturating_sub(self.clock.now());
        Some(Duration::from_millis(until_due).max(until_allowed))
    }

    /// Appends a Tick if one is due. It is outside of the transaction: it changes nothing but the
    /// time, so a second one does no harm, and an open transaction on the command topic would hold
    /// back its reader.
    pub(crate) fn tick(&mut self, task: &Task, appender: &dyn Appender) -> Result<(), TaskError> {
        if self.wait().is_none_or(|wait| !wait.is_zero()) {
            return Ok(());
        }
        self.not_before = self.clock.now() + SPACING;
        let tick = Tick::signed(&task.wiring.secret, &task.input, 0);
        let value = tick.encode().map_err(|error| TaskError::Fatal {
            reason: format!("tick: {error}"),
        })?;
        let record = Outgoing {
            topic: &task.input.topic,
            partition: task.input.partition,
            key: None,
            value: Some(&value),
            headers: &[],
        };
        appender.append(
            record,
            Haste::Prompt,
            Box::new(|result| {
                if let Err(error) = result {
                    tracing::debug!(%error, "a Tick was not appended; the next one will be");
                }
            }),
        );
        Ok(())
    }
}
