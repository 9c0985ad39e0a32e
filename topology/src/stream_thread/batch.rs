//! One batch: records get their turns, effects are produced, the commit makes them real.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Active, StreamThread};
use crate::commit::{self, Ownership, Transaction};
use crate::error::TaskError;
use crate::log::Visit;
use crate::record::Record;
use crate::shared::{Committed, Shared};
use crate::takeover::RunError;
use crate::task::{Task, Turn};
use crate::tick::is_tick;
use crate::wiring::TaskId;

/// Longest wait for a record: assignment changes are looked at this often.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// Ownership is proven at least this often.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);

/// A batch waits for more this part of what the last commit took: those whom it answered come back
/// together, and whoever is a moment late would wait for a whole commit.
const COLLECTED: u32 = 8;

/// Longest wait for more.
const LONGEST_COLLECTED: Duration = Duration::from_millis(20);

/// Records of a batch that make a crowd: the next one waits for all of what the commit took.
const CROWD: u32 = 512;

/// How many records get their turns between two looks at the clock: a fraction of a millisecond.
const RECORDS_BETWEEN_LOOKS: usize = 8;

/// How many times settled rows of the largest batch are sent ahead.
const STRETCHES: usize = 16;

/// One batch on its way: each record gets its turn as it is visited.
struct Batch<'a> {
    shared: &'a Shared,
    active: &'a mut BTreeMap<TaskId, Active>,
    transaction: &'a mut Transaction,
    taken: usize,
    started: Option<Duration>,
    /// It takes no more.
    closed: bool,
    failure: Option<(TaskId, RunError)>,
}

impl<'a> Batch<'a> {
    fn new(
        shared: &'a Shared,
        active: &'a mut BTreeMap<TaskId, Active>,
        transaction: &'a mut Transaction,
    ) -> Self {
        Self {
            shared,
            active,
            transaction,
            taken: 0,
            started: None,
            closed: false,
            failure: None,
        }
    }

    fn visit(&mut self, record: &Record<'_>) -> Visit {
        let visited = self.turn(record);
        self.closed |= visited != Visit::Taken;
        visited
    }

    fn turn(&mut self, record: &Record<'_>) -> Visit {
        let clock = &self.shared.config.clock;
        let started = *self.started.get_or_insert_with(|| clock.now());
        let mut wirings = self.shared.wirings.iter();
        let wiring = wirings.find(|wiring| *wiring.input.name == *record.topic);
        let id = wiring.map(|wiring| TaskId {
            sub_topology: wiring.index,
            partition: record.partition,
        });
        let found = id.and_then(|id| Some((id, self.active.get_mut(&id)?)));
        let Some((id, active)) = found else {
            return Visit::Taken;
        };
        let looks = self.taken.is_multiple_of(RECORDS_BETWEEN_LOOKS);
        if looks {
            active.note_lag(record);
        }
        match active.take(record, self.transaction) {
            Ok(Turn::Paused) => Visit::Later,
            Ok(Turn::Done) => {
                self.taken += 1;
                if let Err(error) = self.settle_if_due() {
                    self.failure = Some((id, error));
                    return Visit::Enough;
                }
                let config = &self.shared.config;
                let late = || clock.now().saturating_sub(started) >= config.commit_interval;
                let full = self.taken >= config.max_batch_records || (looks && late());
                if full { Visit::Enough } else { Visit::Taken }
            }
            Err(error) => {
                self.failure = Some((id, error));
                Visit::Enough
            }
        }
    }

    /// Of a large batch, what has settled goes on its way while the rest is decided: otherwise the
    /// commit would wait for all of it at once.
    fn settle_if_due(&mut self) -> Result<(), RunError> {
        let stretch = (self.shared.config.max_batch_records / STRETCHES).max(1);
        if !self.taken.is_multiple_of(stretch) {
            return Ok(());
        }
        for active in self.active.values_mut() {
            if active.task.state.is_dirty() {
                self.transaction.send_settled(&mut active.task)?;
            }
        }
        Ok(())
    }

    /// How long it waits for more, of the time in which it collects.
    fn more(&self, collect: Duration) -> Duration {
        match self.started {
            Some(started) if !self.closed => {
                let now = self.shared.config.clock.now();
                collect.saturating_sub(now.saturating_sub(started))
            }
            _ => Duration::ZERO,
        }
    }
}

/// How long a batch waits for more after one of `records`, whose commit took so long. A commit costs
/// the same for few and for many, so a crowd waits longer and is answered sooner; by the square, so
/// that what comes by a clock is hardly kept waiting.
fn collect(took: Duration, records: usize) -> Duration {
    let crowd = u32::try_from(records).map_or(CROWD, |records| records.min(CROWD));
    let of_crowd = took * crowd.pow(2) / CROWD.pow(2);
    of_crowd.max(took / COLLECTED).min(LONGEST_COLLECTED)
}

impl StreamThread {
    /// Takes what is ready, and what comes a moment later, and gives each record its turn.
    pub(super) fn process_batch(&mut self) -> Result<(), RunError> {
        let mut wait = self.wait();
        let collect = collect(self.last_commit_took, self.last_batch);
        let Some(transaction) = self.transaction.as_mut() else {
            return Ok(());
        };
        let mut batch = Batch::new(&self.shared, &mut self.active, transaction);
        let polled = loop {
            let before = batch.taken;
            let polled = self.member.poll(wait, &mut |record| batch.visit(record));
            wait = batch.more(collect);
            let goes_on = batch.taken > before && !wait.is_zero();
            match polled {
                Ok(changes) if changes.is_empty() && goes_on => {}
                polled => break polled,
            }
        };
        if batch.taken > 0 {
            self.last_batch = batch.taken;
        }
        metrics::counter!("stagedoor_stream_thread_process_total").increment(batch.taken as u64);
        let failure = batch.failure;
        self.corrupted = failure.as_ref().and_then(|(id, error)| {
            let corrupted = matches!(error, RunError::Task(TaskError::Corrupted { .. }));
            Some(*id).filter(|_| corrupted)
        });
        self.changes.extend(polled?);
        failure.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// How long the thread may sleep.
    fn wait(&self) -> Duration {
        let paused = self.active.values().any(|active| active.task.moved());
        if paused || self.busy_elsewhere() {
            return Duration::ZERO;
        }
        let timers = self
            .active
            .values()
            .filter_map(|active| active.ticker.wait());
        timers.min().unwrap_or(IDLE_WAIT).min(IDLE_WAIT)
    }

    fn busy_elsewhere(&self) -> bool {
        !self.arriving.is_empty() || !self.takeovers.is_empty() || !self.rebuilds.is_empty()
    }

    /// Commits what the batch moved; and now and then nothing, to prove that the tasks are ours.
    pub(super) fn commit_if_due(&mut self) -> Result<(), RunError> {
        let moved = self
            .active
            .values()
            .any(|active| active.task.must_write(Ownership::Kept));
        let lease_due = self.since(self.last_commit) >= LEASE_INTERVAL && !self.active.is_empty();
        if moved || lease_due {
            self.commit(Ownership::Kept, |_| true)?;
        }
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        ownership: Ownership,
        of: impl Fn(&Task) -> bool,
    ) -> Result<(), RunError> {
        let Some(transaction) = self.transaction.as_mut() else {
            return Ok(());
        };
        let begun = self.shared.config.clock.now();
        let generation = self.member.generation()?;
        let chosen = self.active.values_mut().filter(|active| of(&active.task));
        let mut chosen: Vec<&mut Active> = chosen.collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let tasks: Vec<&Task> = chosen.iter().map(|active| &active.task).collect();
        let ends = transaction.commit(&tasks, &generation, ownership)?;
        let written = chosen
            .iter_mut()
            .filter(|active| active.task.must_write(ownership));
        for (active, end) in written.zip(ends) {
            commit::apply(&mut active.task, &self.transactional_id, end)?;
            publish(&self.shared, active)?;
        }
        self.lease.confirm(begun);
        self.last_commit = self.shared.config.clock.now();
        self.last_commit_took = self.last_commit.saturating_sub(begun);
        metrics::counter!("stagedoor_stream_thread_commit_total").increment(1);
        metrics::histogram!("stagedoor_stream_thread_commit_latency_seconds")
            .record(self.last_commit_took.as_secs_f64());
        if !transaction.reusable() {
            tracing::info!("the end of the transaction is suspicious; using a new producer");
            self.transaction = None;
        }
        Ok(())
    }

    fn since(&self, moment: Duration) -> Duration {
        self.shared.config.clock.now().saturating_sub(moment)
    }

    pub(super) fn tick(&mut self) -> Result<(), RunError> {
        for active in self.active.values_mut() {
            active.ticker.tick(&active.task, &*self.shared.appender)?;
        }
        Ok(())
    }
}

impl Active {
    fn note_lag(&self, record: &Record<'_>) {
        let lag_ms = self.task.wiring.clock.wall_ms() - record.timestamp_ms;
        self.gauges.lag_ms.store(lag_ms.max(0), Ordering::Relaxed);
    }

    /// Gives a record its turn and produces what it forwards.
    fn take(
        &mut self,
        record: &Record<'_>,
        transaction: &mut Transaction,
    ) -> Result<Turn, RunError> {
        if record.value.is_some_and(is_tick) {
            self.ticker.came_back(record.timestamp_ms);
        }
        let from = self.task.outputs.len();
        let turn = self.task.turn(record)?;
        transaction.send_outputs(&self.task, from)?;
        Ok(turn)
    }
}

/// Tells readers and waiters what became real.
pub(super) fn publish(shared: &Shared, active: &mut Active) -> Result<(), RunError> {
    let task = &mut active.task;
    let gauges = &active.gauges;
    gauges
        .position
        .store(task.position.next_offset, Ordering::Relaxed);
    gauges
        .stream_time_ms
        .store(task.stream_time_ms, Ordering::Relaxed);
    gauges.lag_ms.store(0, Ordering::Relaxed);
    gauges
        .dead_letters
        .store(task.dead_letters, Ordering::Relaxed);
    shared.listener.committed(&Committed {
        sub_topology: task.wiring.part.name,
        partition: task.id.partition,
        position: task.position.next_offset,
        outputs: &task.outputs,
    });
    task.outputs.clear();
    active.ticker.refresh(&active.task)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_waits_longer_for_company_than_a_few_and_nobody_for_long() {
        let took = Duration::from_millis(16);
        assert_eq!(collect(took, 12), took / COLLECTED);
        assert_eq!(collect(took, 256), took / 4);
        assert_eq!(collect(took, 512), took);
        assert_eq!(collect(took, 10_000), took);
        assert_eq!(collect(Duration::from_secs(1), 512), LONGEST_COLLECTED);
    }
}
