//! One task on its way in: its store, its checkpoint, what was restored, and what is refused.

use std::path::Path;
use std::sync::Arc;

use stagedoor_state::{StorageProvider, TaskState};

use crate::commit::encode_checkpoint;
use crate::crash_loop::CrashLoopGuard;
use crate::error::TaskError;
use crate::log::{InputPosition, TopicPartition};
use crate::position::{CHECKPOINT_KEY, Checkpoint, POSITION_KEY, Position};
use crate::record::Record;
use crate::takeover::RunError;
use crate::task::Task;
use crate::wiring::{TaskId, Wiring};

/// A task on its way in.
pub(crate) struct Part {
    pub(crate) id: TaskId,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) state: TaskState,
    pub(crate) checkpoint: Checkpoint,
    /// The last position seen, if any.
    pub(crate) last: Option<Position>,
    /// Rows follow the last position.
    pub(crate) torn: bool,
    /// Its rows come from the oldest record that the changelog still holds.
    pub(crate) from_start: bool,
    /// The start of the changelog is gone although its rows were needed.
    pub(crate) cut: bool,
    /// Somebody asked for its rebuild.
    pub(crate) distrusted: bool,
    pub(crate) committed: Option<InputPosition>,
    pub(crate) restored: u64,
    /// An empty store takes rows as they come and builds its indexes once, at the end.
    bulk: bool,
    buffer: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) crash_guard: CrashLoopGuard,
}

/// Which changelog of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The compacted one, with the positions.
    Changelog,
    /// That of windowed stores.
    WindowChangelog,
}

impl Part {
    pub(crate) fn open(
        id: TaskId,
        wiring: &Arc<Wiring>,
        stores: &dyn StorageProvider,
        unclean: Option<&Path>,
    ) -> Result<Self, RunError> {
        let name = id.to_string();
        let (state, checkpoint) = match opened(wiring, stores, &name) {
            Err(TaskError::Corrupted { reason }) => {
                tracing::error!(task = %id, reason, "the store is corrupted; wiping and restoring");
                stores.remove(&name)?;
                opened(wiring, stores, &name)?
            }
            opened => opened?,
        };
        let crash_guard = match unclean {
            Some(directory) => CrashLoopGuard::after_unclean_stop(directory, &name),
            None => CrashLoopGuard::off(),
        };
        let mut part = Self {
            id,
            wiring: Arc::clone(wiring),
            state,
            last: None,
            torn: false,
            from_start: false,
            cut: false,
            distrusted: false,
            committed: None,
            restored: 0,
            bulk: false,
            buffer: Vec::new(),
            crash_guard,
            checkpoint: checkpoint.clone().unwrap_or_default(),
        };
        match checkpoint {
            None => part.wipe()?,
            Some(checkpoint) => {
                part.refuse_other_origin(&checkpoint)?;
                part.bulk = part.state.must_rebuild_indexes();
                part.from_start = checkpoint.restoring;
                let stale =
                    part.wiring.clock.wall_ms() - checkpoint.position.committed_at_ms > STALE_MS;
                if stale && !checkpoint.restoring {
                    tracing::info!(task = %id, "the store is older than tombstones live; restoring");
                    part.wipe()?;
                } else if !checkpoint.restoring || checkpoint.position != Position::default() {
                    part.last = Some(checkpoint.position);
                }
            }
        }
        Ok(part)
    }

    /// An empty store that will be restored from the start.
    pub(crate) fn wipe(&mut self) -> Result<(), TaskError> {
        self.state.wipe()?;
        self.last = None;
        self.torn = false;
        self.from_start = true;
        self.bulk = true;
        self.buffer.clear();
        self.checkpoint = Checkpoint {
            changelog_topic_id: self.wiring.changelog.id.clone(),
            window_changelog_topic_id: self.wiring.window_changelog.id.clone(),
            fingerprint: self.wiring.fingerprint.clone(),
            restoring: true,
            ..Checkpoint::default()
        };
        Ok(())
    }

    pub(crate) fn next(&self, source: Source) -> i64 {
        match source {
            Source::Changelog => self.checkpoint.changelog_offset,
            Source::WindowChangelog => self.checkpoint.window_changelog_offset,
        }
    }

    pub(crate) fn take(&mut self, record: &Record<'_>, is_window: bool) -> Result<(), TaskError> {
        let Some(key) = record.key else {
            let reason = format!("{record:?} has no key; a changelog is written by its owner only");
            return Err(TaskError::Fatal { reason });
        };
        let next = record.offset + 1;
        self.restored += 1;
        if is_window {
            self.checkpoint.window_changelog_offset = next;
        } else {
            self.checkpoint.changelog_offset = next;
            self.torn = true;
            if key == POSITION_KEY {
                if let Some(value) = record.value {
                    let position = stagedoor_avro::decode(value);
                    self.last = Some(position.map_err(|error| TaskError::Fatal {
                        reason: format!("the position at {record:?} cannot be read: {error}"),
                    })?);
                    self.torn = false;
                }
                return Ok(());
            }
        }
        self.buffer
            .push((key.to_vec(), record.value.map(<[u8]>::to_vec)));
        Ok(())
    }

    /// Writes what was read. The store is marked as being restored until it is proven.
    pub(crate) fn flush(&mut self) -> Result<(), TaskError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.checkpoint.restoring = true;
        // A restore that is killed goes on from here only if it knows which position it has reached.
        let reached = self.last.clone().filter(|_| !self.torn);
        self.checkpoint.position = reached.unwrap_or_default();
        let meta = encode_checkpoint(&self.checkpoint)?;
        let meta: [(&[u8], &[u8]); 1] = [(CHECKPOINT_KEY, &meta)];
        let mut rows = self
            .buffer
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()));
        if self.bulk {
            self.state.restore_bulk(&mut rows, &meta)?;
        } else {
            self.state.restore(&mut rows, &meta)?;
        }
        self.buffer.clear();
        Ok(())
    }

    /// The position to serve from, if the state is proven.
    pub(crate) fn start_position(&self, input_start: i64) -> Option<Position> {
        let fresh = InputPosition {
            next_offset: input_start,
            unit: 0,
        };
        match (&self.last, self.committed) {
            _ if self.torn || self.cut || self.distrusted => None,
            (None, committed) if committed.is_none_or(|committed| committed <= fresh) => {
                Some(Position {
                    next_offset: input_start,
                    ..Position::default()
                })
            }
            (None, _) => None,
            // Offsets of a group expire; the position in the changelog does not.
            (Some(last), None) => Some(last.clone()),
            (Some(last), Some(committed)) => (last.input() == committed).then(|| last.clone()),
        }
    }

    /// Ends the restore and makes the task.
    pub(crate) fn serve(mut self, position: Position) -> Result<Task, TaskError> {
        if self.state.must_rebuild_indexes() {
            self.state.rebuild_indexes()?;
        }
        self.checkpoint.position = position;
        self.checkpoint.restoring = false;
        let meta = encode_checkpoint(&self.checkpoint)?;
        self.state.commit(&[(CHECKPOINT_KEY, &meta)])?;
        Ok(Task::new(
            self.id,
            self.wiring,
            self.state,
            &self.checkpoint,
            self.crash_guard,
        ))
    }

    /// A store that belongs to other topics or other stores must not be served.
    fn refuse_other_origin(&self, found: &Checkpoint) -> Result<(), TaskError> {
        let wiring = &self.wiring;
        let mut origins = vec![
            (&wiring.changelog, &found.changelog_topic_id),
            (&wiring.window_changelog, &found.window_changelog_topic_id),
        ];
        if !found.restoring {
            origins.push((&wiring.input, &found.position.source_topic_id));
        }
        for (topic, id) in origins {
            if topic.id != *id && !id.is_empty() {
                return Err(self.made_anew(&topic.name));
            }
        }
        if found.fingerprint != wiring.fingerprint {
            return Err(TaskError::Fatal {
                reason: format!(
                    "the store of task {} was written by another topology ({} and not {}); \
                     start the version that wrote it, or remove the data directory to restore",
                    self.id, found.fingerprint, wiring.fingerprint
                ),
            });
        }
        Ok(())
    }

    fn made_anew(&self, topic: &str) -> TaskError {
        // The truth is in the command log: what is derived from it can be made again, it cannot.
        let remedy = match topic == &*self.wiring.input.name {
            true => {
                "or begin without history: delete the changelogs, the group and the data directory"
            }
            false => "or remove the data directory to rebuild from the command log",
        };
        TaskError::Fatal {
            reason: format!(
                "the topic {topic} was deleted and made anew under the store of task {}; bring the \
                 old topic back, {remedy}",
                self.id
            ),
        }
    }

    pub(crate) fn refuse_shrunk_changelog(
        &self,
        partition: &TopicPartition,
        high: i64,
    ) -> Result<(), TaskError> {
        let is_window = partition.topic == self.wiring.window_changelog.name;
        let read = match is_window {
            true => self.checkpoint.window_changelog_offset,
            false => self.checkpoint.changelog_offset,
        };
        if read <= high {
            return Ok(());
        }
        Err(self.shrunk(partition, high, read))
    }

    pub(crate) fn refuse_shrunk_input(
        &self,
        input: &TopicPartition,
        high: i64,
    ) -> Result<(), TaskError> {
        let other = |last: &Position| {
            !last.source_topic_id.is_empty() && last.source_topic_id != self.wiring.input.id
        };
        if self.last.as_ref().is_some_and(other) {
            return Err(self.made_anew(&self.wiring.input.name));
        }
        let next = self.committed.unwrap_or_default().next_offset;
        if next <= high {
            Ok(())
        } else {
            Err(self.shrunk(input, high, next))
        }
    }

    fn shrunk(&self, partition: &TopicPartition, high: i64, known: i64) -> TaskError {
        TaskError::Fatal {
            reason: format!(
                "the partition {partition} ends at {high} although task {} has seen {known}: it \
                 lost records; bring them back, or remove the data directory to rebuild",
                self.id
            ),
        }
    }
}

/// Half of the changelogs' `delete.retention.ms`: an older store may have missed tombstones.
const STALE_MS: i64 = crate::topics::TOMBSTONE_RETENTION_MS / 2;

fn opened(
    wiring: &Wiring,
    stores: &dyn StorageProvider,
    name: &str,
) -> Result<(TaskState, Option<Checkpoint>), TaskError> {
    let state = TaskState::new(stores.storage(name)?, Arc::clone(&wiring.part.stores))?;
    let checkpoint = Checkpoint::of(&state)?;
    Ok((state, checkpoint))
}
