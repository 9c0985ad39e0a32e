//! The names, ids and sizes a task needs, resolved once against the topics that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::TopicPartition;
use crate::secret::Secret;
use crate::topology::SubTopology;

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
