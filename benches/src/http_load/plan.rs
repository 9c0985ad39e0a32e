//! What to send, how fast, and for how long.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::LoadError;
use crate::mix::Mix;

/// Time between the start of a run and its first request.
pub(super) const LEAD: Duration = Duration::from_millis(50);

/// Most connections; the usual limit of open files is near.
const MOST_CONNECTIONS: usize = 20_000;

/// When requests begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each connection sends its next request when it has the answer to the last: finds how much a
    /// service can take.
    Closed,
    /// By a clock, whatever the service does: finds how long people wait at that load. A request
    /// for which no connection is free waits, and that counts as its latency.
    Open {
        /// Requests a second.
        per_second: f64,
    },
}

/// One run of load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Base of the service, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Secret of the service's HS256 tokens.
    pub auth_secret: Vec<u8>,
    /// The requests.
    pub mix: Mix,
    /// When they begin.
    pub pace: Pace,
    /// Connections, each with one request at a time. An open loop needs rate times longest latency
    /// of them.
    pub connections: usize,
    /// Threads of the generator.
    pub threads: usize,
    /// Time before the measurement; what begins in it is not counted.
    pub warm_up: Duration,
    /// Length of the measurement. A mix in which all must succeed ends it early when it is used up.
    pub measured: Duration,
    /// A request without an answer by then has failed, and its connection is made anew.
    pub request_timeout: Duration,
    /// Counts answers while the load runs, for whoever shows progress.
    pub progress: Arc<AtomicU64>,
}

impl Plan {
    /// A closed loop of 64 connections on one thread, 2 s of warm-up and 10 s of measurement.
    #[must_use]
    pub fn new(url: &str, auth_secret: &[u8], mix: Mix) -> Self {
        Self {
            url: url.to_owned(),
            auth_secret: auth_secret.to_vec(),
            mix,
            pace: Pace::Closed,
            connections: 64,
            threads: 1,
            warm_up: Duration::from_secs(2),
            measured: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            progress: Arc::new(AtomicU64::new(0)),
        }
    }

    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = |setting, reason: String| Err(LoadError::Setting { setting, reason });
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            let given = self.connections;
            return wrong(
                "connections",
                format!("must be 1 to {MOST_CONNECTIONS}, not {given}"),
            );
        }
        if !(1..=self.connections).contains(&self.threads) {
            let reason = format!(
                "must be 1 to the number of connections, not {}",
                self.threads
            );
            return wrong("threads", reason);
        }
        if let Pace::Open { per_second } = self.pace
            && !(per_second > 0.0 && per_second <= 10_000_000.0)
        {
            return wrong(
                "rate",
                format!("must be above 0 and at most 10000000, not {per_second}"),
            );
        }
        if self.measured.is_zero() {
            return wrong("measured", "must be longer than nothing".to_owned());
        }
        Ok(())
    }
}
