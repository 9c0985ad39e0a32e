//! The names, ids and sizes a task needs, resolved once against the topics that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::StreamsConfig;
use crate::log::{TopicInfo, TopicPartition};
use crate::secret::Secret;
use crate::topology::{SubTopology, Topology};

/// A topic with its partition count.
#[derive(Debug, Clone)]
pub(crate) struct WiredTopic {
    /// Full name.
    pub(crate) name: Arc<str>,
    /// Its id: another one after it was deleted and made anew.
    pub(crate) id: String,
    /// Partition count.
    pub(crate) partitions: i32,
}

impl WiredTopic {
    /// One of its partitions.
    pub(crate) fn partition(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.name), partition)
    }
}

/// Everything outside of the state that a sub-topology's tasks share.
pub(crate) struct Wiring {
    /// The sub-topology.
    pub(crate) part: SubTopology,
    /// Its place in the topology: the first half of task ids.
    pub(crate) index: usize,
    /// Fingerprint of source and stores.
    pub(crate) fingerprint: String,
    /// The input topic.
    pub(crate) input: WiredTopic,
    /// The compacted changelog.
    pub(crate) changelog: WiredTopic,
    /// The changelog of windowed stores.
    pub(crate) window_changelog: WiredTopic,
    /// Dead letters.
    pub(crate) dead_letters: WiredTopic,
    /// Sink topics by their name without prefix.
    pub(crate) sinks: BTreeMap<&'static str, WiredTopic>,
    /// Key of the MAC on Ticks.
    pub(crate) secret: Secret,
    /// Largest record that may be forwarded, in bytes.
    pub(crate) max_record_bytes: usize,
    /// What schedules.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Wiring {
    /// The input log's part of a stamp: the start of the topic's id.
    pub(crate) fn log_id(&self) -> u64 {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(self.input.id.bytes()) {
            *to = from;
        }
        u64::from_be_bytes(first)
    }
}

/// Resolves every sub-topology against the topics that exist.
pub(crate) fn wire(
    topology: &Topology,
    config: &StreamsConfig,
    infos: &[TopicInfo],
) -> Result<Vec<Arc<Wiring>>, String> {
    let parts = topology.sub_topologies().iter().enumerate();
    parts
        .map(|(index, part)| wire_part(index, part, config, infos))
        .collect()
}

fn wire_part(
    index: usize,
    part: &SubTopology,
    config: &StreamsConfig,
    infos: &[TopicInfo],
) -> Result<Arc<Wiring>, String> {
    let naming = &config.naming;
    let find = |name: String| wired(infos, &name);
    let sink = |topic: &'static str| Ok((topic, find(naming.topic(topic))?));
    Ok(Arc::new(Wiring {
        index,
        fingerprint: part.fingerprint(),
        input: find(naming.topic(part.source.topic))?,
        changelog: find(naming.changelog(part.name))?,
        window_changelog: find(naming.window_changelog(part.name))?,
        dead_letters: find(naming.dead_letters())?,
        sinks: part
            .sinks
            .iter()
            .map(|to| sink(to.topic))
            .collect::<Result<_, String>>()?,
        secret: config.secret.clone(),
        max_record_bytes: config.max_record_bytes,
        clock: Arc::clone(&config.clock),
        part: part.clone(),
    }))
}

/// A topic by its full name.
pub(crate) fn wired(infos: &[TopicInfo], name: &str) -> Result<WiredTopic, String> {
    let info = infos.iter().find(|info| info.name == name);
    let info = info.ok_or_else(|| format!("the topic {name} is missing; create it and restart"))?;
    let name = Arc::from(info.name.as_str());
    Ok(WiredTopic {
        name,
        id: info.id.clone(),
        partitions: info.partitions,
    })
}

/// Which task: sub-topology and partition, shown as Kafka Streams shows it (`0_3`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Place of the sub-topology.
    pub sub_topology: usize,
    /// Partition of its input.
    pub partition: i32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.sub_topology, self.partition)
    }
}
