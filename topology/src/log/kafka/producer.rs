//! One transactional producer, and the guard against a late end of a transaction.
//!
//! librdkafka sends EndTxn again by itself after a transport error and then reports success. The
//! first copy may still be on its way, and a broker that gets it later ends whatever transaction
//! is open then (KAFKA-17754). So a producer is used again only if nothing suspicious happened
//! from `begin` to the end of `commit`: no cut connection or timed-out request in its log, no call
//! that returned anything but success, and an EndTxn of at most [`SUSPICIOUS_END`]. The producer
//! that replaces it raises the epoch, and the late copy bounces.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::errors;
use super::native;
use super::signals::{SessionContext, Signals, UNTRACKED};
use crate::log::{Generation, InputPosition, LogError, Outgoing, TopicPartition};

/// An EndTxn that takes longer may have been sent twice.
const SUSPICIOUS_END: Duration = Duration::from_millis(250);

/// A producer with a transactional id: half of a [`super::session::KafkaSession`].
pub(super) struct TransactionalProducer {
    /// Dropped first: the producer waits for its topics.
    topics: native::Topics,
    producer: ThreadedProducer<SessionContext>,
    signals: Arc<Signals>,
    timeout: Duration,
    max_record_bytes: usize,
    sent: u64,
    suspicions_at_begin: u64,
    reusable: bool,
}

impl TransactionalProducer {
    /// Opens a producer; fences the earlier ones of that id.
    pub(super) fn open(config: &KafkaConfig, transactional_id: &str) -> Result<Self, LogError> {
        let signals = Arc::new(Signals::default());
        let context = SessionContext(Arc::clone(&signals));
        let producer: ThreadedProducer<SessionContext> = config
            .transactional(transactional_id)
            .create_with_context(context)
            .map_err(|error| errors::sort(&error))?;
        // Whoever asks for a producer id before a broker is connected asks again in half a second.
        producer.client().fetch_cluster_id(config.request_timeout);
        producer
            .init_transactions(config.request_timeout)
            .map_err(|error| errors::sort(&error))?;
        Ok(Self {
            topics: native::Topics::default(),
            producer,
            signals,
            timeout: config.transaction_timeout,
            max_record_bytes: config.max_record_bytes,
            sent: 0,
            suspicions_at_begin: 0,
            reusable: true,
        })
    }

    fn produce(&mut self, record: &Outgoing<'_>, opaque: usize) -> Result<(), LogError> {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if size > self.max_record_bytes {
            return Err(LogError::TooLarge {
                size,
                limit: self.max_record_bytes,
            });
        }
        while let Err(error) = self.queue(record, opaque) {
            let error = errors::sort(&error);
            if !matches!(error, LogError::Full) {
                return Err(self.fail(error));
            }
            // The local queue is full: what is sent and acknowledged empties it.
            native::flush(
                self.producer.client().native_ptr(),
                Duration::from_millis(1),
            );
        }
        self.sent += 1;
        Ok(())
    }

    fn queue(&mut self, record: &Outgoing<'_>, opaque: usize) -> Result<(), KafkaError> {
        let producer = self.producer.client().native_ptr();
        if self.topics.know(record.topic) {
            return self.topics.produce(producer, record, opaque);
        }
        // The first record goes by name: that is what makes librdkafka look for the leader at once.
        let mut outgoing: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(record.topic, opaque).partition(record.partition);
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.headers = headers(record);
        self.producer.send(outgoing).map_err(|(error, _)| error)?;
        self.topics.learn(producer, record.topic);
        Ok(())
    }

    fn fail(&mut self, error: LogError) -> LogError {
        self.reusable = false;
        error
    }

    /// Why records were not taken: of a producer that was fenced they are purged, which says less.
    fn cause(&self, error: LogError) -> LogError {
        match self.producer.client().fatal_error() {
            Some((code, text)) if errors::is_fencing(code) => LogError::Fenced(text),
            _ => error,
        }
    }

    fn suspicious(&self) -> bool {
        if crate::faults::switched_off("late-endtxn-guard") {
            return false;
        }
        self.signals.suspicions() != self.suspicions_at_begin
    }
}

/// The headers of a record in librdkafka's form; none costs nothing.
pub(super) fn headers(record: &Outgoing<'_>) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(record.headers.len());
    Some(record.headers.iter().fold(empty, |headers, header| {
        headers.insert(KafkaHeader {
            key: header.name,
            value: Some(header.value),
        })
    }))
}

/// The calls of a session, one transaction after the other.
impl TransactionalProducer {
    pub(super) fn begin(&mut self) -> Result<(), LogError> {
        self.signals.begin();
        self.sent = 0;
        self.suspicions_at_begin = self.signals.suspicions();
        self.producer
            .begin_transaction()
            .map_err(|error| self.fail(errors::sort(&error)))
    }

    pub(super) fn send(&mut self, record: &Outgoing<'_>) -> Result<(), LogError> {
        self.produce(record, UNTRACKED)
    }

    pub(super) fn send_tracked(&mut self, record: &Outgoing<'_>) -> Result<(), LogError> {
        let opaque = self.signals.track();
        self.produce(record, opaque)
    }

    pub(super) fn add_offsets(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<(), LogError> {
        let Some(metadata) = generation.0.downcast_ref::<ConsumerGroupMetadata>() else {
            return Err(LogError::Refused(
                "the membership is of another log".to_owned(),
            ));
        };
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for (partition, position) in positions {
            let mut element = list.add_partition(&partition.topic, partition.partition);
            element
                .set_offset(Offset::Offset(position.next_offset))
                .map_err(|error| errors::sort(&error))?;
            if position.unit > 0 {
                element.set_metadata(position.unit.to_string());
            }
        }
        // What lingers is sent beside the offsets; each of the two waits for the broker.
        let (producer, timeout) = (&self.producer, self.timeout);
        let sent = thread::scope(|scope| {
            scope.spawn(|| native::flush(producer.client().native_ptr(), timeout));
            producer.send_offsets_to_transaction(&list, metadata, timeout)
        });
        sent.map_err(|error| self.fail(errors::sort(&error)))
    }

    pub(super) fn commit(&mut self) -> Result<Vec<i64>, LogError> {
        let producer = self.producer.client().native_ptr();
        // Without offsets, as in a rebuild, what lingers is not sent yet.
        native::flush(producer, self.timeout);
        let tracked = self
            .signals
            .wait(self.sent, self.timeout)
            .map_err(|error| {
                let cause = self.cause(error);
                self.fail(cause)
            })?;
        let started = Instant::now();
        let result = native::commit_transaction(producer, self.timeout);
        // Log lines travel over the producer's queue: take those that are still on it.
        self.producer.poll(Duration::ZERO);
        if let Err(error) = result {
            return Err(self.fail(errors::sort_commit(&error)));
        }
        let slow = started.elapsed() > SUSPICIOUS_END;
        if self.suspicious() || (slow && !crate::faults::switched_off("late-endtxn-guard")) {
            self.reusable = false;
        }
        Ok(tracked)
    }

    /// Whether nothing suspicious happened during the last transaction.
    pub(super) fn reusable(&self) -> bool {
        self.reusable
    }
}
