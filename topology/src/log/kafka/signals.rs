//! What a producer's callbacks tell: acknowledgements, and signs that its connection was cut.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::ClientContext;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use crate::log::LogError;

/// Opaque of a record whose offset nobody asks for; slot `n` of the tracked ones is `n + 1`.
pub(super) const UNTRACKED: usize = 0;

/// Shared by a session and the callbacks of its producer.
#[derive(Default)]
pub(super) struct Signals {
    suspicions: AtomicU64,
    deliveries: Mutex<Deliveries>,
    all_delivered: Condvar,
}

#[derive(Default)]
struct Deliveries {
    sent: u64,
    done: u64,
    waiting: bool,
    tracked: Vec<i64>,
    failure: Option<LogError>,
}

impl Signals {
    /// How often a connection was cut, a request timed out or an error was reported so far.
    pub(super) fn suspicions(&self) -> u64 {
        self.suspicions.load(Ordering::SeqCst)
    }

    /// Forgets the deliveries of the last transaction.
    pub(super) fn begin(&self) {
        *self.deliveries.lock() = Deliveries::default();
    }

    /// Reserves a slot for a tracked record and returns its opaque.
    pub(super) fn track(&self) -> usize {
        let mut deliveries = self.deliveries.lock();
        deliveries.tracked.push(-1);
        deliveries.tracked.len()
    }

    /// Waits until `sent` records are acknowledged. Returns the offsets of the tracked ones.
    pub(super) fn wait(&self, sent: u64, timeout: Duration) -> Result<Vec<i64>, LogError> {
        let deadline = Instant::now() + timeout;
        let mut deliveries = self.deliveries.lock();
        deliveries.sent = sent;
        deliveries.waiting = true;
        while deliveries.done < sent && deliveries.failure.is_none() {
            if self
                .all_delivered
                .wait_until(&mut deliveries, deadline)
                .timed_out()
            {
                let missing = sent - deliveries.done;
                let text = format!("{missing} of {sent} records were not acknowledged in time");
                return Err(LogError::Unavailable(text));
            }
        }
        match deliveries.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(std::mem::take(&mut deliveries.tracked)),
        }
    }

    fn suspect(&self) {
        self.suspicions.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether a log line of librdkafka means that requests may have been lost or sent twice.
///
/// A cut connection gives no error callback: only this line, from the broker's thread.
fn is_suspicious(facility: &str) -> bool {
    matches!(
        facility,
        "FAIL" | "REQTMOUT" | "ERROR" | "TXNERR" | "FATAL" | "TIMEOUT"
    )
}

/// The context type of a session's producer.
pub(super) struct SessionContext(pub(super) std::sync::Arc<Signals>);

impl ClientContext for SessionContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if is_suspicious(facility) {
            self.0.suspect();
        }
        DefaultClientContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.suspect();
        tracing::debug!(%error, reason, "transactional producer");
    }
}

impl ProducerContext for SessionContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let mut deliveries = self.0.deliveries.lock();
        deliveries.done += 1;
        match result {
            Ok(message) if opaque != UNTRACKED => {
                if let Some(slot) = deliveries.tracked.get_mut(opaque - 1) {
                    *slot = message.offset();
                }
            }
            Ok(_) => {}
            Err((error, _)) => deliveries.failure = Some(super::errors::sort(error)),
        }
        let finished = deliveries.done == deliveries.sent || deliveries.failure.is_some();
        if deliveries.waiting && finished {
            self.0.all_delivered.notify_all();
        }
    }
}
