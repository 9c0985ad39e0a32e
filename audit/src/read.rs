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
        let mut passed: BTreeMap<i32, i64> =
            ends.iter().map(|(of, (low, _))| (*of, *low)).collect();
        let mut left = ends.values().filter(|(low, next)| low < next).count();
        let from: Vec<(i32, i64)> = ends
            .iter()
            .filter(|(_, (low, next))| low < next)
            .map(|(partition, (low, _))| (*partition, *low))
            .collect();
        if left == 0 {
            return Ok(());
        }
        let mut reader = self.log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
        reader.open(topic, &from)?;
        let (mut quiet_since, mut failure) = (Instant::now(), None);
        while left > 0 {
            let mut visited = 0;
            let ended =
                reader.poll(Duration::from_millis(50), RECORDS_PER_POLL, &mut |record| {
                    visited += 1;
                    let next = ends.get(&record.partition).map_or(0, |(_, next)| *next);
                    let before = passed.entry(record.partition).or_default();
                    let after = (record.offset + 1).min(next);
                    left -= usize::from(*before < next && after == next);
                    (self.progress)(Progress::Passed(after.abs_diff((*before).min(after))));
                    *before = after.max(*before);
                    if record.offset < next && failure.is_none() {
                        failure = visit(record).err();
                    }
                })?;
            if let Some(error) = failure.take() {
                return Err(error);
            }
            if ended {
                break;
            }
            if visited > 0 {
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() > PATIENCE {
                let topic = topic.to_owned();
                return Err(AuditError::TooSlow { topic });
            }
        }
        // Markers and what compaction took have offsets, too.
        let rest = ends
            .iter()
            .map(|(of, (_, next))| next.abs_diff(*next.min(&passed[of])));
        (self.progress)(Progress::Passed(rest.sum()));
        Ok(())
    }
}
