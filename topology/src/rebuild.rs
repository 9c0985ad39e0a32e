//! Rebuilding a task from the command log, where its changelog cannot prove its state.
//!
//! The records before the committed position are processed again, from the first one on, and
//! nothing is forwarded: the answers are in the log already. The same records on the same rules
//! give the same rows. What the changelog holds is then replaced: every row is written, every key
//! that should not be there is deleted, and only the last transaction carries a position. Before
//! all that a tombstone takes the place of the position, so that whoever takes over after a crash
//! anywhere in between starts over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_state::{ChangelogKind, ReadState as _, StoreKind};

use crate::commit::{Transaction, encode_checkpoint};
use crate::crash_loop::CrashLoopGuard;
use crate::error::TaskError;
use crate::log::{InputPosition, Isolation, Log, Pace, Reader};
use crate::part::Part;
use crate::position::{CHECKPOINT_KEY, Checkpoint, POSITION_KEY, Position};
use crate::record::Record;
use crate::stamp::{STAMP_HEADER, Stamp};
use crate::takeover::RunError;
use crate::task::{Task, Turn};
use crate::wiring::WiredTopic;

const RECORDS_PER_STEP: usize = 10_000;
const ROWS_PER_TRANSACTION: usize = 10_000;
const WAIT: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Distrust,
    Skips,
    Replay,
    Keys,
    WindowKeys,
    WriteBack,
}

/// A task that is being computed anew.
pub(crate) struct Rebuild {
    /// The task so far.
    pub(crate) task: Task,
    until: InputPosition,
    reader: Box<dyn Reader>,
    step: Step,
    opened: bool,
    skips: Vec<InputPosition>,
    keys: BTreeSet<Vec<u8>>,
    window_keys: BTreeSet<Vec<u8>>,
}

impl Rebuild {
    /// Wipes the store and begins at the start of the command log.
    pub(crate) fn begin(
        mut part: Part,
        until: InputPosition,
        log: &dyn Log,
    ) -> Result<Self, RunError> {
        part.wipe()?;
        let mut reader = log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
        let input = part.wiring.input.partition(part.id.partition);
        let (start, _) = reader.watermarks(&input)?;
        if start > 0 {
            let reason = format!(
                "{input} starts at {start}, so task {} cannot be rebuilt; restore the topic or the \
                 data directory from a backup",
                part.id
            );
            return Err(TaskError::Fatal { reason }.into());
        }
        let checkpoint = Checkpoint {
            position: Position::default(),
            ..part.checkpoint
        };
        let guard = CrashLoopGuard::off();
        Ok(Self {
            task: Task::new(part.id, part.wiring, part.state, &checkpoint, guard),
            until,
            reader,
            step: Step::Distrust,
            opened: false,
            skips: Vec::new(),
            keys: BTreeSet::new(),
            window_keys: BTreeSet::new(),
        })
    }

    /// The next input record of the replay, and where it goes to.
    pub(crate) fn progress(&self) -> (i64, i64) {
        (self.task.position.next_offset, self.until.next_offset)
    }

    /// Does a bounded piece of work. Returns whether the task may be served.
    pub(crate) fn step(&mut self, transaction: &mut Transaction) -> Result<bool, RunError> {
        match self.step {
            Step::Distrust => {
                transaction.distrust(&self.task)?;
                self.go_on(Step::Skips);
            }
            Step::Skips => {
                if self.read_skips()? {
                    let skips = std::mem::take(&mut self.skips);
                    self.task.crash_guard = CrashLoopGuard::replaying(skips);
                    self.go_on(Step::Replay);
                }
            }
            Step::Replay => {
                if self.replay()? {
                    self.task.crash_guard = CrashLoopGuard::off();
                    self.go_on(Step::Keys);
                }
            }
            Step::Keys => {
                let topic = self.task.wiring.changelog.clone();
                if self.read_keys(&topic, ChangelogKind::Compacted)? {
                    self.go_on(Step::WindowKeys);
                }
            }
            Step::WindowKeys => {
                let topic = self.task.wiring.window_changelog.clone();
                if self.read_keys(&topic, ChangelogKind::Window)? {
                    self.go_on(Step::WriteBack);
                }
            }
            Step::WriteBack => {
                self.write_back(transaction)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the units that a dead letter says were skipped because they killed the process.
    fn read_skips(&mut self) -> Result<bool, RunError> {
        let topic = self.task.wiring.dead_letters.clone();
        let source = self.task.id.partition;
        let partition = source.rem_euclid(topic.partitions.max(1));
        let log_id = self.task.wiring.log_id();
        let skips = &mut self.skips;
        read(
            &mut *self.reader,
            &mut self.opened,
            &topic,
            partition,
            |record| {
                skips.extend(skipped_unit(record, log_id, source));
            },
        )
    }

    /// Collects the keys that a changelog holds.
    fn read_keys(&mut self, topic: &WiredTopic, kind: ChangelogKind) -> Result<bool, RunError> {
        let keys = match kind {
            ChangelogKind::Compacted => &mut self.keys,
            ChangelogKind::Window => &mut self.window_keys,
        };
        let partition = self.task.id.partition;
        read(
            &mut *self.reader,
            &mut self.opened,
            topic,
            partition,
            |record| {
                keys.extend(
                    record
                        .key
                        .filter(|key| *key != POSITION_KEY)
                        .map(<[u8]>::to_vec),
                );
            },
        )
    }

    fn go_on(&mut self, step: Step) {
        tracing::info!(task = %self.task.id, ?step, "rebuilding from the command log");
        self.step = step;
        self.opened = false;
    }

    /// Processes a slice of the command log. Returns whether the position is reached.
    fn replay(&mut self) -> Result<bool, RunError> {
        let (task, until) = (&mut self.task, self.until);
        let topic = task.wiring.input.clone();
        let partition = task.id.partition;
        let mut outcome = Ok(false);
        let ended = read(
            &mut *self.reader,
            &mut self.opened,
            &topic,
            partition,
            |record| {
                if matches!(outcome, Ok(false)) {
                    outcome = replay_one(task, record, until);
                }
            },
        )?;
        let reached = outcome? || ended;
        if reached {
            task.position = until;
        }
        task.outputs.clear();
        let restoring = Checkpoint {
            restoring: true,
            changelog_topic_id: task.wiring.changelog.id.clone(),
            window_changelog_topic_id: task.wiring.window_changelog.id.clone(),
            fingerprint: task.wiring.fingerprint.clone(),
            ..Checkpoint::default()
        };
        let meta = encode_checkpoint(&restoring)?;
        task.state.commit(&[(CHECKPOINT_KEY, &meta)])?;
        task.committed = task.decided();
        Ok(reached)
    }

    /// Replaces the contents of the changelogs; the caller's commit adds the position.
    fn write_back(&mut self, transaction: &mut Transaction) -> Result<(), RunError> {
        let wiring = Arc::clone(&self.task.wiring);
        let kinds: BTreeMap<u8, StoreKind> = wiring
            .part
            .stores
            .list()
            .map(|(id, _, kind)| (id, kind))
            .collect();
        let mut rows = Vec::new();
        self.task
            .state
            .scan_bytes(&[1], &[u8::MAX], &mut |key, value| {
                if let Some(StoreKind::Store(kind)) = key.first().and_then(|id| kinds.get(id)) {
                    rows.push((*kind, key.to_vec(), Some(value.to_vec())));
                }
                ControlFlow::Continue(())
            })?;
        for (kind, key, _) in &rows {
            match kind {
                ChangelogKind::Compacted => self.keys.remove(key),
                ChangelogKind::Window => self.window_keys.remove(key),
            };
        }
        // Kept, because a transaction that fails makes this step begin again.
        let gone = self.keys.iter().cloned();
        rows.extend(gone.map(|key| (ChangelogKind::Compacted, key, None)));
        let gone = self.window_keys.iter().cloned();
        rows.extend(gone.map(|key| (ChangelogKind::Window, key, None)));
        for chunk in rows.chunks(ROWS_PER_TRANSACTION) {
            transaction.write_rows(&self.task, chunk)?;
        }
        Ok(())
    }
}

/// Reads a slice of one partition from its start. Returns whether the end has been reached.
fn read(
    reader: &mut dyn Reader,
    opened: &mut bool,
    topic: &WiredTopic,
    partition: i32,
    mut visit: impl FnMut(&Record<'_>),
) -> Result<bool, RunError> {
    if !*opened {
        reader.open(&topic.name, &[(partition, 0)])?;
        *opened = true;
    }
    Ok(reader.poll(WAIT, RECORDS_PER_STEP, &mut visit)?)
}

/// Gives one record of the past its turn. Returns whether the position is reached.
fn replay_one(
    task: &mut Task,
    record: &Record<'_>,
    until: InputPosition,
) -> Result<bool, TaskError> {
    if record.offset >= until.next_offset {
        if record.offset == until.next_offset {
            task.timer_units(record, until.unit)?;
        }
        return Ok(true);
    }
    while task.turn(record)? == Turn::Paused {}
    Ok(false)
}

/// The unit that a dead letter says was skipped because it killed the process.
fn skipped_unit(record: &Record<'_>, log_id: u64, partition: i32) -> Option<InputPosition> {
    if record.header("__streams.errors.exception") != Some(b"crash_loop") {
        return None;
    }
    let stamp = Stamp::decode(record.header(STAMP_HEADER)?)?;
    (stamp.log_id == log_id && stamp.partition == partition).then_some(InputPosition {
        next_offset: stamp.offset,
        unit: stamp.unit,
    })
}
