//! The commit: effects become real, first in one transaction on the log, then in the store.
//!
//! The order, and why it is that way round (a crash is a `kill -9` here):
//!
//! 1. Forwarded records, then changed rows, then the `position`, are produced in one transaction;
//!    rows of a large batch that have settled go before, while it is being decided.
//!    *Crash before or between*: the transaction stays open, the next owner's initialisation
//!    aborts it, and nobody reading committed ever saw a part of it.
//! 2. Input positions are added under the current group membership. *Not before the records*:
//!    the two overlap anyway, and a broker that refuses a stale membership must have the last word.
//! 3. The transaction is committed. Until that is acknowledged nothing is answered or readable.
//!    *Crash during*: it is in or it is not; the restart reads the committed position back and the
//!    changelog, which agree, since they were written by the same transaction. 2 and 3 wait for the
//!    broker, so the next batch is decided meanwhile, over the sealed one; nothing of it is produced
//!    before this one is acknowledged, and it is dropped if this one is not. *Not before*: two open
//!    transactions would need an order between them, and a row could overtake its successor.
//! 4. The store takes the same rows, the checkpoint and the derived indexes in one batch. *Crash
//!    before or during*: the store is at an older commit and the changelog brings it forward. *Not
//!    the other way round*: a store ahead of the log would have to be wiped after every crash.
//! 5. Only then are readers and waiters told. *Not before 4*: whoever was answered must be able to
//!    read what it was told.

use stagedoor_state::{ChangelogKind, StoreBatch};

use crate::error::TaskError;
use crate::faults::crash_point;
use crate::log::{Generation, InputPosition, LogError, Outgoing, Session, TopicPartition};
use crate::output::Output;
use crate::position::{CHECKPOINT_KEY, Checkpoint, POSITION_KEY, Position};
use crate::task::{Decided, Task};
use crate::wiring::{TaskId, Wiring};

/// The one open or idle transaction of a stream thread.
pub(crate) struct Transaction {
    session: Box<dyn Session>,
    transactional_id: String,
    open: bool,
}

/// A row for the changelog: which one, key, and value or tombstone.
pub(crate) type Row = (ChangelogKind, Vec<u8>, Option<Vec<u8>>);

/// What happens to the tasks with this commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// They stay.
    Kept,
    /// This is their last commit here: the next owner need not fence this one.
    HandedOver,
}

impl Transaction {
    /// A session without an open transaction.
    pub(crate) fn new(session: Box<dyn Session>, transactional_id: String) -> Self {
        Self {
            session,
            transactional_id,
            open: false,
        }
    }

    /// Whether the session may serve another transaction.
    pub(crate) fn reusable(&self) -> bool {
        self.session.reusable()
    }

    /// Produces what a task has forwarded and not produced yet; acknowledgements travel meanwhile.
    pub(crate) fn send_outputs(&mut self, task: &mut Task) -> Result<(), LogError> {
        if task.sent == task.outputs.len() {
            return Ok(());
        }
        self.begin()?;
        for output in &task.outputs[task.sent..] {
            output.send(&mut |record| self.session.send(record))?;
        }
        task.sent = task.outputs.len();
        Ok(())
    }

    /// Produces those changed rows of a task that have settled, so that a large commit need not wait
    /// for all of them at its end. A row that is written again after all is produced again.
    pub(crate) fn send_settled(&mut self, task: &mut Task) -> Result<(), LogError> {
        self.begin()?;
        let changelogs = Changelogs::of(&task.wiring, task.id.partition);
        task.state.tell_settled(|change| {
            let row = changelogs.row(change.changelog, change.key, change.value);
            self.session.send(row)
        })
    }

    /// Says in the changelog that it proves nothing, whatever becomes of the rebuild that follows.
    pub(crate) fn distrust(&mut self, task: &Task) -> Result<(), LogError> {
        let row = (ChangelogKind::Compacted, POSITION_KEY.to_vec(), None);
        self.write_rows(task, &[row])
    }

    /// Step 1, to its end.
    pub(crate) fn produce(
        &mut self,
        tasks: &[&mut Task],
        ownership: Ownership,
    ) -> Result<Vec<ChangelogEnd>, LogError> {
        self.begin()?;
        let ends = tasks
            .iter()
            .map(|task| self.send_changelog(task, ownership))
            .collect::<Result<_, _>>()?;
        crash_point("after-produce");
        Ok(ends)
    }

    /// Step 4 of a sealed task, to come after the others.
    pub(crate) fn storing(&self, task: &Task, end: ChangelogEnd) -> Option<Storing> {
        Storing::of(task, &self.transactional_id, end)
    }

    /// Steps 2 and 3: waits for the broker. Returns the offsets of the tracked records; on success
    /// the tasks of these positions have moved in the log, and their stores must follow.
    pub(crate) fn end(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<Vec<i64>, LogError> {
        // It may have nothing to say but the positions.
        self.begin()?;
        self.session.add_offsets(positions, generation)?;
        crash_point("after-offsets");
        crash_point("during-commit");
        let offsets = self.session.commit()?;
        self.open = false;
        crash_point("after-commit");
        Ok(offsets)
    }

    /// Writes rows in a transaction of their own, without a position: a part of a rebuild.
    pub(crate) fn write_rows(&mut self, task: &Task, rows: &[Row]) -> Result<(), LogError> {
        self.begin()?;
        let changelogs = Changelogs::of(&task.wiring, task.id.partition);
        for (kind, key, value) in rows {
            self.session
                .send(changelogs.row(*kind, key, value.as_deref()))?;
        }
        self.session.commit()?;
        self.open = false;
        if !self.session.reusable() {
            let text = "the end of a rebuild's transaction is suspicious; it is written again";
            return Err(LogError::InDoubt(text.to_owned()));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), LogError> {
        if !self.open {
            crash_point("before-produce");
            self.session.begin()?;
            self.open = true;
        }
        Ok(())
    }

    /// Changed rows, one record per key, then the position.
    fn send_changelog(
        &mut self,
        task: &Task,
        ownership: Ownership,
    ) -> Result<ChangelogEnd, LogError> {
        let changelogs = Changelogs::of(&task.wiring, task.id.partition);
        let mut end = ChangelogEnd::default();
        for change in task.state.changes() {
            let record = changelogs.row(change.changelog, change.key, change.value);
            match change.changelog {
                ChangelogKind::Compacted => self.session.send(record)?,
                ChangelogKind::Window => {
                    self.session.send_tracked(record)?;
                    end.windowed += 1;
                }
            }
        }
        let position = position_of(task, &task.decided(), &self.transactional_id, ownership);
        let mut value = Vec::with_capacity(96);
        stagedoor_avro::encode(&position, &mut value)
            .map_err(|error| LogError::Refused(format!("position: {error}")))?;
        let position = changelogs.row(ChangelogKind::Compacted, POSITION_KEY, Some(&value));
        self.session.send_tracked(position)?;
        Ok(end)
    }
}

/// The changelogs of a task.
struct Changelogs<'a> {
    wiring: &'a Wiring,
    partition: i32,
}

impl<'a> Changelogs<'a> {
    fn of(wiring: &'a Wiring, partition: i32) -> Self {
        Self { wiring, partition }
    }

    /// A row as a record of the changelog that it belongs to.
    fn row<'r>(&self, kind: ChangelogKind, key: &'r [u8], value: Option<&'r [u8]>) -> Outgoing<'r>
    where
        'a: 'r,
    {
        let topic = match kind {
            ChangelogKind::Compacted => &self.wiring.changelog.name,
            ChangelogKind::Window => &self.wiring.window_changelog.name,
        };
        Outgoing {
            topic,
            partition: self.partition,
            key: Some(key),
            value,
            headers: &[],
        }
    }
}

/// Where a task's changelogs ended with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChangelogEnd {
    windowed: usize,
    next_offset: Option<i64>,
    next_window_offset: Option<i64>,
}

impl ChangelogEnd {
    /// Takes this task's share of the tracked offsets: windowed rows, then the position.
    fn learn(&mut self, offsets: &mut impl Iterator<Item = i64>) {
        let windowed = offsets.by_ref().take(self.windowed).last();
        self.next_window_offset = windowed.map(|offset| offset + 1);
        self.next_offset = offsets.next().map(|offset| offset + 1);
    }
}

/// Step 4 for one task, on whichever thread: its sealed batch, and the checkpoint that goes with it.
pub(crate) struct Storing {
    task: TaskId,
    changelog: TopicPartition,
    batch: StoreBatch,
    /// Ends of the changelogs as of the commit before.
    checkpoint: Checkpoint,
    end: ChangelogEnd,
}

/// A sealed batch is in the store.
pub(crate) struct Stored {
    /// Of which task.
    pub(crate) task: TaskId,
    checkpoint: Checkpoint,
}

impl Storing {
    /// The sealed batch of a task, if there is one, whose changelogs end there. Where that is not
    /// known, after a commit in doubt that turned out to be in, the checkpoint keeps the older end,
    /// and a restore reads a few records twice.
    pub(crate) fn of(task: &Task, transactional_id: &str, end: ChangelogEnd) -> Option<Self> {
        let decided = task.sealed.as_ref()?.decided;
        Some(Self {
            task: task.id,
            changelog: task.wiring.changelog.partition(task.id.partition),
            batch: task.state.sealed_batch()?,
            checkpoint: checkpoint_of(task, &decided, transactional_id),
            end,
        })
    }

    /// Takes this task's share of the tracked offsets.
    pub(crate) fn learn(&mut self, offsets: &mut impl Iterator<Item = i64>) {
        self.end.learn(offsets);
    }

    /// The store follows the log; [`follow`] must come next.
    ///
    /// # Errors
    /// A changelog that lost records under its owner, and a store that cannot be written.
    pub(crate) fn store(mut self) -> Result<Stored, TaskError> {
        self.refuse_lost_rows()?;
        let checkpoint = &mut self.checkpoint;
        let (next, next_window) = (self.end.next_offset, self.end.next_window_offset);
        checkpoint.changelog_offset = next.unwrap_or(checkpoint.changelog_offset);
        checkpoint.window_changelog_offset =
            next_window.unwrap_or(checkpoint.window_changelog_offset);
        let meta = encode_checkpoint(checkpoint)?;
        crash_point("during-store-batch");
        self.batch.write(&[(CHECKPOINT_KEY, &meta)])?;
        Ok(Stored {
            task: self.task,
            checkpoint: self.checkpoint,
        })
    }

    /// A changelog that ends below what this owner has written there was cut under it (an election
    /// of a leader that had not seen it all): the rows are still in the store, and nowhere else.
    fn refuse_lost_rows(&self) -> Result<(), TaskError> {
        let before = self.checkpoint.changelog_offset;
        let Some(next) = self.end.next_offset.filter(|next| *next <= before) else {
            return Ok(());
        };
        Err(TaskError::LostRows {
            task: self.task,
            reason: format!(
                "the changelog {} ended at {next} after a commit although it was at {before} \
                 before: it lost records",
                self.changelog
            ),
        })
    }
}

/// The task follows its store. Returns what the sealed batch forwarded.
pub(crate) fn follow(task: &mut Task, stored: &Stored) -> Vec<Output> {
    let Some(sealed) = task.sealed.take() else {
        return Vec::new();
    };
    task.state.stored();
    task.changelog_offset = stored.checkpoint.changelog_offset;
    task.window_changelog_offset = stored.checkpoint.window_changelog_offset;
    task.committed = sealed.decided;
    task.crash_guard.committed();
    task.announced = true;
    sealed.outputs
}

/// The bytes of a checkpoint.
pub(crate) fn encode_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>, TaskError> {
    let mut bytes = Vec::with_capacity(160);
    stagedoor_avro::encode(checkpoint, &mut bytes).map_err(|error| TaskError::Fatal {
        reason: format!("checkpoint: {error}"),
    })?;
    Ok(bytes)
}

fn checkpoint_of(task: &Task, decided: &Decided, transactional_id: &str) -> Checkpoint {
    Checkpoint {
        position: position_of(task, decided, transactional_id, Ownership::Kept),
        changelog_offset: task.changelog_offset,
        window_changelog_offset: task.window_changelog_offset,
        changelog_topic_id: task.wiring.changelog.id.clone(),
        window_changelog_topic_id: task.wiring.window_changelog.id.clone(),
        fingerprint: task.wiring.fingerprint.clone(),
        restoring: false,
    }
}

fn position_of(
    task: &Task,
    decided: &Decided,
    transactional_id: &str,
    ownership: Ownership,
) -> Position {
    Position {
        next_offset: decided.position.next_offset,
        unit: i32::try_from(decided.position.unit).unwrap_or(i32::MAX),
        stream_time_ms: decided.stream_time_ms,
        transactional_id: transactional_id.to_owned(),
        handed_over: ownership == Ownership::HandedOver,
        source_topic_id: task.wiring.input.id.clone(),
        committed_at_ms: task.wiring.clock.wall_ms(),
    }
}
