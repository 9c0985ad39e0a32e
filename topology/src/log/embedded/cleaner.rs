//! The thread that keeps the log small: retention, compaction, and the cut of the chain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use stagedoor_state::StateError;

use super::chain::Cutter;
use super::compaction;
use super::retention;
use super::{Shared, topics::Topic};

/// How much the thread steps back behind those that answer somebody.
const NICE: i32 = 10;

/// Wakes the cleaner when it is to end.
#[derive(Default)]
pub(super) struct Bell {
    stopped: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn stop(&self) {
        *self.stopped.lock() = true;
        self.rung.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.lock()
    }

    /// Waits for a while. Returns whether to go on.
    fn wait(&self, length: Duration) -> bool {
        let deadline = Instant::now() + length;
        let mut stopped = self.stopped.lock();
        while !*stopped {
            if self.rung.wait_until(&mut stopped, deadline).timed_out() {
                break;
            }
        }
        !*stopped
    }
}

/// The thread's own state.
pub(super) struct Cleaner {
    shared: Arc<Shared>,
    cutter: Cutter,
}

impl Cleaner {
    pub(super) fn new(shared: Arc<Shared>, chain_start: u64) -> Self {
        Self {
            shared,
            cutter: Cutter::new(chain_start),
        }
    }

    /// Looks for work now and then, until the log is closed.
    pub(super) fn run(mut self) {
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!(%error, "the cleaner of the log runs at full priority");
        }
        while self.shared.cleaner.wait(self.shared.config.clean_interval) {
            if let Err(error) = self.round() {
                tracing::warn!(%error, "cleaning the log; trying again");
            }
        }
    }

    fn round(&mut self) -> Result<(), StateError> {
        for topic in self.shared.topics.all() {
            clean(&self.shared, &topic)?;
        }
        self.cutter.tend(&self.shared)
    }
}

/// Deletes and compacts what the settings of a topic say.
pub(super) fn clean(shared: &Shared, topic: &Topic) -> Result<(), StateError> {
    for partition in &topic.partitions {
        if shared.cleaner.is_stopped() {
            return Ok(());
        }
        if topic.is_deleted() {
            retention::delete_old(shared, topic, partition)?;
        }
        if topic.is_compacted() {
            compaction::compact(shared, topic, partition)?;
        }
    }
    Ok(())
}
