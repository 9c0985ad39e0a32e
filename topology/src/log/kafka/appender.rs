//! Writes outside of transactions: commands from HTTP, Ticks, the instances table.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

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

/// As many records on their way are few.
const FEW: i32 = 16;

/// Two producers, shared by everybody in the process. While few records are on their way each is
/// sent at once; while many are, they linger for others, because each request costs the broker.
pub(super) struct KafkaAppender {
    prompt: ThreadedProducer<AppenderContext>,
    patient: ThreadedProducer<AppenderContext>,
    max_record_bytes: usize,
}

impl KafkaAppender {
    /// Opens the producers.
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        let producer = |linger| {
            let producer = config.appender(linger).create_with_context(AppenderContext);
            producer.map_err(|error| errors::sort(&error))
        };
        Ok(Self {
            prompt: producer(Duration::ZERO)?,
            patient: producer(config.append_linger)?,
            max_record_bytes: config.max_record_bytes,
        })
    }

    fn producer(&self) -> &ThreadedProducer<AppenderContext> {
        let on_their_way = self.prompt.in_flight_count() + self.patient.in_flight_count();
        match on_their_way < FEW {
            true => &self.prompt,
            false => &self.patient,
        }
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
        if let Err((error, back)) = self.producer().send(outgoing) {
            (*back.delivery_opaque)(Err(errors::sort(&error)));
        }
    }
}
