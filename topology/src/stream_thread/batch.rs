//! One batch: records get their turns and effects are produced; while the last commit is under way,
//! records get their turns ahead of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Active, StreamThread};
use crate::commit::Transaction;
use crate::committer::Committer;
use crate::error::TaskError;
use crate::log::Visit;
use crate::record::Record;
use crate::shared::Shared;
use crate::takeover::RunError;
use crate::task::Turn;
use crate::tick::is_tick;
use crate::wiring::TaskId;

/// Longest wait for a record: assignment changes are looked at this often.
const IDLE_WAIT: Duration = Duration::from_millis(100);

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

/// One batch: each record gets its turn as it is visited.
#[derive(Default)]
struct Batch {
    taken: usize,
    started: Option<Duration>,
    /// Since when what it has could be committed: it waits for more from then on.
    ready: Option<Duration>,
    /// It takes no more.
    closed: bool,
    failure: Option<(TaskId, RunError)>,
}

/// What a record's turn needs of its thread.
struct Surroundings<'a> {
    shared: &'a Shared,
    active: &'a mut BTreeMap<TaskId, Active>,
    /// None while the last commit is under way: what is forwarded then is produced after it.
    transaction: Option<&'a mut Transaction>,
    committer: &'a Committer,
}

impl Batch {
    fn visit(&mut self, record: &Record<'_>, with: &mut Surroundings<'_>) -> Visit {
        let visited = self.turn(record, with);
        self.closed |= visited != Visit::Taken;
        let commit_is_in = with.transaction.is_none() && with.committer.has_arrived();
        if commit_is_in && visited == Visit::Taken {
            Visit::Enough
        } else {
            visited
        }
    }

    fn turn(&mut self, record: &Record<'_>, with: &mut Surroundings<'_>) -> Visit {
        let (shared, clock) = (with.shared, &with.shared.config.clock);
        self.started.get_or_insert_with(|| clock.now());
        let mut wirings = shared.wirings.iter();
        let wiring = wirings.find(|wiring| *wiring.input.name == *record.topic);
        let id = wiring.map(|wiring| TaskId {
            sub_topology: wiring.index,
            partition: record.partition,
        });
        let found = id.and_then(|id| Some((id, with.active.get_mut(&id)?)));
        let Some((id, active)) = found else {
            return Visit::Taken;
        };
        let looks = self.taken.is_multiple_of(RECORDS_BETWEEN_LOOKS);
        if looks {
            active.note_lag(record);
        }
        match active.take(record, with.transaction.as_deref_mut()) {
            Ok(Turn::Paused) => Visit::Later,
            Ok(Turn::Done) => {
                self.taken += 1;
                if let Err(error) = self.settle_if_due(with) {
                    self.failure = Some((id, error));
                    return Visit::Enough;
                }
                let config = &shared.config;
                // Where the last commit is under way, this batch cannot be late.
                let late = || {
                    let collected = self.since().map(|at| clock.now().saturating_sub(at));
                    with.transaction.is_some() && collected >= Some(config.commit_interval)
                };
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
    fn settle_if_due(&mut self, with: &mut Surroundings<'_>) -> Result<(), RunError> {
        let stretch = (with.shared.config.max_batch_records / STRETCHES).max(1);
        let Some(transaction) = &mut with.transaction else {
            return Ok(());
        };
        if !self.taken.is_multiple_of(stretch) {
            return Ok(());
        }
        for active in with.active.values_mut() {
            if active.task.state.is_dirty() {
                transaction.send_settled(&mut active.task)?;
            }
        }
        Ok(())
    }

    /// Since when it collects: those whom the last commit answered come back after it.
    fn since(&self) -> Option<Duration> {
        self.started.max(self.ready)
    }

    /// How long it waits for more, of the time in which it collects.
    fn more(&self, collect: Duration, now: Duration) -> Duration {
        match self.since() {
            Some(since) if self.taken > 0 && !self.closed => {
                collect.saturating_sub(now.saturating_sub(since))
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
        let mut batch = Batch::default();
        self.decide_ahead(&mut batch)?;
        if self.transaction.is_none() {
            return Ok(());
        }
        self.produce_ahead()?;
        let collect = collect(self.last_commit_took, self.last_batch);
        let now = || self.shared.config.clock.now();
        let mut wait = match batch.taken {
            0 => self.wait(),
            _ => batch.more(collect, now()),
        };
        loop {
            let goes_on = !batch.closed && self.poll(wait, &mut batch)?;
            wait = batch.more(collect, self.shared.config.clock.now());
            if !goes_on || wait.is_zero() {
                break;
            }
        }
        if batch.taken > 0 {
            self.last_batch = batch.taken;
        }
        metrics::counter!("stagedoor_stream_thread_process_total").increment(batch.taken as u64);
        Ok(())
    }

    /// While the last commit is under way, gives records their turns over what it makes real.
    fn decide_ahead(&mut self, batch: &mut Batch) -> Result<(), RunError> {
        while self.under_way.is_some() {
            let took = !batch.closed && self.poll(Duration::ZERO, batch)?;
            self.look_for_commit(Self::nap(took))?;
            batch.ready = Some(self.shared.config.clock.now());
        }
        Ok(())
    }

    /// Produces what was forwarded while the last commit was under way.
    fn produce_ahead(&mut self) -> Result<(), RunError> {
        if let Some(transaction) = &mut self.transaction {
            for active in self.active.values_mut() {
                transaction.send_outputs(&mut active.task)?;
            }
        }
        Ok(())
    }

    /// Gives what is ready, or comes in time, to a batch. Returns whether it took any and takes more.
    fn poll(&mut self, wait: Duration, batch: &mut Batch) -> Result<bool, RunError> {
        let before = batch.taken;
        let mut with = Surroundings {
            shared: &self.shared,
            active: &mut self.active,
            transaction: self.transaction.as_mut(),
            committer: &self.committer,
        };
        let visit = &mut |record: &Record<'_>| batch.visit(record, &mut with);
        let polled = self.member.poll(wait, visit);
        let failure = batch.failure.take();
        self.corrupted = failure.as_ref().and_then(|(id, error)| {
            let corrupted = matches!(error, RunError::Task(TaskError::Corrupted { .. }));
            Some(*id).filter(|_| corrupted)
        });
        self.changes.extend(polled?);
        // Who must answer the group commits what there is, and takes no more.
        batch.closed |= !self.changes.is_empty();
        failure.map_or(Ok(()), |(_, error)| Err(error))?;
        Ok(batch.taken > before && !batch.closed)
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

    pub(super) fn busy_elsewhere(&self) -> bool {
        !self.arriving.is_empty() || !self.takeovers.is_empty() || !self.rebuilds.is_empty()
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

    /// Gives a record its turn and produces what it forwards, where there is a transaction for it.
    fn take(
        &mut self,
        record: &Record<'_>,
        transaction: Option<&mut Transaction>,
    ) -> Result<Turn, RunError> {
        if record.value.is_some_and(is_tick) {
            self.ticker.came_back(record.timestamp_ms);
        }
        let turn = self.task.turn(record)?;
        if let Some(transaction) = transaction {
            transaction.send_outputs(&mut self.task)?;
        }
        Ok(turn)
    }
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
