//! Tasks that come and go: assignment changes are answered, takeovers and rebuilds moved on.

use std::sync::Arc;
use std::time::Duration;

use super::{Active, StreamThread};
use crate::commit::Ownership;
use crate::error::TaskError;
use crate::log::{Assignment, LogError, TopicPartition};
use crate::rebuild::Rebuild;
use crate::takeover::{Outcome, RunError, Settled, Surroundings, Takeover};
use crate::task::Task;
use crate::ticker::Ticker;
use crate::wiring::TaskId;

/// Pause before a task is asked for again that a sibling has not closed.
const LOCKED_WAIT: Duration = Duration::from_millis(5);

impl StreamThread {
    /// Answers assignment changes, oldest first. Nothing of the tasks is open at this point.
    pub(super) fn rebalance(&mut self) -> Result<(), RunError> {
        match self.changes.front() {
            // What is not ours any more cannot be committed.
            Some(Assignment::Lost(_)) => self.abandon_commit(),
            Some(_) => self.finish_commit()?,
            None => return Ok(()),
        }
        while let Some(change) = self.changes.front().cloned() {
            self.answer(change)?;
            self.changes.pop_front();
        }
        Ok(())
    }

    fn answer(&mut self, change: Assignment) -> Result<(), RunError> {
        match change {
            Assignment::Assigned(partitions) => {
                tracing::info!(count = partitions.len(), "partitions assigned");
                // An empty share is answered too: the group waits for it.
                self.member.accept(&partitions)?;
                self.arriving.extend(partitions);
            }
            Assignment::Revoked(partitions) => {
                tracing::info!(count = partitions.len(), "partitions revoked");
                let handed_over = self.commit(Ownership::HandedOver, |task| {
                    partitions.contains(&task.input)
                });
                if let Err(error) = handed_over {
                    tracing::warn!(%error, "revoked tasks are given up without a last commit");
                    self.transaction = None;
                }
                self.give_up(&partitions)?;
            }
            Assignment::Lost(partitions) => {
                tracing::warn!(count = partitions.len(), "partitions lost");
                // The open transaction holds records of tasks that are not ours any more.
                self.transaction = None;
                self.give_up(&partitions)?;
            }
        }
        Ok(())
    }

    /// Closes the tasks of partitions that are not ours any more.
    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<(), RunError> {
        for input in partitions {
            self.arriving.retain(|arriving| arriving != input);
            let wiring = self
                .shared
                .wirings
                .iter()
                .find(|wiring| wiring.input.name == input.topic);
            let Some(index) = wiring.map(|wiring| wiring.index) else {
                continue;
            };
            let id = TaskId {
                sub_topology: index,
                partition: input.partition,
            };
            self.active.remove(&id);
            self.rebuilds.retain(|rebuild| rebuild.task.id != id);
            for takeover in &mut self.takeovers {
                if takeover.sub_topology() == index {
                    takeover.forget(input.partition);
                }
            }
            self.shared.board.withdraw_rebuild(id);
            self.shared.board.gone(id);
        }
        self.shared.announce();
        Ok(self.member.release(partitions)?)
    }

    /// Sends a task through the takeover again.
    pub(super) fn retake(&mut self, id: TaskId) -> Result<(), RunError> {
        let Some(active) = self.active.remove(&id) else {
            return Ok(());
        };
        let input = active.task.input.clone();
        // It stays here: whoever looks now must not believe that it went to another instance.
        let name = active.task.wiring.part.name;
        self.shared.board.restoring(id, name, &self.lease);
        self.member.hold(&input)?;
        self.arriving.push(input);
        Ok(())
    }

    /// Sends tasks whose rebuild was asked for through a takeover that does not trust their
    /// changelogs: fenced, read and committed positions are compared as at any other takeover.
    /// Nothing of the tasks is open at this point.
    pub(super) fn begin_rebuilds(&mut self) -> Result<(), RunError> {
        if self.shared.board.is_asked() {
            self.finish_commit()?;
        }
        let active = &self.active;
        let asked = self.shared.board.take_asked(|id| active.contains_key(id));
        for id in asked {
            tracing::info!(task = %id, "rebuilding the task, as somebody asked");
            self.retake(id)?;
        }
        Ok(())
    }

    /// Starts takeovers for what arrived, and moves the oldest one on.
    pub(super) fn advance_takeovers(&mut self) -> Result<(), RunError> {
        if self.busy_elsewhere() {
            self.finish_commit()?;
        }
        self.start_takeovers()?;
        if let Some(takeover) = self.takeovers.front_mut() {
            let mut with = Surroundings {
                log: &*self.shared.log,
                member: &mut *self.member,
                transactional_id: &self.transactional_id,
            };
            let outcome = takeover.step(&mut with)?;
            self.shared.board.progress(takeover.restored());
            if let Outcome::Finished(settled) = outcome {
                self.takeovers.pop_front();
                for settled in settled {
                    let input = settled.input();
                    let outcome = self.settled(settled);
                    self.or_again(outcome, input)?;
                }
                self.shared.announce();
            }
            return Ok(());
        }
        let (Some(rebuild), Some(transaction)) =
            (self.rebuilds.front_mut(), self.transaction.as_mut())
        else {
            return Ok(());
        };
        let done = rebuild.step(transaction)?;
        let (replayed, until) = rebuild.progress();
        let board = &self.shared.board;
        board.rebuilding(rebuild.task.id, replayed, until);
        if done && let Some(done) = self.rebuilds.pop_front() {
            let input = done.task.input.clone();
            let outcome = self.serve(done.task);
            self.or_again(outcome, input)?;
        }
        Ok(())
    }

    /// A task that the log did not let start goes through the takeover again; one that must not
    /// start stops the application.
    fn or_again(
        &mut self,
        outcome: Result<(), RunError>,
        input: TopicPartition,
    ) -> Result<(), RunError> {
        match outcome {
            Err(RunError::Log(error)) if !matches!(error, LogError::Refused(_)) => {
                tracing::warn!(%error, %input, "the task cannot start yet; trying again");
                self.arriving.push(input);
                Ok(())
            }
            settled => settled,
        }
    }

    fn start_takeovers(&mut self) -> Result<(), RunError> {
        for wiring in &self.shared.wirings {
            let is_of = |input: &TopicPartition| input.topic == wiring.input.name;
            let partitions: Vec<i32> = self
                .arriving
                .iter()
                .filter(|input| is_of(input))
                .map(|tp| tp.partition)
                .collect();
            if partitions.is_empty() {
                continue;
            }
            for partition in &partitions {
                let id = TaskId {
                    sub_topology: wiring.index,
                    partition: *partition,
                };
                self.shared
                    .board
                    .restoring(id, wiring.part.name, &self.lease);
            }
            let unclean = self.shared.unclean.as_deref();
            let stores = &*self.shared.stores;
            let log = &*self.shared.log;
            let mut takeover = match Takeover::begin(wiring, &partitions, stores, log, unclean) {
                Ok(takeover) => takeover,
                // A sibling was expelled with this thread and has not noticed yet.
                Err(RunError::Task(TaskError::Locked)) => {
                    self.shared.config.clock.sleep(LOCKED_WAIT);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for partition in partitions {
                let id = TaskId {
                    sub_topology: wiring.index,
                    partition,
                };
                if self.shared.board.is_distrusted(id) {
                    takeover.distrust(partition);
                }
            }
            self.takeovers.push_back(takeover);
            self.arriving.retain(|input| !is_of(input));
        }
        Ok(())
    }

    fn settled(&mut self, settled: Settled) -> Result<(), RunError> {
        match settled {
            Settled::Serve(task) => self.serve(*task),
            Settled::Rebuild(part, until) => {
                let rebuild = Rebuild::begin(*part, until, &*self.shared.log)?;
                self.rebuilds.push_back(rebuild);
                Ok(())
            }
        }
    }

    fn serve(&mut self, task: Task) -> Result<(), RunError> {
        self.member.start(&task.input, task.position.next_offset)?;
        tracing::info!(task = %task.id, offset = task.position.next_offset, "task running");
        let gauges = self.shared.board.running(task.id, task.reader());
        let mut active = Active {
            task,
            ticker: Ticker::new(Arc::clone(&self.shared.config.clock)),
            gauges,
        };
        active.ticker.refresh(&active.task)?;
        self.active.insert(active.task.id, active);
        Ok(())
    }
}
