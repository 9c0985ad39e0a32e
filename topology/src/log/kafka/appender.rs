//! Writes outside of transactions: commands from HTTP, Ticks, the instances table.

use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use super::config::KafkaConfig;
use super::errors;
use super::producer::headers;
use crate::log::{AppendDone, Appended, Appender, LogError, Outgoing};

struct AppenderContext;

impl ClientContext for AppenderContext {}

impl ProducerContext for AppenderContext {
    type DeliveryOpaque = Box<AppendDone>;

    fn delivery(&self, result: &DeliveryResult<'_>, done: Box<AppendDone>) {
        (*done)(match result {
            Ok(message) => Ok(Appended {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(errors::sort(error)),
        });
    }
}

/// One producer, shared by everybody in the process: what it appends keeps its order.
pub(super) struct KafkaAppender {
    producer: ThreadedProducer<AppenderContext>,
    max_record_bytes: usize,
}

impl KafkaAppender {
    /// Opens the producer.
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        let producer = config
            .appender()
            .create_with_context(AppenderContext)
            .map_err(|error| errors::sort(&error))?;
        Ok(Self {
            producer,
            max_record_bytes: config.max_record_bytes,
        })
    }
}

impl Appender for KafkaAppender {
    fn append(&self, record: Outgoing<'_>, done: AppendDone) {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if size > self.max_record_bytes {
            return done(Err(LogError::TooLarge {
                size,
                limit: self.max_record_bytes,
            }));
        }
        let mut outgoing: BaseRecord<'_, [u8], [u8], Box<AppendDone>> =
            BaseRecord::with_opaque_to(record.topic, Box::new(done)).partition(record.partition);
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.headers = headers(&record);
        if let Err((error, back)) = self.producer.send(outgoing) {
            (*back.delivery_opaque)(Err(errors::sort(&error)));
        }
    }
}
