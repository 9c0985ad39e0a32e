//! Reading: partitions of a topic up to the end that they had when it was asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stagedoor_topology::Record;
use stagedoor_topology::log::{Isolation, Log, Pace, TopicPartition};

use crate::error::AuditError;

/// How long a broker may give nothing although there is more.
const PATIENCE: Duration = Duration::from_secs(120);
const RECORDS_PER_POLL: usize = 10_000;

/// How far an audit is, in offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many offsets will be passed in all.
    Total(u64),
    /// So many more have been passed.
    Passed(u64),
}

/// First and next offset of partitions, by their number.
pub(crate) type Ends = BTreeMap<i32, (i64, i64)>;

/// The log with somebody who watches.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) log: &'a dyn Log,
    pub(crate) progress: &'a (dyn Fn(Progress) + Sync),
}

impl Source<'_> {
    /// First and next offsets as a reader of this isolation has them now.
    pub(crate) fn ends(
        &self,
        isolation: Isolation,
        topic: &str,
        partitions: &[i32],
    ) -> Result<Ends, AuditError> {
        let mut reader = self.log.reader(isolation, Pace::CatchUp)?;
        let mut ends = Ends::new();
        for partition in partitions {
            let ends_of = reader.watermarks(&TopicPartition::new(topic, *partition))?;
            ends.insert(*partition, ends_of);
        }
        Ok(ends)
    }

    /// Visits the committed records between these ends, each partition in order.
    pub(crate) fn read(
        &self,
        topic: &str,
        ends: &Ends,
        visit: &mut dyn FnMut(&Record<'_>) -> Result<(), AuditError>,
    ) -> Result<(), AuditError> {
        let mut course = Course::new(ends);
        let from: Vec<(i32, i64)> = course.left().map(|part| (part.number, part.at)).collect();
        if from.is_empty() {
            return Ok(());
        }
        let mut reader = self.log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
        reader.open(topic, &from)?;
        let (mut quiet_since, mut failure) = (Instant::now(), None);
        while course.left().next().is_some() {
            let before = course.passed;
            let ended =
                reader.poll(Duration::from_millis(50), RECORDS_PER_POLL, &mut |record| {
                    if course.pass(record) && failure.is_none() {
                        failure = visit(record).err();
                    }
                })?;
            if let Some(error) = failure.take() {
                return Err(error);
            }
            (self.progress)(Progress::Passed(course.passed - before));
            if ended {
                break;
            }
            if course.passed > before {
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() > PATIENCE {
                let topic = topic.to_owned();
                return Err(AuditError::TooSlow { topic });
            }
        }
        // Markers and what compaction took have offsets, too.
        let rest = course.left().map(|part| part.next.abs_diff(part.at));
        (self.progress)(Progress::Passed(rest.sum()));
        Ok(())
    }
}

/// How far the partitions of one topic have been read.
struct Course {
    parts: Vec<Part>,
    /// Place of the partition that the last record came from; the next one mostly does, too.
    last: usize,
    /// Offsets that were passed.
    passed: u64,
}

struct Part {
    number: i32,
    at: i64,
    next: i64,
}

impl Course {
    fn new(ends: &Ends) -> Self {
        let part = |(number, (at, next)): (&i32, &(i64, i64))| Part {
            number: *number,
            at: *at,
            next: *next,
        };
        Self {
            parts: ends.iter().map(part).collect(),
            last: 0,
            passed: 0,
        }
    }

    /// The partitions that are not at their end.
    fn left(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.at < part.next)
    }

    /// Passes a record; true if it stands before the end of its partition.
    fn pass(&mut self, record: &Record<'_>) -> bool {
        let is_it = |part: &Part| part.number == record.partition;
        if !self.parts.get(self.last).is_some_and(is_it) {
            match self.parts.iter().position(is_it) {
                Some(place) => self.last = place,
                None => return false,
            }
        }
        let part = &mut self.parts[self.last];
        let after = (record.offset + 1).min(part.next);
        self.passed += after.abs_diff(part.at.min(after));
        part.at = part.at.max(after);
        record.offset < part.next
    }
}
