//! What the brokers know: topics, the group, transactions, and the clients that talk to them.

use std::collections::BTreeMap;

use super::ClusterConfig;
use super::group::Group;
use super::partition::{Content, Partition};
use super::transactions::{LateEnd, Transactional};
use crate::log::{LogError, Outgoing, TopicInfo, TopicSpec};

/// `delete.retention.ms` where a topic does not say: a day, as on Kafka.
const TOMBSTONES_MS: i64 = 86_400_000;

/// A topic and its partitions.
struct Topic {
    info: TopicInfo,
    partitions: Vec<Partition>,
}

/// Everything behind the one lock of a cluster.
pub(super) struct State {
    pub(super) config: ClusterConfig,
    topics: BTreeMap<String, Topic>,
    pub(super) group: Group,
    pub(super) transactional: BTreeMap<String, Transactional>,
    /// Ends of transactions that are held in the network.
    pub(super) late: Vec<LateEnd>,
    pub(super) counters: BTreeMap<&'static str, u64>,
    pub(super) version: u64,
}

impl State {
    pub(super) fn new(config: ClusterConfig) -> Self {
        Self {
            config,
            topics: BTreeMap::new(),
            group: Group::default(),
            transactional: BTreeMap::new(),
            late: Vec::new(),
            counters: BTreeMap::new(),
            version: 0,
        }
    }

    /// Counts what happened.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    pub(super) fn ensure_topics(&mut self, specs: &[TopicSpec]) -> Vec<TopicInfo> {
        let info = |spec: &TopicSpec| {
            let made = self.topics.len();
            let topic = self.topics.entry(spec.name.clone()).or_insert_with(|| {
                let partitions = (0..spec.partitions).map(|_| Partition::default());
                Topic {
                    info: TopicInfo {
                        name: spec.name.clone(),
                        id: format!("{made:08}-simulated"),
                        partitions: spec.partitions,
                        config: spec.config.clone(),
                    },
                    partitions: partitions.collect(),
                }
            });
            topic.info.clone()
        };
        specs.iter().map(info).collect()
    }

    /// Compacts the topics that are to be compacted.
    pub(super) fn clean(&mut self, wall_ms: i64) {
        for topic in self.topics.values_mut() {
            let setting = |name: &str| topic.info.config.get(name).map(String::as_str);
            if !setting("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
                continue;
            }
            let retention = setting("delete.retention.ms").and_then(|ms| ms.parse().ok());
            let retention_ms: i64 = retention.unwrap_or(TOMBSTONES_MS);
            for partition in &mut topic.partitions {
                partition.compact(wall_ms.saturating_sub(retention_ms));
            }
        }
        self.version += 1;
    }

    /// The partition count of a topic.
    pub(super) fn partitions(&self, topic: &str) -> i32 {
        let topic = self.topics.get(topic);
        topic.map_or(0, |topic| topic.info.partitions)
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        let partitions = &self.topics.get(topic)?.partitions;
        partitions.get(usize::try_from(partition).ok()?)
    }

    pub(super) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.version += 1;
        let partitions = &mut self.topics.get_mut(topic)?.partitions;
        partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// Appends a record outside of transactions.
    pub(super) fn append(&mut self, record: Outgoing<'_>, wall_ms: i64) -> Result<i64, LogError> {
        self.refuse_too_large(&record)?;
        let partition = self
            .partition_mut(record.topic, record.partition)
            .ok_or_else(|| unknown(record.topic, record.partition))?;
        Ok(partition.append(wall_ms, 0, Content::new(&record)))
    }

    pub(super) fn refuse_too_large(&self, record: &Outgoing<'_>) -> Result<(), LogError> {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let limit = self.config.max_record_bytes;
        match size > limit {
            true => Err(LogError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }
}

/// The refusal of a partition that does not exist.
pub(super) fn unknown(topic: &str, partition: i32) -> LogError {
    LogError::Refused(format!("there is no partition {topic}-{partition}"))
}
