//! Commits: started here, waited for and stored by the committer, and told of here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Active, StreamThread};
use crate::commit::{self, Ownership, Storing, Transaction};
use crate::committer::{Arrival, Departure};
use crate::output::Output;
use crate::shared::{Committed, Shared};
use crate::takeover::RunError;
use crate::task::Task;

/// Ownership is proven at least this often.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for a commit between two looks for records that can be decided meanwhile.
const NAP: Duration = Duration::from_millis(1);

/// Longest wait at a time for a commit over which nothing is decided.
const WAIT: Duration = Duration::from_millis(100);

/// From this part of the largest batch on, the next one is decided while the commit is under way.
/// To decide fewer takes a moment; and their senders, who come back when they are answered, would
/// be split into two crowds with a commit for each.
const AHEAD: usize = 8;

/// A commit that is under way, and when it began.
pub(super) struct UnderWay(Duration);

impl StreamThread {
    /// Starts to commit what the batch moved; and now and then commits nothing, to prove that the
    /// tasks are ours.
    pub(super) fn commit_if_due(&mut self) -> Result<(), RunError> {
        let moved = self
            .active
            .values()
            .any(|active| active.task.must_write(Ownership::Kept));
        let lease_due = self.since(self.last_commit) >= LEASE_INTERVAL && !self.active.is_empty();
        // Nothing is decided over a commit that says something for the first time, and none of the
        // units that are noted.
        let calm = self
            .active
            .values()
            .all(|active| active.task.announced && !active.task.crash_guard.is_watching());
        let large = self.last_batch >= self.shared.config.max_batch_records / AHEAD;
        match (moved, lease_due) {
            (true, _) if calm && large => self.start_commit(Ownership::Kept, |_| true),
            (true, _) | (_, true) => self.commit(Ownership::Kept, |_| true),
            (false, false) => Ok(()),
        }
    }

    /// Commits, and waits for it.
    pub(super) fn commit(
        &mut self,
        ownership: Ownership,
        of: impl Fn(&Task) -> bool,
    ) -> Result<(), RunError> {
        self.finish_commit()?;
        self.start_commit(ownership, of)?;
        self.finish_commit()
    }

    /// Produces what is left of the batch, seals it and sends the transaction on its way.
    fn start_commit(
        &mut self,
        ownership: Ownership,
        of: impl Fn(&Task) -> bool,
    ) -> Result<(), RunError> {
        let begun = self.shared.config.clock.now();
        let chosen = self.active.values_mut().map(|active| &mut active.task);
        let mut chosen: Vec<&mut Task> = chosen.filter(|task| of(task)).collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let Some(mut transaction) = self.transaction.take() else {
            return Ok(());
        };
        let generation = self.member.generation()?;
        // Without anything to write, the positions alone prove the membership.
        let writes = chosen.iter().any(|task| task.must_write(ownership));
        chosen.retain(|task| !writes || task.must_write(ownership));
        let positions = chosen
            .iter()
            .map(|task| (task.input.clone(), task.position))
            .collect();
        let batches = match writes {
            true => seal(&mut transaction, &mut chosen, ownership)?,
            false => Vec::new(),
        };
        self.under_way = Some(UnderWay(begun));
        Ok(self.committer.depart(Departure {
            transaction,
            positions,
            generation,
            batches,
        })?)
    }

    /// Waits for the commit that is under way, if there is one.
    pub(super) fn finish_commit(&mut self) -> Result<(), RunError> {
        while self.under_way.is_some() {
            self.look_for_commit(WAIT)?;
        }
        Ok(())
    }

    /// Tells of the commit that is under way, if it is in and stored by then.
    pub(super) fn look_for_commit(&mut self, at_most: Duration) -> Result<(), RunError> {
        let Some(arrival) = self.committer.wait(at_most)? else {
            return Ok(());
        };
        match self.under_way.take() {
            Some(under_way) => self.arrived(under_way, arrival),
            None => Ok(()),
        }
    }

    /// How long to look for a commit, where records were decided a moment ago or not.
    pub(super) fn nap(decided: bool) -> Duration {
        if decided { Duration::ZERO } else { NAP }
    }

    fn arrived(
        &mut self,
        UnderWay(begun): UnderWay,
        (transaction, stored): Arrival,
    ) -> Result<(), RunError> {
        for stored in stored? {
            if let Some(active) = self.active.get_mut(&stored.task) {
                let outputs = commit::follow(&mut active.task, &stored);
                publish(&self.shared, active, &outputs)?;
            }
        }
        self.lease.confirm(begun);
        self.last_commit = self.shared.config.clock.now();
        self.last_commit_took = self.last_commit.saturating_sub(begun);
        metrics::counter!("stagedoor_stream_thread_commit_total").increment(1);
        metrics::histogram!("stagedoor_stream_thread_commit_latency_seconds")
            .record(self.last_commit_took.as_secs_f64());
        match transaction.reusable() {
            true => self.transaction = Some(transaction),
            false => {
                tracing::info!("the end of the transaction is suspicious; using a new producer")
            }
        }
        Ok(())
    }

    /// After a failure: whatever becomes of the commit that is under way, the committed positions
    /// will tell. It must be over before the next session asks for them.
    pub(super) fn abandon_commit(&mut self) {
        while self.under_way.is_some() {
            match self.committer.wait(WAIT) {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => self.under_way = None,
            }
        }
    }

    fn since(&self, moment: Duration) -> Duration {
        self.shared.config.clock.now().saturating_sub(moment)
    }
}

/// Produces what is left of the tasks' batches, and seals them.
fn seal(
    transaction: &mut Transaction,
    tasks: &mut [&mut Task],
    ownership: Ownership,
) -> Result<Vec<Storing>, RunError> {
    let ends = transaction.produce(tasks, ownership)?;
    let mut batches = Vec::with_capacity(tasks.len());
    for (task, end) in tasks.iter_mut().zip(ends) {
        task.seal()?;
        batches.extend(transaction.storing(task, end));
    }
    Ok(batches)
}

/// Tells readers and waiters what became real.
pub(super) fn publish(
    shared: &Shared,
    active: &mut Active,
    outputs: &[Output],
) -> Result<(), RunError> {
    let task = &active.task;
    let gauges = &active.gauges;
    let committed = task.committed;
    let position = committed.position.next_offset;
    gauges.position.store(position, Ordering::Relaxed);
    gauges
        .stream_time_ms
        .store(committed.stream_time_ms, Ordering::Relaxed);
    gauges.lag_ms.store(0, Ordering::Relaxed);
    gauges
        .dead_letters
        .store(task.dead_letters, Ordering::Relaxed);
    shared.listener.committed(&Committed {
        sub_topology: task.wiring.part.name,
        partition: task.id.partition,
        position,
        outputs,
    });
    active.ticker.refresh(&active.task)?;
    Ok(())
}
