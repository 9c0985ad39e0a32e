//! A short audit of one application by its topics alone: stamps, sets, answers, positions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use stagedoor_avro::AvroRecord as _;
use stagedoor_topology::{POSITION_KEY, Position, Stamp, Tick};

use super::site::{Owned, Site};

/// What the audit saw; a run in which it saw nothing proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Commands in the log.
    pub commands: usize,
    /// Records that were forwarded because of them.
    pub outputs: usize,
    /// Broken promises, in words.
    pub violations: Vec<String>,
}

impl Audit {
    /// Reads every topic of an application that has decided everything.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let mut audit = Self::default();
        let commands: BTreeSet<(i32, i64)> = site
            .read(&site.commands())
            .iter()
            .filter(|record| !is_tick(record))
            .map(|record| (record.partition, record.offset))
            .collect();
        audit.commands = commands.len();
        let outputs = outputs(site);
        audit.outputs = outputs.len();
        audit.sets_are_whole(&outputs);
        let answered: BTreeSet<(i32, i64)> = outputs
            .iter()
            .map(|(_, stamp)| (stamp.partition, stamp.offset))
            .collect();
        for (partition, offset) in commands.difference(&answered) {
            audit
                .violations
                .push(format!("command {partition}@{offset} has no answer"));
        }
        for partition in 0..site.options.partitions {
            audit.positions_agree(site, partition);
        }
        audit
    }

    /// Every unit's records are there once each, and all of them.
    fn sets_are_whole(&mut self, outputs: &[(String, Stamp)]) {
        let mut sets: BTreeMap<(i32, i64, u32), Vec<(u32, u32)>> = BTreeMap::new();
        for (_, stamp) in outputs {
            let unit = (stamp.partition, stamp.offset, stamp.unit);
            sets.entry(unit)
                .or_default()
                .push((stamp.index, stamp.count));
        }
        for ((partition, offset, unit), mut parts) in sets {
            parts.sort_unstable();
            let whole = (0..).zip(&parts).all(|(at, (index, count))| {
                at == *index && usize::try_from(*count) == Ok(parts.len())
            });
            if !whole {
                let set = format!("{partition}@{offset} unit {unit}");
                self.violations
                    .push(format!("torn or repeated set of {set}: {parts:?}"));
            }
        }
    }

    fn positions_agree(&mut self, site: &Site, partition: i32) {
        let stored = last_position(site, partition).map(|position| position.next_offset);
        let committed = committed(site, partition);
        if stored != committed {
            let text = format!("partition {partition}: position {stored:?}, group {committed:?}");
            self.violations.push(text);
        }
    }
}

/// The last committed `position` of a partition's changelog.
#[must_use]
pub fn last_position(site: &Site, partition: i32) -> Option<Position> {
    let records = site.read(&site.changelog());
    let last = records.iter().rfind(|record| {
        record.partition == partition && record.key.as_deref() == Some(POSITION_KEY)
    });
    last.and_then(|record| stagedoor_avro::decode(record.value.as_deref()?).ok())
}

/// The group's committed input offset.
#[must_use]
pub fn committed(site: &Site, partition: i32) -> Option<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &site.options.bootstrap_servers)
        .set("group.id", &site.options.application)
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition(&site.commands(), partition);
    let answer = consumer
        .committed_offsets(list, Duration::from_secs(10))
        .ok()?;
    let next = answer.elements().first()?.offset();
    if let Offset::Offset(offset) = next {
        Some(offset)
    } else {
        None
    }
}

/// Everything that tasks forwarded, with its topic.
fn outputs(site: &Site) -> Vec<(String, Stamp)> {
    let naming = site.options.naming();
    let topology = site.options.topology();
    let sinks = topology
        .sub_topologies()
        .iter()
        .flat_map(|part| &part.sinks);
    let mut topics: BTreeSet<String> = sinks.map(|sink| naming.topic(sink.topic)).collect();
    topics.insert(naming.dead_letters());
    let stamped = |topic: String| {
        let records = site.read(&topic);
        let stamps: Vec<Stamp> = records.iter().filter_map(Owned::stamp).collect();
        stamps.into_iter().map(move |stamp| (topic.clone(), stamp))
    };
    topics.into_iter().flat_map(stamped).collect()
}

fn is_tick(record: &Owned) -> bool {
    let id = Tick::SCHEMA_ID.to_be_bytes();
    record
        .value
        .as_ref()
        .is_some_and(|value| value.get(1..5) == Some(&id[..]))
}
