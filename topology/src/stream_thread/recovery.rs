//! After a failure: a new session, the committed positions, and the remedy that fits.

use std::time::Duration;

use super::StreamThread;
use super::commits::publish;
use crate::commit::{self, ChangelogEnd, Storing, Transaction};
use crate::error::TaskError;
use crate::log::LogError;
use crate::takeover::RunError;
use crate::wiring::TaskId;

/// Pause after a failure of the log.
const BACKOFF: Duration = Duration::from_millis(100);

/// Corrupted stores that a thread wipes before it asks for people.
const WIPES: u32 = 3;

impl StreamThread {
    /// Opens a session if there is none and none is committing. What the last one left is then
    /// settled by the committed positions: they moved with the transaction, or they did not.
    pub(super) fn ensure_transaction(&mut self) -> Result<(), RunError> {
        if self.transaction.is_some() || self.under_way.is_some() {
            return Ok(());
        }
        let session = self.shared.log.session(&self.transactional_id)?;
        let ids: Vec<TaskId> = self.active.keys().copied().collect();
        for id in ids {
            self.settle_doubt(id)?;
        }
        self.transaction = Some(Transaction::new(session, self.transactional_id.clone()));
        Ok(())
    }

    fn settle_doubt(&mut self, id: TaskId) -> Result<(), RunError> {
        let Some(active) = self.active.get_mut(&id) else {
            return Ok(());
        };
        let task = &mut active.task;
        let committed = self.member.committed(&task.input)?;
        let sealed = task.sealed.as_ref().map(|sealed| sealed.decided.position);
        let in_after_all = sealed.is_some() && committed == sealed;
        if in_after_all {
            tracing::info!(task = %id, "a commit in doubt is in");
            let end = ChangelogEnd::default();
            if let Some(batch) = Storing::of(task, &self.transactional_id, end) {
                let outputs = commit::follow(task, &batch.store()?);
                publish(&self.shared, active, &outputs)?;
            }
        }
        let task = &mut active.task;
        if in_after_all || committed.is_none() || committed == Some(task.committed.position) {
            task.roll_back();
            let next = task.position.next_offset;
            self.member.start(&task.input, next)?;
            return Ok(active.ticker.refresh(&active.task)?);
        }
        tracing::warn!(task = %id, ?committed, "another owner has moved this task; taking it over");
        self.retake(id)
    }

    /// Answers a failure by its remedy.
    pub(super) fn recover(&mut self, error: RunError) {
        self.abandon_commit();
        match error {
            RunError::Log(LogError::Refused(reason)) => self.shared.fail(reason),
            RunError::Log(error @ LogError::OutOfRange(_)) => self.shared.fail(format!(
                "{error}; the command topic lost records: restore it or the data directory"
            )),
            RunError::Log(error) => {
                tracing::warn!(%error, "the log failed; a new producer will find out what is in");
                self.transaction = None;
                self.shared.config.clock.sleep(BACKOFF);
            }
            RunError::Task(TaskError::Migrated) => self.transaction = None,
            RunError::Task(TaskError::Corrupted { reason }) => self.wipe(&reason),
            RunError::Task(TaskError::LostRows { task, reason }) => self.mistrust(task, &reason),
            RunError::Task(other) => self.shared.fail(other.to_string()),
        }
    }

    /// Rebuilds a task whose changelog lost rows: they are nowhere but in its store now.
    fn mistrust(&mut self, id: TaskId, reason: &str) {
        tracing::error!(task = %id, reason, "the task is rebuilt from the command log");
        self.transaction = None;
        if let Err(error) = self.shared.board.ask_rebuild(id) {
            self.shared.fail(format!(
                "{reason}; the task {id} cannot be rebuilt now ({error}): restart, then ask for it \
                 with `stagedoor replay reset`"
            ));
        }
    }

    /// Wipes the store that turned out to be corrupted and restores it from its changelog; where
    /// that does not help, the changelog itself or the program is wrong.
    fn wipe(&mut self, reason: &str) {
        self.transaction = None;
        let found = self
            .corrupted
            .take()
            .and_then(|id| Some((id, self.active.get_mut(&id)?)));
        let Some((id, active)) = found.filter(|_| self.wipes < WIPES) else {
            return self.shared.fail(format!(
                "a store is corrupted: {reason}; remove the data directory and restart to restore"
            ));
        };
        self.wipes += 1;
        tracing::error!(task = %id, reason, "the store is corrupted; wiping and restoring");
        active.task.roll_back();
        let wiped = active.task.state.wipe().map_err(|error| error.to_string());
        let retaken = wiped.and_then(|()| self.retake(id).map_err(|error| error.to_string()));
        if let Err(error) = retaken {
            self.shared
                .fail(format!("a corrupted store cannot be wiped: {error}"));
        }
    }
}
