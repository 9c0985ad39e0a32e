//! The topics of the log: their names, numbers, ids, sizes and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::partition::Partition;
use crate::log::{LogError, TopicInfo, TopicPartition};

/// A topic of this log.
pub(super) struct Topic {
    pub(super) number: u32,
    pub(super) id: String,
    pub(super) config: BTreeMap<String, String>,
    pub(super) partitions: Vec<Arc<Partition>>,
}

/// All topics by name.
#[derive(Default)]
pub(super) struct Topics(RwLock<BTreeMap<String, Arc<Topic>>>);

impl Topics {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.0.read().get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        self.0.read().values().cloned().collect()
    }

    pub(super) fn insert(&self, name: &str, topic: Topic) {
        self.0.write().insert(name.to_owned(), Arc::new(topic));
    }

    pub(super) fn next_number(&self) -> u32 {
        let topics = self.0.read();
        let last = topics.values().map(|topic| topic.number).max();
        last.map_or(0, |last| last + 1)
    }

    /// A partition by its name.
    pub(super) fn partition(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Arc<Partition>, LogError> {
        let topics = self.0.read();
        let found = topics.get(topic).ok_or_else(|| {
            LogError::Refused(format!(
                "there is no topic {topic} in this log; create it first"
            ))
        })?;
        let index = usize::try_from(partition).ok();
        let partition = index.and_then(|index| found.partitions.get(index).cloned());
        partition.ok_or_else(|| {
            LogError::Refused(format!(
                "the topic {topic} has {} partitions, numbered from 0",
                found.partitions.len()
            ))
        })
    }
}

impl Topic {
    /// A topic without records.
    pub(super) fn empty(
        name: &str,
        number: u32,
        id: String,
        partitions: i32,
        config: BTreeMap<String, String>,
    ) -> Self {
        let mut topic = Self {
            number,
            id,
            config,
            partitions: Vec::new(),
        };
        let bytes = topic.limit("segment.bytes", i64::MAX);
        let bytes = bytes.map_or(u64::MAX, i64::unsigned_abs);
        let limits = (
            bytes,
            topic.limit("segment.ms", i64::MAX).unwrap_or(i64::MAX),
        );
        let shared: Arc<str> = Arc::from(name);
        let partition = |partition| {
            let name = TopicPartition::new(Arc::clone(&shared), partition);
            Arc::new(Partition::new(name, (number, partition), limits))
        };
        topic.partitions = (0..partitions).map(partition).collect();
        topic
    }

    pub(super) fn info(&self, name: &str) -> TopicInfo {
        TopicInfo {
            name: name.to_owned(),
            id: self.id.clone(),
            partitions: i32::try_from(self.partitions.len()).unwrap_or(i32::MAX),
            config: self.config.clone(),
        }
    }

    /// Whether old records give way to newer ones of their key.
    pub(super) fn is_compacted(&self) -> bool {
        self.policies().any(|policy| policy == "compact")
    }

    /// Whether old records are deleted.
    pub(super) fn is_deleted(&self) -> bool {
        self.policies().any(|policy| policy == "delete")
    }

    fn policies(&self) -> impl Iterator<Item = &str> {
        let policy = self.config.get("cleanup.policy");
        policy.map_or("delete", String::as_str).split(',')
    }

    /// A setting that is a number; none where it is absent or negative, which is for ever.
    pub(super) fn limit(&self, setting: &str, default: i64) -> Option<i64> {
        let given = self.config.get(setting);
        let value = given.and_then(|text| text.parse().ok()).unwrap_or(default);
        (value >= 0).then_some(value)
    }

    /// The row of the topic: its number, id, size and settings.
    pub(super) fn row(&self) -> Vec<u8> {
        let mut text = format!("{}\n{}\n{}\n", self.number, self.id, self.partitions.len());
        for (name, value) in &self.config {
            text.push_str(&format!("{name}={value}\n"));
        }
        let sum = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("{sum:08x}"));
        text.into_bytes()
    }

    /// A topic without records, from its row.
    pub(super) fn from_row(name: &str, row: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(row).ok()?;
        let (text, sum) = text.split_at_checked(text.len().checked_sub(8)?)?;
        if u32::from_str_radix(sum, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
            return None;
        }
        let mut lines = text.lines();
        let number = lines.next()?.parse().ok()?;
        let id = lines.next()?.to_owned();
        let partitions = lines.next()?.parse().ok()?;
        let config = lines.filter_map(|line| line.split_once('='));
        let config = config
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Self::empty(name, number, id, partitions, config))
    }
}

/// The settings of a topic that asks for nothing else, by Kafka's names and defaults.
pub(super) fn effective(given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let defaults = [
        ("cleanup.policy", "delete"),
        ("delete.retention.ms", "86400000"),
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.bytes", "-1"),
        ("retention.ms", "604800000"),
        ("segment.bytes", "33554432"),
        ("segment.ms", "86400000"),
    ];
    let mut all: BTreeMap<String, String> = defaults
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    all.extend(given.clone());
    // The log knows no other time.
    all.insert(
        "message.timestamp.type".to_owned(),
        "LogAppendTime".to_owned(),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_comes_back_from_its_row_and_a_flipped_bit_does_not_pass() {
        let given = BTreeMap::from([("cleanup.policy".to_owned(), "compact,delete".to_owned())]);
        let topic = Topic::empty("t", 7, "an-id".to_owned(), 3, effective(&given));
        let row = topic.row();
        let read = Topic::from_row("t", &row).unwrap();
        assert_eq!(read.info("t"), topic.info("t"));
        assert!(read.is_compacted() && read.is_deleted());
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Upper and lower case of a digit of the checksum are the same digit.
            let same =
                Topic::from_row("t", &flipped).is_none_or(|it| it.info("t") == topic.info("t"));
            assert!(same, "bit {bit}");
        }
    }
}
