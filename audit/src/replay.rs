//! Replay: a command partition through its processor once more, in memory.
//!
//! It is a runtime of its own, much smaller than the real one: no batches, no transactions, no
//! log. What it must share with the real one is the order of a turn: everything due at or before
//! a record's time in units of at most 256 timers, then the record; a unit that fails leaves
//! nothing but its dead letter and, where possible, an answer.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stagedoor_state::{MemoryDatabase, ReadState as _, StorageProvider as _, TaskState};
use stagedoor_topology::log::InputPosition;
use stagedoor_topology::{
    Context, Failure, Forwarded, Processor, Record, Secret, Stamp, SubTopology, TaskError,
    TopicNaming, partition_for,
};

use crate::error::AuditError;
use crate::inputs::{InputKind, kind_of};
use crate::turn::Channel;

const TIMERS_PER_UNIT: usize = 256;
/// How much of a poison value a dead letter keeps, if that is less than half a record.
const DEAD_LETTER_BYTES: usize = 512 * 1024;
/// Most windowed rows past their time that go at once, so that the state stays small.
const PURGE_PER_COMMIT: usize = 4 * RECORDS_PER_COMMIT;
const RECORDS_PER_COMMIT: usize = 256;

/// One output that the replay gives; its log id is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) stamp: Stamp,
    pub(crate) channel: Channel,
    /// None for a dead letter, which stands in the partition of its input.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What a replay has to know besides the records.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) part: &'a SubTopology,
    /// Partition counts of the topics.
    pub(crate) naming: &'a TopicNaming,
    /// Key of the MAC on Ticks.
    pub(crate) secret: &'a Secret,
    /// Largest record that may be forwarded.
    pub(crate) max_record_bytes: usize,
}

/// The replay of one command partition.
pub(crate) struct Replay<'a> {
    /// The state so far.
    pub(crate) state: TaskState,
    /// What was forwarded since it was last emptied, in order.
    pub(crate) given: Vec<Given>,
    /// Greatest log time so far.
    pub(crate) time_ms: i64,
    /// How many records had their turn.
    pub(crate) records: usize,
    rules: Rules<'a>,
    partition: i32,
    processor: Box<dyn Processor>,
    forwarded: Vec<Forwarded>,
    /// Units that were skipped because they killed the process: the dead letters say so.
    skips: BTreeSet<(i64, u32)>,
    failed_timers: BTreeSet<Vec<u8>>,
}

/// Key and value of a dead letter.
type Letter = (Vec<u8>, Vec<u8>);

impl<'a> Replay<'a> {
    /// A replay that has seen nothing yet.
    pub(crate) fn new(
        rules: Rules<'a>,
        partition: i32,
        skips: BTreeSet<(i64, u32)>,
    ) -> Result<Self, AuditError> {
        let storage = MemoryDatabase::new().storage("replay")?;
        Ok(Self {
            state: TaskState::new(storage, rules.part.stores.clone())?,
            given: Vec::new(),
            time_ms: 0,
            records: 0,
            rules,
            partition,
            processor: (rules.part.processor)(),
            forwarded: Vec::new(),
            skips,
            failed_timers: BTreeSet::new(),
        })
    }

    /// Gives a record its turn if it stands before `until`, or its first units if it is the one
    /// in whose turn `until` is.
    pub(crate) fn take(
        &mut self,
        record: &Record<'_>,
        until: InputPosition,
    ) -> Result<(), AuditError> {
        let timers = match record.offset.cmp(&until.next_offset) {
            std::cmp::Ordering::Less => u32::MAX,
            std::cmp::Ordering::Equal => until.unit,
            std::cmp::Ordering::Greater => 0,
        };
        if timers == 0 {
            return Ok(());
        }
        let (partition, offset) = (self.partition, record.offset);
        let stopped = |reason| AuditError::Replay {
            partition,
            offset,
            reason,
        };
        self.turn(record, timers).map_err(stopped)
    }

    /// Makes the writes of the last records part of the committed state.
    pub(crate) fn settle(&mut self) -> Result<(), AuditError> {
        Ok(self.state.commit(&[])?)
    }

    fn turn(&mut self, record: &Record<'_>, timer_units: u32) -> Result<(), TaskError> {
        self.time_ms = self.time_ms.max(record.timestamp_ms);
        let record = Record {
            timestamp_ms: self.time_ms,
            ..*record
        };
        let mut unit = 0;
        while unit < timer_units && self.timer_unit(record.offset, unit)? {
            unit += 1;
        }
        if timer_units == u32::MAX {
            self.record_unit(&record, unit)?;
            self.records += 1;
            if self.records.is_multiple_of(RECORDS_PER_COMMIT) {
                self.state.commit(&[])?;
                self.state.purge_expired(self.time_ms, PURGE_PER_COMMIT)?;
            }
        }
        Ok(())
    }

    /// One unit of due timers. Returns whether there was any.
    fn timer_unit(&mut self, offset: i64, unit: u32) -> Result<bool, TaskError> {
        let due = self.due()?;
        if due.is_empty() {
            return Ok(false);
        }
        let mut letters = Vec::new();
        if self.skips.contains(&(offset, unit)) {
            due.iter()
                .for_each(|timer| self.pass_over(timer, &mut letters));
        } else if self
            .guarded(|processor, context| {
                due.iter()
                    .try_for_each(|timer| processor.fire(timer, context))
            })?
            .is_err()
        {
            let mut forwarded = Vec::new();
            for timer in &due {
                if self
                    .guarded(|processor, context| processor.fire(timer, context))?
                    .is_err()
                {
                    self.pass_over(timer, &mut letters);
                }
                forwarded.append(&mut self.forwarded);
            }
            self.forwarded = forwarded;
        }
        self.finish_unit(offset, unit, letters);
        Ok(true)
    }

    fn pass_over(&mut self, timer: &[u8], letters: &mut Vec<Letter>) {
        self.failed_timers.insert(timer.to_vec());
        letters.push((timer.to_vec(), Vec::new()));
    }

    fn record_unit(&mut self, record: &Record<'_>, unit: u32) -> Result<(), TaskError> {
        let failure = if self.skips.contains(&(record.offset, unit)) {
            Some(Failure::new("crash_loop", ""))
        } else if record
            .value
            .is_some_and(|value| value.starts_with(&[0, 0, 0, 0, 2]))
        {
            if kind_of(record, self.rules.secret) == InputKind::Tick {
                return Ok(());
            }
            self.finish_unit(record.offset, unit, vec![self.letter(record)]);
            return Ok(());
        } else {
            self.guarded(|processor, context| processor.process(record, context))?
                .err()
        };
        let mut letters = Vec::new();
        if let Some(failure) = failure {
            // A second failure only leaves the record without an answer.
            let _ = self.guarded(|processor, context| {
                processor.answer_failure(record, &failure, context)
            })?;
            letters.push(self.letter(record));
        }
        self.finish_unit(record.offset, unit, letters);
        Ok(())
    }

    /// Runs a part of the processor; one that fails leaves no trace.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<(), TaskError>,
    ) -> Result<Result<(), Failure>, TaskError> {
        self.forwarded.clear();
        let savepoint = self.state.savepoint();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::new(&mut self.state, self.time_ms, &mut self.forwarded);
            work(&mut *self.processor, &mut context)
        }));
        let failure = match outcome {
            Ok(Ok(())) if self.fits() => return Ok(Ok(())),
            Ok(Ok(())) => Failure::new("oversize", ""),
            Ok(Err(TaskError::Undecodable { code, reason })) => Failure { code, reason },
            Ok(Err(other)) => return Err(other),
            Err(_) => {
                self.processor = (self.rules.part.processor)();
                Failure::new("panic", "")
            }
        };
        self.state.rollback(savepoint);
        self.forwarded.clear();
        Ok(Err(failure))
    }

    fn fits(&self) -> bool {
        self.forwarded.iter().all(|forward| {
            let value = forward.message.value.as_ref().map_or(0, Vec::len);
            forward.message.key.len() + value <= self.rules.max_record_bytes
        })
    }

    fn finish_unit(&mut self, offset: i64, unit: u32, letters: Vec<Letter>) {
        let naming = self.rules.naming;
        let start = self.given.len();
        for forward in self.forwarded.drain(..) {
            let Some(channel) = channel(forward.sink.topic) else {
                continue;
            };
            let partitions = naming.partitions_of(forward.sink.topic);
            let message = forward.message;
            let by_key = || partition_for(&message.key, partitions);
            let named = message
                .partition
                .filter(|partition| (0..partitions).contains(partition));
            self.given.push(Given {
                stamp: Stamp::default(),
                channel,
                partition: Some(named.unwrap_or_else(by_key)),
                key: message.key,
                value: message.value.unwrap_or_default(),
            });
        }
        self.given
            .extend(letters.into_iter().map(|(key, value)| Given {
                stamp: Stamp::default(),
                channel: Channel::DeadLetters,
                partition: None,
                key,
                value,
            }));
        let count = u32::try_from(self.given.len() - start).unwrap_or(u32::MAX);
        for (index, given) in (0..).zip(&mut self.given[start..]) {
            let partition = self.partition;
            given.stamp = Stamp {
                log_id: 0,
                partition,
                offset,
                unit,
                index,
                count,
            };
        }
    }

    fn letter(&self, record: &Record<'_>) -> Letter {
        let limit = DEAD_LETTER_BYTES.min(self.rules.max_record_bytes / 2);
        let cut = |bytes: &[u8], limit: usize| bytes[..bytes.len().min(limit)].to_vec();
        let (key, value) = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        (cut(key, limit / 2), cut(value, limit))
    }

    /// Keys of the timers that are due, earliest first.
    fn due(&self) -> Result<Vec<Vec<u8>>, TaskError> {
        let Some(index) = self.rules.part.timers else {
            return Ok(Vec::new());
        };
        let mut until = vec![index];
        until.extend_from_slice(&((self.time_ms + 1) ^ i64::MIN).to_be_bytes());
        let mut due = Vec::new();
        self.state.scan_bytes(&[index], &until, &mut |key, _| {
            if !self.failed_timers.contains(&key[1..]) {
                due.push(key[1..].to_vec());
            }
            if due.len() < TIMERS_PER_UNIT {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(due)
    }
}

fn channel(topic: &str) -> Option<Channel> {
    match topic {
        "results" => Some(Channel::Results),
        "reservation.events" => Some(Channel::Events),
        "catalogue" => Some(Channel::Catalogue),
        _ => None,
    }
}
