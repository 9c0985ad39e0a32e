//! Writes outside of transactions: commands from HTTP, Ticks, the instances table.
//!
//! There are two producers: a prompt one, and a patient one whose requests are larger. What goes to
//! a partition goes through one of them as long as anything to it is on its way, so that it keeps
//! its order whoever appends it, and however.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use super::config::KafkaConfig;
use super::errors;
use super::producer::headers;
use crate::log::{AppendDone, Appended, Appender, Haste, LogError, Outgoing};

/// The way to one partition.
#[derive(Default)]
struct Lane(Mutex<LaneState>);

#[derive(Default)]
struct LaneState {
    on_their_way: usize,
    haste: Haste,
}

impl Lane {
    /// Lets a record in. Returns which producer it takes: the one that it asks for, if nothing is
    /// on its way with the other one.
    fn enter(&self, wanted: Haste) -> Haste {
        let mut state = self.0.lock();
        if state.on_their_way == 0 {
            state.haste = wanted;
        }
        state.on_their_way += 1;
        state.haste
    }

    fn leave(&self) {
        self.0.lock().on_their_way -= 1;
    }
}

/// What a record takes along.
struct Sent {
    done: AppendDone,
    lane: Arc<Lane>,
}

impl Sent {
    /// The lane first: whoever is told may append the next record at once.
    fn end(self, outcome: Result<Appended, LogError>) {
        self.lane.leave();
        (self.done)(outcome);
    }
}

struct AppenderContext;

impl ClientContext for AppenderContext {}

impl ProducerContext for AppenderContext {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        sent.end(match result {
            Ok(message) => Ok(Appended {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(errors::sort(error)),
        });
    }
}

/// Shared by everybody in the process: what is appended to a partition keeps its order.
pub(super) struct KafkaAppender {
    prompt: ThreadedProducer<AppenderContext>,
    patient: ThreadedProducer<AppenderContext>,
    lanes: RwLock<BTreeMap<Box<str>, Vec<Arc<Lane>>>>,
    max_record_bytes: usize,
}

impl KafkaAppender {
    /// Opens the producers.
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        let producer = |haste| {
            let created = config.appender(haste).create_with_context(AppenderContext);
            created.map_err(|error| errors::sort(&error))
        };
        Ok(Self {
            prompt: producer(Haste::Prompt)?,
            patient: producer(Haste::Patient)?,
            lanes: RwLock::default(),
            max_record_bytes: config.max_record_bytes,
        })
    }

    fn lane(&self, topic: &str, partition: usize) -> Arc<Lane> {
        let known = |lanes: &BTreeMap<Box<str>, Vec<Arc<Lane>>>| {
            lanes
                .get(topic)
                .and_then(|lanes| lanes.get(partition))
                .cloned()
        };
        if let Some(lane) = known(&self.lanes.read()) {
            return lane;
        }
        let mut lanes = self.lanes.write();
        let of_topic = lanes.entry(topic.into()).or_default();
        while of_topic.len() <= partition {
            of_topic.push(Arc::default());
        }
        Arc::clone(&of_topic[partition])
    }
}

impl Appender for KafkaAppender {
    fn append(&self, record: Outgoing<'_>, haste: Haste, done: AppendDone) {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if size > self.max_record_bytes {
            return done(Err(LogError::TooLarge {
                size,
                limit: self.max_record_bytes,
            }));
        }
        let lane = self.lane(record.topic, usize::try_from(record.partition).unwrap_or(0));
        let producer = match lane.enter(haste) {
            Haste::Prompt => &self.prompt,
            Haste::Patient => &self.patient,
        };
        let sent = Box::new(Sent { done, lane });
        let mut outgoing: BaseRecord<'_, [u8], [u8], Box<Sent>> =
            BaseRecord::with_opaque_to(record.topic, sent).partition(record.partition);
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.headers = headers(&record);
        if let Err((error, back)) = producer.send(outgoing) {
            back.delivery_opaque.end(Err(errors::sort(&error)));
        }
    }
}
