//! What tasks forwarded: read once from all topics, and sorted by the command partitions it came of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stagedoor_topology::log::Isolation;
use stagedoor_topology::{Record, STAMP_HEADER, Stamp};

use crate::checkers::sets::Sets;
use crate::checkers::stamps::Order;
use crate::error::AuditError;
use crate::parallel::in_order;
use crate::read::Ends;
use crate::report::{Place, Report};
use crate::sources::{OutputTopic, Sources};
use crate::spill::{Merge, Spill};
use crate::turn::Channel;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What tasks forwarded, sorted by command partitions.
#[derive(Default)]
pub(crate) struct Outputs {
    spills: Vec<Spill>,
    skips: Skips,
    complete_after_ms: Option<i64>,
}

/// Units that dead letters say were skipped because they killed the process, by command partition.
type Skips = BTreeMap<i32, BTreeSet<(i64, u32)>>;

/// What is found in one partition of the topics of outputs.
type Found = ((Channel, i32), Report);

impl Outputs {
    /// Reads the topics of outputs, some of their partitions at once. `log_id` is the command log's
    /// part of the stamps, where it is known, and `lanes` are the command partitions that are audited.
    pub(crate) fn read(
        sources: &Sources<'_>,
        log_id: Option<u64>,
        lanes: BTreeSet<i32>,
        report: &mut Report,
    ) -> Result<Self, AuditError> {
        let reader = OutputReader {
            log_id,
            lanes,
            partitions: sources.naming.partitions,
        };
        let topics = sources.outputs();
        let most = topics.iter().map(|topic| topic.every_partition().len());
        // Where the log is not known the first stamp names it, so there must be one first.
        let shares = match log_id {
            Some(_) => sources.threads.clamp(1, most.max().unwrap_or(1).max(1)),
            None => 1,
        };
        let read = in_order(shares, 0..shares, |share| {
            let places = topics
                .iter()
                .map(|topic| (topic, topic.share(share, shares)));
            Share::read(sources, &reader, places, sources.memory_bytes / shares)
        });
        let (mut outputs, mut found) = (Self::default(), Vec::new());
        for share in read {
            let share = share?;
            share.order.finish(report);
            found.extend(share.found);
            outputs.spills.push(share.spill);
            for (lane, skips) in share.skips {
                outputs.skips.entry(lane).or_default().extend(skips);
            }
            let cut = share.complete_after_ms;
            outputs.complete_after_ms = outputs.complete_after_ms.max(cut);
        }
        found.sort_by_key(|(place, _)| *place);
        for (_, of_partition) in found {
            report.merge(of_partition);
        }
        report.complete_after_ms = report.complete_after_ms.max(outputs.complete_after_ms);
        Ok(outputs)
    }
}

/// Some partitions of all topics of outputs.
struct Share {
    spill: Spill,
    order: Order,
    skips: Skips,
    complete_after_ms: Option<i64>,
    found: Vec<Found>,
}

impl Share {
    fn read<'b>(
        sources: &Sources<'_>,
        reader: &OutputReader,
        places: impl Iterator<Item = (&'b OutputTopic, Vec<i32>)>,
        memory_bytes: usize,
    ) -> Result<Self, AuditError> {
        let mut share = Self {
            spill: Spill::new(&sources.temporary, memory_bytes),
            order: Order::default(),
            skips: Skips::new(),
            complete_after_ms: None,
            found: Vec::new(),
        };
        for (topic, partitions) in places.filter(|(_, partitions)| !partitions.is_empty()) {
            share.read_topic(sources, reader, &partitions, topic)?;
        }
        Ok(share)
    }

    fn read_topic(
        &mut self,
        sources: &Sources<'_>,
        reader: &OutputReader,
        partitions: &[i32],
        topic: &OutputTopic,
    ) -> Result<(), AuditError> {
        let (source, channel, topic) = (sources.source(), topic.channel, &topic.name);
        let ends = source.ends(Isolation::ReadCommitted, topic, partitions)?;
        let mut parts: BTreeMap<i32, Part> = BTreeMap::new();
        source.read(topic, &ends, &mut |record| {
            let part = parts.entry(record.partition).or_insert_with(|| Part {
                first_ms: record.timestamp_ms,
                report: Report::default(),
            });
            part.report.records += 1;
            reader.take(record, (topic, channel), self, &mut part.report)
        })?;
        let first = |partition: &i32| parts.get(partition).map(|part| part.first_ms);
        let cut = cut_before(channel, &ends, &first);
        self.complete_after_ms = self.complete_after_ms.max(cut);
        let found = parts.into_iter();
        self.found
            .extend(found.map(|(partition, part)| ((channel, partition), part.report)));
        Ok(())
    }
}

/// One partition of a topic.
struct Part {
    /// Log time of its first record.
    first_ms: i64,
    report: Report,
}

/// Log time up to which records may have left a topic. Retention takes the oldest first, so
/// whatever was appended after the first record that is left is left as well.
fn cut_before(
    channel: Channel,
    ends: &Ends,
    first_ms: &dyn Fn(&i32) -> Option<i64>,
) -> Option<i64> {
    let retention_ms = match channel {
        Channel::Results => 7 * DAY_MS,
        Channel::Events | Channel::Catalogue | Channel::DeadLetters => 30 * DAY_MS,
    };
    let is_cut = |(_, (low, _)): &(&i32, &(i64, i64))| *low > 0;
    let cuts = ends.iter().filter(is_cut).map(|(partition, _)| {
        let emptied = || wall_clock_ms() - retention_ms;
        first_ms(partition).unwrap_or_else(emptied)
    });
    cuts.max()
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// What tells outputs that are audited from all others.
struct OutputReader {
    /// The input log's part of the stamps, where it is known.
    log_id: Option<u64>,
    lanes: BTreeSet<i32>,
    partitions: i32,
}

impl OutputReader {
    fn take(
        &self,
        record: &Record<'_>,
        (topic, channel): (&Arc<str>, Channel),
        share: &mut Share,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let place = || Place::new(Arc::clone(topic), record.partition, record.offset);
        let stamp = record.header(STAMP_HEADER).and_then(Stamp::decode);
        // Other command topics have other logs; their outputs are audited with them.
        let is_other = |stamp: &Stamp| self.log_id.is_some_and(|log_id| log_id != stamp.log_id);
        let Some(stamp) = stamp else {
            Sets::unstamped(&place(), report);
            return Ok(());
        };
        if is_other(&stamp) {
            return Ok(());
        }
        if !(0..self.partitions).contains(&stamp.partition) {
            Sets::unstamped(&place(), report);
            return Ok(());
        }
        if !self.lanes.contains(&stamp.partition) {
            return Ok(());
        }
        let run = (channel, record.partition);
        share.order.output(stamp, run, &place, report);
        let exception = || record.header("__streams.errors.exception");
        if channel == Channel::DeadLetters && exception() == Some(b"crash_loop") {
            let skips = share.skips.entry(stamp.partition).or_default();
            skips.insert((stamp.offset, stamp.unit));
        }
        let bytes = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        let at = (record.partition, record.offset);
        share.spill.push(stamp, (topic, channel), at, bytes)
    }
}

/// What tasks forwarded because of one command partition.
pub(crate) struct LaneOutputs {
    pub(crate) merge: Merge,
    pub(crate) skips: BTreeSet<(i64, u32)>,
    pub(crate) complete_after_ms: Option<i64>,
}

impl Outputs {
    /// Takes out what belongs to one command partition.
    pub(crate) fn of(&mut self, partition: i32) -> Result<LaneOutputs, AuditError> {
        let spills = self.spills.iter_mut();
        let cursors = spills.flat_map(|spill| spill.take(partition));
        Ok(LaneOutputs {
            merge: Merge::new(cursors.collect())?,
            skips: self.skips.remove(&partition).unwrap_or_default(),
            complete_after_ms: self.complete_after_ms,
        })
    }
}
