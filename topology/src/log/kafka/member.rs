//! Membership in the consumer group on Kafka: cooperative, with every assignment change deferred.
//!
//! The rebalance callback only notes what happened. The stream thread answers after it has
//! finished or dropped the tasks, because librdkafka waits for the answer and a commit must still
//! be possible before it.
//!
//! Records come through a queue of their own, many at a time; what the group wants comes through the
//! consumer's. So records that were taken ahead of a seek must be dropped with it.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::errors;
use super::native::Fetched;
use crate::log::{Assignment, Generation, InputPosition, LogError, Member, TopicPartition, Visit};

/// How long a member waits for records before it looks again whether the group wants something.
const DEAF: Duration = Duration::from_millis(20);

/// Notes assignment changes for the stream thread.
#[derive(Default)]
pub(super) struct MemberContext {
    changes: Mutex<Vec<(bool, Vec<TopicPartition>)>>,
    closing: std::sync::atomic::AtomicBool,
}

impl ClientContext for MemberContext {}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(std::sync::atomic::Ordering::SeqCst) {
            // Nobody polls any more: closing waits for this answer.
            if !assigned && let Err(error) = consumer.incremental_unassign(list) {
                tracing::debug!(%error, "giving partitions up at close");
            }
            return;
        }
        self.changes.lock().push((assigned, partitions(list)));
    }
}

/// A member of the group.
pub(super) struct KafkaMember {
    /// Before the consumer, which waits for it when it is dropped.
    fetched: Fetched,
    consumer: BaseConsumer<MemberContext>,
    timeout: Duration,
    /// Names of the input topics, for messages.
    topics: String,
    held: BTreeSet<TopicPartition>,
}

impl KafkaMember {
    /// Joins the group.
    pub(super) fn join(
        config: &KafkaConfig,
        thread: &str,
        topics: &[String],
    ) -> Result<Self, LogError> {
        let consumer: BaseConsumer<MemberContext> = config
            .member(thread)
            .create_with_context(MemberContext::default())
            .map_err(|error| errors::sort(&error))?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| errors::sort(&error))?;
        let timeout = config.request_timeout;
        Ok(Self {
            fetched: Fetched::of_partitions(consumer.client().native_ptr()),
            consumer,
            timeout,
            topics: topics.join(", "),
            held: BTreeSet::new(),
        })
    }

    /// What an error event of the consumer means; most pass by themselves.
    fn note(&self, error: &KafkaError) -> Result<(), LogError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let partition = TopicPartition::new(self.topics.as_str(), -1);
                Err(LogError::OutOfRange(partition))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(LogError::Refused(format!(
                    "the input topic {} is gone: {error}; bring it back and restart",
                    self.topics
                )))
            }
            _ => {
                tracing::debug!(%error, "consumer");
                Ok(())
            }
        }
    }

    fn changes(&self) -> Vec<Assignment> {
        let changes = std::mem::take(&mut *self.consumer.context().changes.lock());
        let lost = self.consumer.assignment_lost();
        let kind = |(assigned, partitions)| match (assigned, lost) {
            (true, _) => Assignment::Assigned(partitions),
            (false, true) => Assignment::Lost(partitions),
            (false, false) => Assignment::Revoked(partitions),
        };
        changes.into_iter().map(kind).collect()
    }

    /// Lets the group say what it wants. Returns what is wrong, if anything is.
    fn listen(&self) -> Result<(), LogError> {
        match self.consumer.poll(Duration::ZERO) {
            // A record that came before its partition was forwarded: held, and read again.
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => self.note(&error),
        }
    }
}

impl Member for KafkaMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&crate::record::Record<'_>) -> Visit,
    ) -> Result<Vec<Assignment>, LogError> {
        let mut left = wait;
        loop {
            self.listen()?;
            let now = left.min(DEAF);
            left -= now;
            let any = self.read(now, visit)?;
            // Behind everything that may fail: what is taken out here must be answered.
            let changes = self.changes();
            if any || !changes.is_empty() || left.is_zero() {
                return Ok(changes);
            }
        }
    }

    fn accept(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        // The start of the log is a place holder: nothing is delivered before `start` has set the
        // real offset. It must be one that exists, because a fetch may be faster than the pause
        // below. And it must be a number: librdkafka repeats the look-up of a logical offset that
        // a seek has overtaken, and then jumps there, over everything in between.
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for TopicPartition { topic, partition } in partitions {
            let (start, _) = self
                .consumer
                .fetch_watermarks(topic, *partition, self.timeout)
                .map_err(|error| errors::sort(&error))?;
            list.add_partition_offset(topic, *partition, Offset::Offset(start))
                .map_err(|error| errors::sort(&error))?;
        }
        self.held.extend(partitions.iter().cloned());
        self.consumer
            .incremental_assign(&list)
            .map_err(|error| errors::sort(&error))?;
        let consumer = self.consumer.client().native_ptr();
        for TopicPartition { topic, partition } in partitions {
            self.fetched.forward(consumer, topic, *partition);
        }
        self.consumer
            .pause(&list)
            .map_err(|error| errors::sort(&error))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        for partition in partitions {
            self.held.remove(partition);
            self.forget(partition);
        }
        let list = list(partitions, Offset::Invalid)?;
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| errors::sort(&error))
    }

    fn start(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.forget(partition);
        let to = Offset::Offset(offset);
        self.consumer
            .seek(&partition.topic, partition.partition, to, self.timeout)
            .map_err(|error| LogError::Unavailable(format!("seek in {partition}: {error}")))?;
        let list = list(std::slice::from_ref(partition), Offset::Invalid)?;
        self.consumer
            .resume(&list)
            .map_err(|error| errors::sort(&error))?;
        self.held.remove(partition);
        Ok(())
    }

    fn hold(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.forget(partition);
        self.held.insert(partition.clone());
        let list = list(std::slice::from_ref(partition), Offset::Invalid)?;
        self.consumer
            .pause(&list)
            .map_err(|error| errors::sort(&error))
    }

    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<InputPosition>, LogError> {
        let list = list(std::slice::from_ref(partition), Offset::Invalid)?;
        let answer = self
            .consumer
            .committed_offsets(list, self.timeout)
            .map_err(|error| errors::sort(&error))?;
        let elements = answer.elements();
        let Some(element) = elements.first() else {
            return Err(LogError::Unavailable(format!(
                "no committed offset for {partition}"
            )));
        };
        element.error().map_err(|error| errors::sort(&error))?;
        let Offset::Offset(next_offset) = element.offset() else {
            return Ok(None);
        };
        let unit = element.metadata().parse().unwrap_or(0);
        Ok(Some(InputPosition { next_offset, unit }))
    }

    fn generation(&self) -> Result<Generation, LogError> {
        match self.consumer.group_metadata() {
            Some(metadata) => Ok(Generation(Box::new(metadata))),
            None => Err(LogError::Fenced("the consumer is in no group".to_owned())),
        }
    }
}

impl KafkaMember {
    /// Visits what is there, waiting for it where nothing is. Returns whether anything was.
    fn read(
        &mut self,
        mut wait: Duration,
        visit: &mut dyn FnMut(&crate::record::Record<'_>) -> Visit,
    ) -> Result<bool, LogError> {
        let mut any = false;
        while let Some(message) = self.fetched.next(wait) {
            (any, wait) = (true, Duration::ZERO);
            if let Some(error) = message.error() {
                self.fetched.advance();
                self.note(&error)?;
                break;
            }
            let record = message.record();
            // Records of held partitions are dropped: their start seeks back to them.
            let visited = match is_held(&self.held, &record) {
                true => Visit::Taken,
                false => visit(&record),
            };
            match visited {
                Visit::Taken => self.fetched.advance(),
                Visit::Enough => {
                    self.fetched.advance();
                    break;
                }
                Visit::Later => break,
            }
        }
        Ok(any)
    }

    /// Drops what was taken ahead from a partition.
    fn forget(&mut self, partition: &TopicPartition) {
        self.fetched.forget(|message| {
            message.partition() == partition.partition && message.topic() == &*partition.topic
        });
    }
}

fn is_held(held: &BTreeSet<TopicPartition>, record: &crate::record::Record<'_>) -> bool {
    held.iter()
        .any(|held| held.partition == record.partition && *held.topic == *record.topic)
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        self.consumer
            .context()
            .closing
            .store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

fn list(partitions: &[TopicPartition], offset: Offset) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.partition, offset)
            .map_err(|error| errors::sort(&error))?;
    }
    Ok(list)
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|element| TopicPartition::new(element.topic(), element.partition()))
        .collect()
}
