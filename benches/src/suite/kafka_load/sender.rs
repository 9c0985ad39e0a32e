//! The producer of the load: no call-back per record, and room for all that waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};

use crate::suite::stop::Stop;

/// Pause where the local queue is full.
const FULL: Duration = Duration::from_millis(1);

/// What became of records.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
    first: OnceLock<String>,
}

#[derive(Clone)]
struct Context(Arc<Deliveries>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
            // Only the first one is told.
            let _ = self.0.first.set(error.to_string());
        }
    }
}

/// Writes commands to one topic.
pub(crate) struct Sender {
    producer: ThreadedProducer<Context>,
    deliveries: Arc<Deliveries>,
    topic: String,
    stop: Stop,
}

impl Sender {
    /// Opens the producer. `linger` is how long a record waits for others: a millisecond where
    /// latency is measured; more saves the machine half a processor where throughput is.
    pub(crate) fn open(
        bootstrap_servers: &str,
        topic: &str,
        linger: Duration,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let deliveries = Arc::new(Deliveries::default());
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("client.id", "bench-load")
            .set("acks", "all")
            // With five on their way, as an idempotent producer has them, librdkafka polls without
            // pause for the next, and that takes a core from what is measured. Nothing is sent
            // twice or out of order: a record that is not taken at once ends the round.
            .set("max.in.flight.requests.per.connection", "1000")
            .set("message.send.max.retries", "0")
            .set("linger.ms", linger.as_millis().to_string())
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "500000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("topic.metadata.refresh.fast.interval.ms", "10")
            .set("socket.nagle.disable", "true")
            .create_with_context(Context(Arc::clone(&deliveries)))?;
        Ok(Self {
            producer,
            deliveries,
            topic: topic.to_owned(),
            stop: stop.clone(),
        })
    }

    /// Queues a record, and waits where the queue is full.
    pub(crate) fn send(&self, partition: i32, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(&self.topic)
            .partition(partition)
            .key(key)
            .payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.stop.check()?;
                    record = back;
                    std::thread::sleep(FULL);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Fails where a record was not taken: then not all answers will come.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let failed = self.deliveries.failed.load(Ordering::Relaxed);
        let reason = self.deliveries.first.get().map_or("", String::as_str);
        anyhow::ensure!(
            failed == 0,
            "the broker did not take {failed} commands: {reason}"
        );
        Ok(())
    }

    /// Waits until everything is with the broker.
    pub(crate) fn flush(&self) -> anyhow::Result<()> {
        self.producer.flush(Duration::from_secs(60))?;
        self.check()
    }
}
