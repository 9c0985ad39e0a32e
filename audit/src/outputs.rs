//! What tasks forwarded: read once from all topics, and sorted by the command partitions it came of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stagedoor_topology::log::Isolation;
use stagedoor_topology::{Record, STAMP_HEADER, Stamp};

use crate::checkers::sets::Sets;
use crate::checkers::stamps::Order;
use crate::error::AuditError;
use crate::read::Ends;
use crate::report::{Place, Report};
use crate::sources::Sources;
use crate::spill::{Merge, Spill};
use crate::turn::Channel;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What tasks forwarded, sorted by command partitions.
pub(crate) struct Outputs {
    spill: Spill,
    order: Order,
    /// Units that dead letters say were skipped because they killed the process.
    skips: BTreeMap<i32, BTreeSet<(i64, u32)>>,
    complete_after_ms: Option<i64>,
}

impl Outputs {
    /// Reads the topics of outputs. `log_id` is the command log's part of the stamps, where it is
    /// known, and `lanes` are the command partitions that are audited.
    pub(crate) fn read(
        sources: &Sources<'_>,
        log_id: Option<u64>,
        lanes: BTreeSet<i32>,
        report: &mut Report,
    ) -> Result<Self, AuditError> {
        let mut outputs = Self {
            spill: Spill::new(&sources.temporary, sources.memory_bytes),
            order: Order::default(),
            skips: BTreeMap::new(),
            complete_after_ms: None,
        };
        let reader = OutputReader {
            log_id,
            lanes,
            partitions: sources.naming.partitions,
        };
        for (topic, channel) in sources.outputs() {
            let every = sources.every_partition();
            let ends = sources
                .source()
                .ends(Isolation::ReadCommitted, &topic, &every)?;
            let mut first = BTreeMap::new();
            sources.source().read(&topic, &ends, &mut |record| {
                first.entry(record.partition).or_insert(record.timestamp_ms);
                report.records += 1;
                reader.take(record, (&topic, channel), &mut outputs, report)
            })?;
            let cut = cut_before(channel, &ends, &first);
            outputs.complete_after_ms = outputs.complete_after_ms.max(cut);
        }
        report.complete_after_ms = report.complete_after_ms.max(outputs.complete_after_ms);
        outputs.order.finish(report);
        Ok(outputs)
    }
}

/// Log time up to which records may have left a topic. Retention takes the oldest first, so
/// whatever was appended after the first record that is left is left as well.
fn cut_before(channel: Channel, ends: &Ends, first: &BTreeMap<i32, i64>) -> Option<i64> {
    let retention_ms = match channel {
        Channel::Results => 7 * DAY_MS,
        Channel::Events | Channel::Catalogue | Channel::DeadLetters => 30 * DAY_MS,
    };
    let is_cut = |(_, (low, _)): &(&i32, &(i64, i64))| *low > 0;
    let cuts = ends.iter().filter(is_cut).map(|(partition, _)| {
        let emptied = || wall_clock_ms() - retention_ms;
        first.get(partition).copied().unwrap_or_else(emptied)
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
        outputs: &mut Outputs,
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
        outputs
            .order
            .output(stamp, (channel, record.partition), &place(), report);
        if record.header("__streams.errors.exception") == Some(b"crash_loop") {
            let skips = outputs.skips.entry(stamp.partition).or_default();
            skips.insert((stamp.offset, stamp.unit));
        }
        let bytes = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        let at = (record.partition, record.offset);
        outputs.spill.push(stamp, (topic, channel), at, bytes)
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
        Ok(LaneOutputs {
            merge: self.spill.merge(partition)?,
            skips: self.skips.remove(&partition).unwrap_or_default(),
            complete_after_ms: self.complete_after_ms,
        })
    }
}
