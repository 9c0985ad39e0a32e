//! Reads partitions outside of the group: restores, tables, results.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::cursor::Cursor;
use super::partition::{Waiter, deadline};
use crate::log::{LogError, Pace, Reader, TopicPartition, Visit};
use crate::record::Record;

/// A reader with its partitions chosen by hand. Both isolations see the same: what is not
/// committed is not in the log.
pub(super) struct EmbeddedReader {
    shared: Arc<Shared>,
    pace: Pace,
    cursors: Vec<Cursor>,
    waiter: Arc<Waiter>,
    /// The cursor that the next poll begins with.
    turn: usize,
}

impl EmbeddedReader {
    /// A reader of nothing yet.
    pub(super) fn new(shared: &Arc<Shared>, pace: Pace) -> Self {
        Self {
            shared: Arc::clone(shared),
            pace,
            cursors: Vec::new(),
            waiter: Arc::default(),
            turn: 0,
        }
    }

    /// Visits at most `most` records. Returns how many there were.
    fn deliver(
        &mut self,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<usize, LogError> {
        let mut seen = 0;
        for _ in 0..self.cursors.len() {
            if seen >= most {
                break;
            }
            let turn = self.turn % self.cursors.len();
            self.turn = turn + 1;
            self.cursors[turn].visit(&self.shared.rows, &mut |record| {
                visit(record);
                seen += 1;
                if seen < most {
                    Visit::Taken
                } else {
                    Visit::Enough
                }
            })?;
        }
        Ok(seen)
    }

    fn is_at_end(&self) -> bool {
        self.cursors.iter().all(Cursor::is_at_end)
    }
}

impl Reader for EmbeddedReader {
    fn open(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<(), LogError> {
        self.cursors.clear();
        self.turn = 0;
        for (partition, offset) in from {
            let partition = self.shared.topics.partition(topic, *partition)?;
            self.cursors.push(Cursor::new(partition, *offset));
        }
        Ok(())
    }

    fn poll(
        &mut self,
        wait: Duration,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<bool, LogError> {
        let until = deadline(wait);
        loop {
            let seen = self.deliver(most, visit)?;
            let ended = self.is_at_end();
            let in_a_hurry = ended && self.pace == Pace::CatchUp;
            if seen > 0 || most == 0 || in_a_hurry || Instant::now() >= until {
                return Ok(ended);
            }
            let mut cursors = self.cursors.iter();
            if cursors.all(|cursor| cursor.may_sleep(&self.waiter)) {
                self.waiter.sleep_until(until);
            }
        }
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        let found = self
            .shared
            .topics
            .partition(&partition.topic, partition.partition)?;
        Ok(found.bounds())
    }
}
