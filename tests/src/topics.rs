//! Reading topics and writing commands past HTTP, as an outside program would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use stagedoor_topology::log::{
    Appended, Appender, Haste, InputPosition, Isolation, Log, LogError, Outgoing, Pace,
};
use stagedoor_topology::{Header, Record, partition_for};

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Visits the committed records of all partitions of a topic, from the first to the last.
///
/// # Errors
/// Those of the log, and one if the end is not reached in time.
pub fn read(
    log: &dyn Log,
    topic: &str,
    partitions: i32,
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<(), LogError> {
    let mut reader = log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
    let from: Vec<(i32, i64)> = (0..partitions).map(|partition| (partition, 0)).collect();
    reader.open(topic, &from)?;
    let started = Instant::now();
    while !reader.poll(Duration::from_millis(50), 10_000, visit)? {
        if started.elapsed() > PATIENCE {
            return Err(LogError::Unavailable(format!(
                "{topic} was not read to its end"
            )));
        }
    }
    Ok(())
}

/// What a consumer group has committed, by partition.
///
/// # Errors
/// Those of the client.
pub fn committed(
    bootstrap_servers: &str,
    group: &str,
    topic: &str,
    partitions: i32,
) -> Result<BTreeMap<i32, InputPosition>, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("group.id", group)
        .create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let answer = consumer.committed_offsets(list, PATIENCE)?;
    let position = |next_offset, unit: &str| InputPosition {
        next_offset,
        unit: unit.parse().unwrap_or(0),
    };
    let elements = answer.elements();
    let found = elements.iter().filter_map(|element| {
        let Offset::Offset(next) = element.offset() else {
            return None;
        };
        Some((element.partition(), position(next, element.metadata())))
    });
    Ok(found.collect())
}

/// The offset after the last record of each partition.
///
/// # Errors
/// Those of the log.
pub fn ends(log: &dyn Log, topic: &str, partitions: i32) -> Result<BTreeMap<i32, i64>, LogError> {
    let mut reader = log.reader(Isolation::ReadUncommitted, Pace::CatchUp)?;
    let partition = |partition| stagedoor_topology::log::TopicPartition::new(topic, partition);
    let end = |number| Ok((number, reader.watermarks(&partition(number))?.1));
    (0..partitions).map(end).collect()
}

/// Writes records to one topic, each to the partition of its key.
pub struct Producer {
    appender: Arc<dyn Appender>,
    topic: String,
    partitions: i32,
}

/// Acknowledgements of what was sent, in any order.
pub type Acknowledgements = mpsc::Receiver<Result<Appended, LogError>>;

impl Producer {
    /// A producer for a topic.
    ///
    /// # Errors
    /// Those of the log.
    pub fn new(log: &dyn Log, topic: String, partitions: i32) -> Result<Self, LogError> {
        Ok(Self {
            appender: log.appender()?,
            topic,
            partitions,
        })
    }

    /// Sends one record; its acknowledgement goes to `done`.
    pub fn send(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        done: &mpsc::SyncSender<Result<Appended, LogError>>,
    ) {
        let partition = partition_for(key.unwrap_or_default(), self.partitions);
        let done = done.clone();
        let record = Outgoing {
            topic: &self.topic,
            partition,
            key,
            value,
            headers,
        };
        // Nobody may be left to hear of it.
        self.appender.append(
            record,
            Haste::Prompt,
            Box::new(move |outcome| drop(done.try_send(outcome))),
        );
    }
}
