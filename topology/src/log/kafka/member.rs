//! Membership in the consumer group on Kafka: cooperative, with every assignment change deferred.
//!
//! The rebalance callback only notes what happened. The stream thread answers after it has
//! finished or dropped the tasks, because librdkafka waits for the answer and a commit must still
//! be possible before it.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::errors;
use super::message::with_record;
use crate::log::{Assignment, Generation, InputPosition, LogError, Member, TopicPartition, Visit};

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
    consumer: BaseConsumer<MemberContext>,
    timeout: Duration,
    /// Names of the input topics, for messages.
    topics: String,
    held: BTreeSet<TopicPartition>,
    kept: Option<OwnedMessage>,
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
            consumer,
            timeout,
            topics: topics.join(", "),
            held: BTreeSet::new(),
            kept: None,
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

    fn is_held(&self, topic: &str, partition: i32) -> bool {
        self.held
            .iter()
            .any(|held| held.partition == partition && &*held.topic == topic)
    }

    /// Visits a message; records of held partitions are dropped, their start seeks back to them.
    fn visit(
        &self,
        message: &BorrowedMessage<'_>,
        visit: &mut dyn FnMut(&crate::record::Record<'_>) -> Visit,
    ) -> Visit {
        if !self.held.is_empty() && self.is_held(message.topic(), message.partition()) {
            return Visit::Taken;
        }
        with_record(message, visit)
    }
}

impl Member for KafkaMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&crate::record::Record<'_>) -> Visit,
    ) -> Result<Vec<Assignment>, LogError> {
        if let Some(kept) = self.kept.take() {
            match with_record(&kept, visit) {
                Visit::Taken => {}
                Visit::Enough => return Ok(self.changes()),
                Visit::Later => {
                    self.kept = Some(kept);
                    return Ok(self.changes());
                }
            }
        }
        let mut wait = wait;
        loop {
            let message = match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    self.note(&error)?;
                    break;
                }
            };
            wait = Duration::ZERO;
            match self.visit(&message, visit) {
                Visit::Taken => {}
                Visit::Enough => break,
                Visit::Later => {
                    self.kept = Some(message.detach());
                    break;
                }
            }
        }
        Ok(self.changes())
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
        self.consumer
            .pause(&list)
            .map_err(|error| errors::sort(&error))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        for partition in partitions {
            self.held.remove(partition);
            self.drop_kept(partition);
        }
        let list = list(partitions, Offset::Invalid)?;
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| errors::sort(&error))
    }

    fn start(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.drop_kept(partition);
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
        self.drop_kept(partition);
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
    fn drop_kept(&mut self, partition: &TopicPartition) {
        let is_of = |kept: &OwnedMessage| {
            kept.partition() == partition.partition && kept.topic() == &*partition.topic
        };
        if self.kept.as_ref().is_some_and(is_of) {
            self.kept = None;
        }
    }
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
