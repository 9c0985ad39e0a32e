//! Reads one partition in order: at its end from memory, before that from the database.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use stagedoor_state::Keyspace;

use super::batch::{Batch, HEADER};
use super::keys;
use super::partition::{Partition, Waiter};
use crate::log::{LogError, Visit};
use crate::record::Record;

/// Bytes that one look into the database brings.
const AHEAD: usize = 1 << 20;

/// A place in a partition.
pub(super) struct Cursor {
    pub(super) partition: Arc<Partition>,
    next: i64,
    /// Nothing was read yet, and the oldest record will do.
    from_oldest: bool,
    /// The batch that is being read, and the place of the next record in its bytes.
    batch: Option<(Arc<Batch>, usize)>,
    ahead: VecDeque<Arc<Batch>>,
}

impl Cursor {
    /// Before the record at an offset; at offset 0 before the oldest that is still there.
    pub(super) fn new(partition: Arc<Partition>, next: i64) -> Self {
        Self {
            partition,
            next,
            from_oldest: next == 0,
            batch: None,
            ahead: VecDeque::new(),
        }
    }

    /// Whether everything was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.next >= self.partition.bounds().1
    }

    /// Has a waiter woken by more records, unless there are some. Returns whether it may sleep.
    pub(super) fn may_sleep(&self, waiter: &Arc<Waiter>) -> bool {
        self.partition.may_sleep(self.next, waiter)
    }

    /// Visits records until the visitor has enough or none is left. Returns its last word.
    pub(super) fn visit(
        &mut self,
        rows: &Keyspace,
        visit: &mut dyn FnMut(&Record<'_>) -> Visit,
    ) -> Result<Visit, LogError> {
        loop {
            let (batch, place) = match self.batch.take() {
                Some(at) => at,
                None => match self.fetch(rows)? {
                    Some(batch) => (batch, HEADER),
                    None => return Ok(Visit::Taken),
                },
            };
            match self.walk(batch, place, visit) {
                Visit::Taken => {}
                last @ (Visit::Later | Visit::Enough) => return Ok(last),
            }
        }
    }

    /// Visits the records of one batch.
    fn walk(
        &mut self,
        batch: Arc<Batch>,
        mut place: usize,
        visit: &mut dyn FnMut(&Record<'_>) -> Visit,
    ) -> Visit {
        let name = &self.partition.name;
        while let Some((record, after)) = batch.record(place) {
            if record.offset >= self.next {
                match record.show(&name.topic, name.partition, &mut *visit) {
                    Visit::Later => {
                        self.batch = Some((batch, place));
                        return Visit::Later;
                    }
                    Visit::Enough => {
                        self.next = record.offset + 1;
                        self.batch = Some((batch, after));
                        return Visit::Enough;
                    }
                    Visit::Taken => self.next = record.offset + 1,
                }
            }
            place = after;
        }
        self.next = batch.header.next;
        Visit::Taken
    }

    /// The batch that covers the next offset; none at the end.
    fn fetch(&mut self, rows: &Keyspace) -> Result<Option<Arc<Batch>>, LogError> {
        if let Some(batch) = self.ahead.pop_front() {
            return Ok(Some(batch));
        }
        let state = self.partition.state();
        if std::mem::take(&mut self.from_oldest) {
            self.next = self.next.max(state.first);
        }
        if self.next < state.first || self.next > state.end {
            return Err(LogError::OutOfRange(self.partition.name.clone()));
        }
        if self.next == state.end {
            return Ok(None);
        }
        if let Some(batch) = state.in_tail(self.next) {
            return Ok(Some(batch));
        }
        let end = state.end;
        drop(state);
        self.read_ahead(rows, end)?;
        match self.ahead.pop_front() {
            Some(batch) => Ok(Some(batch)),
            None => Err(self.missing(self.next)),
        }
    }

    /// Reads some batches from the database, of those that are published.
    fn read_ahead(&mut self, rows: &Keyspace, end: i64) -> Result<(), LogError> {
        let id = self.partition.id;
        let (from, until) = keys::range(keys::BATCH, id, 0, end);
        let at = keys::at_offset(keys::BATCH, id, self.next);
        let (mut bytes, mut next, mut problem) = (0, self.next, None);
        let ahead = &mut self.ahead;
        rows.scan_around((&from, &until), &at, &mut |_, value| {
            let batch = match Batch::read(value.to_vec()) {
                Ok(batch) => batch,
                Err(reason) => {
                    problem = Some(reason);
                    return ControlFlow::Break(());
                }
            };
            if batch.header.base > next || batch.header.next <= next {
                return ControlFlow::Break(());
            }
            next = batch.header.next;
            bytes += value.len();
            ahead.push_back(Arc::new(batch));
            match bytes >= AHEAD {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .map_err(|error| super::refused(&error))?;
        match problem.filter(|_| ahead.is_empty()) {
            Some(reason) => Err(LogError::Refused(format!(
                "the batch at offset {} of {} is damaged: {reason}; restore the data directory \
                 from a backup, and check the disk",
                self.next, self.partition.name
            ))),
            None => Ok(()),
        }
    }

    /// Retention may have been faster; otherwise the database has lost it.
    fn missing(&self, offset: i64) -> LogError {
        let name = &self.partition.name;
        if offset < self.partition.bounds().0 {
            return LogError::OutOfRange(name.clone());
        }
        LogError::Refused(format!(
            "the batch at offset {offset} of {name} is missing; restore the data directory from a \
             backup, and check the disk"
        ))
    }
}
