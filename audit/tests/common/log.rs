//! Topics in memory, which can be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stagedoor_topology::Record;
use stagedoor_topology::log::{
    Appender, Isolation, Log, LogError, Member, Pace, Reader, Session, TopicInfo, TopicPartition,
    TopicSpec,
};

/// Headers of a record.
pub type Headers = Vec<(String, Vec<u8>)>;

/// One record.
#[derive(Clone, Default)]
pub struct Stored {
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub headers: Headers,
}

/// One partition: its start, and what is there.
#[derive(Clone, Default)]
pub struct Partition {
    pub start: i64,
    pub next: i64,
    pub records: Vec<Stored>,
}

type Topics = BTreeMap<(String, i32), Partition>;

/// A log of committed records.
#[derive(Clone, Default)]
pub struct MemoryLog(Arc<Mutex<Topics>>);

impl MemoryLog {
    /// Appends a record; returns its offset.
    pub fn append(&self, topic: &str, partition: i32, record: Stored) -> i64 {
        self.change(topic, partition, |partition| {
            let offset = partition.next;
            partition.next += 1;
            partition.records.push(Stored { offset, ..record });
            offset
        })
    }

    /// Changes what stands in a partition.
    pub fn change<T>(
        &self,
        topic: &str,
        partition: i32,
        change: impl FnOnce(&mut Partition) -> T,
    ) -> T {
        let mut topics = self.0.lock().unwrap();
        change(topics.entry((topic.to_owned(), partition)).or_default())
    }

    /// Records of all topics.
    pub fn records(&self) -> usize {
        let topics = self.0.lock().unwrap();
        topics
            .values()
            .map(|partition| partition.records.len())
            .sum()
    }
}

/// A slice has no size that is known, and so is no trait object by itself.
struct Owned<'a>(&'a Headers);

impl stagedoor_topology::Headers for Owned<'_> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        stagedoor_topology::Headers::each(self.0.as_slice(), visit);
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        stagedoor_topology::Headers::get(self.0.as_slice(), name)
    }
}

struct MemoryReader {
    log: MemoryLog,
    topic: String,
    at: Vec<(i32, i64)>,
}

impl Log for MemoryLog {
    fn ensure_topics(&self, _: &[TopicSpec]) -> Result<Vec<TopicInfo>, LogError> {
        refused()
    }

    fn member(&self, _: &str, _: &[String]) -> Result<Box<dyn Member>, LogError> {
        refused()
    }

    fn session(&self, _: &str) -> Result<Box<dyn Session>, LogError> {
        refused()
    }

    fn reader(&self, _: Isolation, _: Pace) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(MemoryReader {
            log: self.clone(),
            topic: String::new(),
            at: Vec::new(),
        }))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogError> {
        refused()
    }
}

fn refused<T>() -> Result<T, LogError> {
    Err(LogError::Refused("an audit only reads".to_owned()))
}

impl Reader for MemoryReader {
    fn open(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<(), LogError> {
        topic.clone_into(&mut self.topic);
        self.at = from.to_vec();
        Ok(())
    }

    fn poll(
        &mut self,
        _: Duration,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<bool, LogError> {
        let mut visited = 0;
        for (number, next) in &mut self.at {
            // Out of the lock, so that a test may write while the audit reads.
            let taken = |of: &mut Partition| std::mem::take(&mut of.records);
            let mut records = self.log.change(&self.topic, *number, taken);
            let from = records.partition_point(|record| record.offset < *next);
            let until = records.len().min(from + most - visited);
            for record in &records[from..until] {
                *next = record.offset + 1;
                visit(&Record {
                    topic: &self.topic,
                    partition: *number,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    key: Some(&record.key),
                    value: record.value.as_deref(),
                    headers: &Owned(&record.headers),
                });
            }
            visited += until - from;
            let all = until == records.len();
            self.log.change(&self.topic, *number, |partition| {
                records.append(&mut partition.records);
                partition.records = records;
            });
            if !all {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        let topics = self.log.0.lock().unwrap();
        let found = topics.get(&(partition.topic.to_string(), partition.partition));
        Ok(found.map_or((0, 0), |found| (found.start, found.next)))
    }
}
