//! A task: one partition of one sub-topology, its processor and its state.
//!
//! The turn of a record is: everything that is due at or before its time, in units of at most
//! [`TIMERS_PER_UNIT`] timers; then the record itself, as the last unit. Each unit has a
//! savepoint. A unit that fails is rolled back and leaves a dead letter and, where possible, an
//! answer; these travel in the same transaction as everything else.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stagedoor_state::{ReadState as _, StoreReader, TaskState};

use crate::commit::Ownership;
use crate::crash_loop::CrashLoopGuard;
use crate::error::{Failure, TaskError};
use crate::log::{InputPosition, TopicPartition};
use crate::output::{Output, dead_letter, settle};
use crate::position::Checkpoint;
use crate::processor::{Context, Forwarded, Processor};
use crate::record::{NoHeaders, Record};
use crate::stamp::Stamp;
use crate::tick::{Tick, is_tick};
use crate::wiring::{TaskId, Wiring};

/// Most timers that fire under one savepoint.
pub(crate) const TIMERS_PER_UNIT: usize = 256;

/// Most units of timers before one record in one batch; what is left waits for the next commit.
const TIMER_UNITS_PER_TURN: u32 = 16;

/// Windowed rows purged per record: keeps the store small without a pause.
const PURGE_PER_RECORD: usize = 4;

/// Whether a turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The record is done.
    Done,
    /// Timers before it are left: commit, then give the record again.
    Paused,
}

/// How far a task has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The next input record, and what is done of it.
    pub(crate) position: InputPosition,
    /// Greatest log-append time seen so far.
    pub(crate) stream_time_ms: i64,
}

/// A batch that is decided and on its way into the log.
pub(crate) struct SealedBatch {
    /// How far it goes.
    pub(crate) decided: Decided,
    /// What it forwards, in order.
    pub(crate) outputs: Vec<Output>,
}

/// An active task.
pub(crate) struct Task {
    /// Its id.
    pub(crate) id: TaskId,
    /// Its input.
    pub(crate) input: TopicPartition,
    /// What it shares with its siblings.
    pub(crate) wiring: Arc<Wiring>,
    /// Committed rows under the overlay of the open batch.
    pub(crate) state: TaskState,
    /// Where it stands, open batch included.
    pub(crate) position: InputPosition,
    /// Greatest log-append time seen.
    pub(crate) stream_time_ms: i64,
    /// Where it stood at the last commit.
    pub(crate) committed: Decided,
    /// The batch whose commit is under way; what is decided meanwhile is decided over it.
    pub(crate) sealed: Option<SealedBatch>,
    /// Where a restore would go on in the changelog.
    pub(crate) changelog_offset: i64,
    /// The same of the window changelog.
    pub(crate) window_changelog_offset: i64,
    /// Whether the changelog names this owner: the first commit after a takeover says so.
    pub(crate) announced: bool,
    /// What the open batch forwards, in order.
    pub(crate) outputs: Vec<Output>,
    /// How many of them are produced.
    pub(crate) sent: usize,
    /// Dead letters since the task was opened.
    pub(crate) dead_letters: u64,
    pub(crate) crash_guard: CrashLoopGuard,
    log_id: u64,
    processor: Box<dyn Processor>,
    forwarded: Vec<Forwarded>,
    /// Timers whose handler failed: they stay in the index, so they are passed over.
    failed_timers: BTreeSet<Vec<u8>>,
}

impl Task {
    /// A task over restored state.
    pub(crate) fn new(
        id: TaskId,
        wiring: Arc<Wiring>,
        state: TaskState,
        checkpoint: &Checkpoint,
        crash_guard: CrashLoopGuard,
    ) -> Self {
        let position = &checkpoint.position;
        let processor = (wiring.part.processor)();
        Self {
            id,
            input: wiring.input.partition(id.partition),
            log_id: wiring.log_id(),
            wiring,
            state,
            position: position.input(),
            stream_time_ms: position.stream_time_ms,
            committed: Decided {
                position: position.input(),
                stream_time_ms: position.stream_time_ms,
            },
            sealed: None,
            changelog_offset: checkpoint.changelog_offset,
            window_changelog_offset: checkpoint.window_changelog_offset,
            announced: false,
            outputs: Vec::new(),
            sent: 0,
            dead_letters: 0,
            crash_guard,
            processor,
            forwarded: Vec::new(),
            failed_timers: BTreeSet::new(),
        }
    }

    /// Whether the open batch holds anything of this task.
    pub(crate) fn moved(&self) -> bool {
        let sealed = self.sealed.as_ref().map(|sealed| sealed.decided);
        self.position != sealed.unwrap_or(self.committed).position
    }

    /// How far it has decided, open batch included.
    pub(crate) fn decided(&self) -> Decided {
        Decided {
            position: self.position,
            stream_time_ms: self.stream_time_ms,
        }
    }

    /// Whether the next commit writes a position for it.
    pub(crate) fn must_write(&self, ownership: Ownership) -> bool {
        self.moved() || !self.announced || ownership == Ownership::HandedOver
    }

    /// Reads of committed state, for other threads.
    pub(crate) fn reader(&self) -> StoreReader {
        self.state.reader()
    }

    /// Ends the open batch, all of which is produced: a new one begins over it.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn seal(&mut self) -> Result<(), TaskError> {
        self.state.seal()?;
        self.sealed = Some(SealedBatch {
            decided: self.decided(),
            outputs: std::mem::take(&mut self.outputs),
        });
        self.sent = 0;
        Ok(())
    }

    /// Forgets all that is not committed, sealed or not.
    pub(crate) fn roll_back(&mut self) {
        self.state.discard();
        self.sealed = None;
        self.outputs.clear();
        self.sent = 0;
        self.position = self.committed.position;
        self.stream_time_ms = self.committed.stream_time_ms;
        self.processor = (self.wiring.part.processor)();
    }

    /// Gives a record its turn. New outputs are appended to [`Task::outputs`].
    ///
    /// # Errors
    /// What stops the task; a failure of a unit does not.
    pub(crate) fn turn(&mut self, record: &Record<'_>) -> Result<Turn, TaskError> {
        if record.offset < self.position.next_offset {
            return Ok(Turn::Done);
        }
        if record.offset > self.position.next_offset {
            // Markers and aborted records take offsets too.
            self.position = InputPosition {
                next_offset: record.offset,
                unit: 0,
            };
        }
        self.stream_time_ms = self.stream_time_ms.max(record.timestamp_ms);
        let record = Record {
            timestamp_ms: self.stream_time_ms,
            ..*record
        };
        for _ in 0..TIMER_UNITS_PER_TURN {
            if !self.timer_unit(record.timestamp_ms)? {
                self.record_unit(&record)?;
                return Ok(Turn::Done);
            }
        }
        Ok(Turn::Paused)
    }

    /// Fires exactly `units` units of timers before a record: how a rebuild stops in mid-turn.
    ///
    /// # Errors
    /// As for [`Task::turn`].
    pub(crate) fn timer_units(&mut self, record: &Record<'_>, units: u32) -> Result<(), TaskError> {
        self.position = InputPosition {
            next_offset: record.offset,
            unit: 0,
        };
        self.stream_time_ms = self.stream_time_ms.max(record.timestamp_ms);
        for _ in 0..units {
            self.timer_unit(self.stream_time_ms)?;
        }
        Ok(())
    }

    /// The earliest deadline of a timer that still counts.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) fn next_deadline(&self) -> Result<Option<i64>, TaskError> {
        Ok(self
            .due(i64::MAX - 1, 1)?
            .first()
            .and_then(|timer| deadline_of(timer)))
    }

    /// One unit of due timers. Returns whether there was any.
    fn timer_unit(&mut self, now_ms: i64) -> Result<bool, TaskError> {
        let due = self.due(now_ms, TIMERS_PER_UNIT)?;
        if due.is_empty() {
            return Ok(false);
        }
        let letters = match self.crash_guard.enter(self.position)? {
            Some(failure) => due
                .iter()
                .map(|timer| self.pass_over(timer, &failure))
                .collect(),
            None => self.fire(now_ms, &due)?,
        };
        self.finish_unit(letters)?;
        self.position.unit += 1;
        self.crash_guard.leave()?;
        Ok(true)
    }

    /// Fires timers together, or one by one if that fails. Returns the dead letters of those that
    /// failed.
    fn fire(&mut self, now_ms: i64, due: &[Vec<u8>]) -> Result<Vec<Output>, TaskError> {
        let outcome = self.guarded(now_ms, |processor, context| {
            due.iter()
                .try_for_each(|timer| processor.fire(timer, context))
        })?;
        match outcome {
            Ok(()) => Ok(Vec::new()),
            Err(_) => self.fire_one_by_one(now_ms, due),
        }
    }

    /// Finds the timer that fails, so that the others of its unit still fire.
    fn fire_one_by_one(&mut self, now_ms: i64, due: &[Vec<u8>]) -> Result<Vec<Output>, TaskError> {
        let mut forwarded = Vec::new();
        let mut letters = Vec::new();
        for timer in due {
            let outcome =
                self.guarded(now_ms, |processor, context| processor.fire(timer, context))?;
            if let Err(failure) = outcome {
                letters.push(self.pass_over(timer, &failure));
            }
            forwarded.append(&mut self.forwarded);
        }
        self.forwarded = forwarded;
        Ok(letters)
    }

    /// A timer that failed stays in the index, and is not fired again by this process.
    fn pass_over(&mut self, timer: &[u8], failure: &Failure) -> Output {
        tracing::error!(task = %self.id, code = failure.code, reason = failure.reason,
            "a timer failed and is passed over; see the dead-letter topic");
        self.failed_timers.insert(timer.to_vec());
        dead_letter(&self.wiring, &self.timer_record(timer), failure)
    }

    /// A stand-in record for the dead letter of a timer: its key is the timer's entry.
    fn timer_record<'a>(&'a self, timer: &'a [u8]) -> Record<'a> {
        Record {
            topic: &self.input.topic,
            partition: self.id.partition,
            offset: self.position.next_offset,
            timestamp_ms: self.stream_time_ms,
            key: Some(timer),
            value: None,
            headers: &NoHeaders,
        }
    }

    /// The unit of the record itself.
    fn record_unit(&mut self, record: &Record<'_>) -> Result<(), TaskError> {
        let now_ms = record.timestamp_ms;
        if let Some(failure) = self.crash_guard.enter(self.position)? {
            self.fail_record(record, &failure)?;
        } else if record.value.is_some_and(is_tick) {
            self.tick(record)?;
        } else {
            let outcome = self.guarded(now_ms, |processor, context| {
                processor.process(record, context)
            })?;
            match outcome {
                Ok(()) => self.finish_unit(Vec::new())?,
                Err(failure) => self.fail_record(record, &failure)?,
            }
        }
        self.state.purge_expired(now_ms, PURGE_PER_RECORD)?;
        self.position = InputPosition {
            next_offset: record.offset + 1,
            unit: 0,
        };
        self.crash_guard.leave()
    }

    /// A Tick has done its work by its time alone; a forged one is a dead letter.
    fn tick(&mut self, record: &Record<'_>) -> Result<(), TaskError> {
        let tick = stagedoor_avro::decode::<Tick>(record.value.unwrap_or_default());
        if tick.is_ok_and(|tick| tick.is_genuine(&self.wiring.secret, &self.input)) {
            return Ok(());
        }
        let failure = Failure::new("forged_tick", "the Tick has no valid MAC");
        self.forwarded.clear();
        let letter = dead_letter(&self.wiring, record, &failure);
        self.finish_unit(vec![letter])
    }

    /// Answers a failed record, as far as possible, and dead-letters it.
    fn fail_record(&mut self, record: &Record<'_>, failure: &Failure) -> Result<(), TaskError> {
        tracing::warn!(task = %self.id, offset = record.offset, code = failure.code,
            reason = failure.reason, "record dead-lettered");
        let answered = self.guarded(record.timestamp_ms, |processor, context| {
            processor.answer_failure(record, failure, context)
        })?;
        if let Err(second) = answered {
            tracing::warn!(task = %self.id, offset = record.offset, code = second.code,
                reason = second.reason, "the failed record could not be answered either");
        }
        let letter = dead_letter(&self.wiring, record, failure);
        self.finish_unit(vec![letter])
    }

    /// Runs a part of the processor under a savepoint; an unwound or failed one leaves no trace.
    fn guarded(
        &mut self,
        now_ms: i64,
        work: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<(), TaskError>,
    ) -> Result<Result<(), Failure>, TaskError> {
        self.forwarded.clear();
        let savepoint = self.state.savepoint();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::new(&mut self.state, now_ms, &mut self.forwarded);
            work(&mut *self.processor, &mut context)
        }));
        let failure = match outcome {
            Ok(Ok(())) => match self.oversize() {
                None => return Ok(Ok(())),
                Some(failure) => failure,
            },
            Ok(Err(TaskError::Undecodable { code, reason })) => Failure { code, reason },
            Ok(Err(other)) => return Err(other),
            Err(panic) => {
                self.processor = (self.wiring.part.processor)();
                Failure::new("panic", panic_text(panic.as_ref()))
            }
        };
        if !crate::faults::switched_off("unit-rollback") {
            self.state.rollback(savepoint);
        }
        self.forwarded.clear();
        Ok(Err(failure))
    }

    /// A message over the limit must fail its unit: the producer would lose it (KAFKA-19479).
    fn oversize(&self) -> Option<Failure> {
        let limit = self.wiring.max_record_bytes;
        let size = |forward: &Forwarded| {
            forward.message.key.len() + forward.message.value.as_ref().map_or(0, Vec::len)
        };
        let size = self.forwarded.iter().map(size).find(|size| *size > limit)?;
        let reason = format!("the answer of {size} bytes is over the limit of {limit} bytes");
        Some(Failure::new("oversize", reason))
    }

    /// Settles and stamps what the unit forwarded, and its dead letters.
    fn finish_unit(&mut self, letters: Vec<Output>) -> Result<(), TaskError> {
        let start = self.outputs.len();
        settle(&self.wiring, &mut self.forwarded, &mut self.outputs)?;
        self.dead_letters += letters.len() as u64;
        self.outputs.extend(letters);
        let unit = &mut self.outputs[start..];
        let count = u32::try_from(unit.len()).unwrap_or(u32::MAX);
        for (index, output) in (0..).zip(unit) {
            output.stamp = Stamp {
                log_id: self.log_id,
                partition: self.id.partition,
                offset: self.position.next_offset,
                unit: self.position.unit,
                index,
                count,
            };
        }
        Ok(())
    }

    /// Keys of the timers due at `now_ms`, earliest first.
    fn due(&self, now_ms: i64, most: usize) -> Result<Vec<Vec<u8>>, TaskError> {
        let Some(index) = self.wiring.part.timers else {
            return Ok(Vec::new());
        };
        let mut due = Vec::new();
        let mut until = [index; 1 + size_of::<i64>()];
        until[1..].copy_from_slice(&ordered(now_ms + 1));
        self.state.scan_bytes(&[index], &until, &mut |key, _| {
            let timer = &key[1..];
            if !self.failed_timers.contains(timer) {
                due.push(timer.to_vec());
            }
            if due.len() < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(due)
    }
}

/// Bytes of a time that sort as the time does: the state crate's encoding of an `i64` key.
fn ordered(time_ms: i64) -> [u8; 8] {
    (time_ms ^ i64::MIN).to_be_bytes()
}

/// The deadline at the start of a timer's key.
fn deadline_of(timer: &[u8]) -> Option<i64> {
    let first: [u8; 8] = timer.get(..8)?.try_into().ok()?;
    Some(i64::from_be_bytes(first) ^ i64::MIN)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
