//! Reads partitions outside of the group: restores, tables, results.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::errors;
use super::message::with_record;
use crate::log::{Isolation, LogError, Pace, Reader, TopicPartition};
use crate::record::Record;

/// Keeps the end of a partition out of the error log.
struct ReaderContext;

impl ClientContext for ReaderContext {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "reader");
        }
    }
}

impl ConsumerContext for ReaderContext {}

/// A consumer that is closed by a thread of its own: closing takes librdkafka a tenth of a second,
/// which a task that was taken over would wait for.
struct ClosedAside(Option<BaseConsumer<ReaderContext>>);

impl Deref for ClosedAside {
    type Target = BaseConsumer<ReaderContext>;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Some(consumer) => consumer,
            None => unreachable!("only its end takes the consumer"),
        }
    }
}

impl Drop for ClosedAside {
    fn drop(&mut self) {
        let consumer = self.0.take();
        let thread = thread::Builder::new().name("reader-close".into());
        // Without a thread the closure is dropped here, and the consumer with it.
        drop(thread.spawn(move || drop(consumer)));
    }
}

/// A consumer with its partitions assigned by hand.
pub(super) struct KafkaReader {
    consumer: ClosedAside,
    timeout: Duration,
    topic: String,
    open: usize,
    ended: BTreeSet<i32>,
}

impl KafkaReader {
    /// A reader of nothing yet.
    pub(super) fn new(
        config: &KafkaConfig,
        isolation: Isolation,
        pace: Pace,
    ) -> Result<Self, LogError> {
        let isolation = match isolation {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        };
        let consumer: BaseConsumer<ReaderContext> = config
            .reader(isolation, pace)
            .create_with_context(ReaderContext)
            .map_err(|error| errors::sort(&error))?;
        let timeout = config.request_timeout;
        Ok(Self {
            consumer: ClosedAside(Some(consumer)),
            timeout,
            topic: String::new(),
            open: 0,
            ended: BTreeSet::new(),
        })
    }

    fn note(&mut self, error: &KafkaError) -> Result<(), LogError> {
        if let KafkaError::PartitionEOF(partition) = error {
            self.ended.insert(*partition);
            return Ok(());
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Err(
                LogError::OutOfRange(TopicPartition::new(self.topic.as_str(), -1)),
            ),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Err(LogError::Refused(format!(
                "the topic {} is gone",
                self.topic
            ))),
            _ => {
                tracing::debug!(%error, topic = self.topic, "reader");
                Ok(())
            }
        }
    }
}

impl Reader for KafkaReader {
    fn open(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<(), LogError> {
        // Without this, an assignment of the same partitions would not start over. And before the
        // watermarks: a fetch that waits for records holds up what is asked behind it.
        self.consumer
            .unassign()
            .map_err(|error| errors::sort(&error))?;
        let mut list = TopicPartitionList::with_capacity(from.len());
        for (partition, offset) in from {
            // Asking for "the beginning" of a topic that is new to the client costs half a second.
            let offset = match *offset {
                0 => self.watermarks(&TopicPartition::new(topic, *partition))?.0,
                offset => offset,
            };
            list.add_partition_offset(topic, *partition, Offset::Offset(offset))
                .map_err(|error| errors::sort(&error))?;
        }
        self.consumer
            .assign(&list)
            .map_err(|error| errors::sort(&error))?;
        topic.clone_into(&mut self.topic);
        self.open = from.len();
        self.ended.clear();
        Ok(())
    }

    fn poll(
        &mut self,
        wait: Duration,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<bool, LogError> {
        let mut wait = wait;
        for _ in 0..most {
            let end = match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    self.ended.remove(&message.partition());
                    with_record(&message, visit);
                    None
                }
                Some(Err(error)) => Some(error),
            };
            wait = Duration::ZERO;
            if let Some(error) = end {
                self.note(&error)?;
                if self.ended.len() == self.open {
                    break;
                }
            }
        }
        Ok(self.ended.len() == self.open)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        self.consumer
            .fetch_watermarks(&partition.topic, partition.partition, self.timeout)
            .map_err(|error| errors::sort(&error))
    }
}
