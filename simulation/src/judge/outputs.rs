//! The topics at the end: everything that should be there is, once, in order, and nothing else.

use std::collections::BTreeMap;

use stagedoor_topology::log::Isolation;
use stagedoor_topology::log::simulated::{OwnedRecord, SimulatedCluster};
use stagedoor_topology::{STAMP_HEADER, Stamp};

use super::Violation;
use super::lane::{Lane, channel_of};
use crate::site::Site;

/// How many records of each unit were found, by partition and unit.
type Found = BTreeMap<(i32, i64, u32), u32>;

/// Judges every record of every topic that tasks write to.
pub(super) fn all(lanes: &[Lane], cluster: &SimulatedCluster, site: &Site) -> Option<Violation> {
    let mut found = Found::new();
    for (sink, topic) in &site.outputs {
        for partition in 0..site.config.naming.partitions {
            let records = cluster.read(topic, partition, Isolation::ReadCommitted, 0);
            let mut last: BTreeMap<i32, Stamp> = BTreeMap::new();
            for record in &records {
                let wrong = one(lanes, sink, record, &mut last, &mut found);
                if let Some((checker, text)) = wrong {
                    let place = format!("{topic}-{partition}@{}", record.offset);
                    return Some(Violation::new(checker, format!("{place}: {text}")));
                }
            }
        }
    }
    lanes.iter().find_map(|lane| missing(lane, &found))
}

fn one(
    lanes: &[Lane],
    sink: &str,
    record: &OwnedRecord,
    last: &mut BTreeMap<i32, Stamp>,
    found: &mut Found,
) -> Option<(&'static str, String)> {
    let header = record.headers.iter().find(|(name, _)| name == STAMP_HEADER);
    let Some(stamp) = header.and_then(|(_, value)| Stamp::decode(value)) else {
        return Some(("C3", "it has no stamp".to_owned()));
    };
    if let Some(before) = last
        .insert(stamp.partition, stamp)
        .filter(|before| *before >= stamp)
    {
        return Some(("C3", format!("{stamp:?} comes after {before:?}")));
    }
    let lane = usize::try_from(stamp.partition)
        .ok()
        .and_then(|at| lanes.get(at));
    let (Some(lane), Some(channel)) = (lane, channel_of(sink)) else {
        return Some(("C3", format!("{stamp:?} is of no partition")));
    };
    *found
        .entry((stamp.partition, stamp.offset, stamp.unit))
        .or_default() += 1;
    let wrong = lane.objection(&stamp, channel, &record.as_record());
    wrong.map(|text| ("C1", text))
}

/// The first unit of which not everything was found.
fn missing(lane: &Lane, found: &Found) -> Option<Violation> {
    for (offset, turn) in (0..).zip(lane.turns()) {
        for (unit, expected) in (0..).zip(turn) {
            let count = found
                .get(&(lane.partition(), offset, unit))
                .copied()
                .unwrap_or(0);
            if usize::try_from(count) != Ok(expected.len()) {
                let input = lane.input();
                let text = format!(
                    "of {input} {offset} unit {unit} there are {count} records and should be {expected:?}"
                );
                return Some(Violation::new("C4", text));
            }
        }
    }
    None
}
