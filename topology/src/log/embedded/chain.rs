//! The chain of commits: a numbered link per write of the log, without a gap.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use stagedoor_state::{Keyspace, StateError};

use super::{Shared, keys, refused};
use crate::log::LogError;

/// Bytes between two flushes, each of which cuts the chain.
const BYTES_PER_FLUSH: u64 = 32 << 20;

/// Links between two flushes: an idle log grows by small commits, and a start walks its chain.
const LINKS_PER_FLUSH: u64 = 100_000;

/// First and last link of an unbroken chain; the last is 0 in a new log.
pub(super) fn check(rows: &Keyspace) -> Result<(u64, u64), LogError> {
    let start = rows
        .get(keys::CHAIN_START)
        .map_err(|error| refused(&error))?;
    let start = start.and_then(|row| keys::number(&row, 0));
    let (from, until) = keys::table(keys::CHAIN);
    let mut expected = start.unwrap_or(1);
    let mut broken = None;
    rows.scan(&from, &until, &mut |key, _| {
        let found = keys::number(key, 1).unwrap_or_default();
        if found < expected {
            // Older than the start: a cut that has not reached the files yet.
            return ControlFlow::Continue(());
        }
        if found > expected {
            broken = Some(found);
            return ControlFlow::Break(());
        }
        expected += 1;
        ControlFlow::Continue(())
    })
    .map_err(|error| refused(&error))?;
    let first = start.unwrap_or(1);
    // The start is itself a link that was there when the chain was cut.
    if let Some(found) = broken.or((start == Some(expected)).then_some(expected)) {
        return Err(LogError::Refused(format!(
            "the log is damaged: its commits before {found} are missing from {expected} on; \
             restore the data directory from a backup, and check the disk"
        )));
    }
    Ok((first, expected - 1))
}

/// Flushes the log and cuts its chain, now and then.
pub(super) struct Cutter {
    /// The last commit before the last flush: links from there on stay.
    flushed: u64,
    /// Bytes written before the last flush.
    bytes: u64,
}

impl Cutter {
    pub(super) fn new(start: u64) -> Self {
        Self {
            flushed: start,
            bytes: 0,
        }
    }

    /// Cuts the chain where enough has been written since the last time.
    pub(super) fn tend(&mut self, shared: &Shared) -> Result<(), StateError> {
        let bytes = shared.written_bytes.load(Ordering::Relaxed);
        let sequence = shared.sequence.load(Ordering::SeqCst);
        let links = sequence.saturating_sub(self.flushed);
        let is_long = links >= LINKS_PER_FLUSH || bytes - self.bytes >= BYTES_PER_FLUSH;
        match is_long {
            true => self.cut(shared, bytes),
            false => Ok(()),
        }
    }

    /// Two flushes back: the manifest can forget the last one only.
    fn cut(&mut self, shared: &Shared, bytes: u64) -> Result<(), StateError> {
        let sequence = shared.sequence.load(Ordering::SeqCst);
        shared.rows.flush()?;
        let mut batch = shared.rows.batch()?;
        batch.put(keys::CHAIN_START, &self.flushed.to_be_bytes());
        batch.delete_range(&keys::link(0), &keys::link(self.flushed));
        shared.rows.write(batch, false)?;
        self.flushed = sequence.max(1);
        self.bytes = bytes;
        Ok(())
    }
}
