//! What was seen, by thread, and added up at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::LoadError;
use super::connection::Lost;
use super::schedule::Schedule;

/// An hour in microseconds; what takes longer is counted as that.
const LONGEST_US: u64 = 3_600_000_000;

/// A status that is no decision: the service had no time for the request.
const OVERLOADED: [u16; 2] = [429, 503];

/// Counts of a measurement.
#[derive(Debug)]
pub(super) struct Tally {
    /// Latencies of decisions in microseconds: accepted or refused, but decided.
    pub(super) latencies: Histogram<u64>,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(super) lost: BTreeMap<Lost, u64>,
    /// Decisions by second of their answer.
    pub(super) by_second: Vec<u64>,
    /// End of the last answer that counts, from the start of the measurement.
    pub(super) last: Duration,
}

/// Whether a status says what became of the request.
pub(super) fn is_decision(status: u16) -> bool {
    status < 500 && !OVERLOADED.contains(&status)
}

/// Whether a status says that the service was too busy to decide.
pub(super) fn is_overload(status: u16) -> bool {
    OVERLOADED.contains(&status)
}

impl Tally {
    pub(super) fn new() -> Result<Self, LoadError> {
        let latencies = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Ok(Self {
            latencies: latencies.map_err(|error| LoadError::Generator(error.to_string()))?,
            statuses: BTreeMap::new(),
            lost: BTreeMap::new(),
            by_second: Vec::new(),
            last: Duration::ZERO,
        })
    }

    pub(super) fn answered(&mut self, schedule: &Schedule, began: Instant, status: u16) {
        if !schedule.counts(began) {
            return;
        }
        let now = Instant::now();
        *self.statuses.entry(status).or_default() += 1;
        self.last = self.last.max(schedule.measured_until(now));
        if !is_decision(status) {
            return;
        }
        let latency = now.saturating_duration_since(began).as_micros();
        let latency = u64::try_from(latency).unwrap_or(LONGEST_US);
        self.latencies.saturating_record(latency.max(1));
        let second = schedule.second(now);
        if self.by_second.len() <= second {
            self.by_second.resize(second + 1, 0);
        }
        self.by_second[second] += 1;
    }

    pub(super) fn lost(&mut self, schedule: &Schedule, began: Instant, lost: Lost) {
        if schedule.counts(began) {
            *self.lost.entry(lost).or_default() += 1;
            self.last = self.last.max(schedule.measured_until(Instant::now()));
        }
    }

    /// Adds what another thread saw.
    pub(super) fn add(&mut self, other: Self) -> Result<(), LoadError> {
        self.latencies
            .add(other.latencies)
            .map_err(|error| LoadError::Generator(error.to_string()))?;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (lost, count) in other.lost {
            *self.lost.entry(lost).or_default() += count;
        }
        if self.by_second.len() < other.by_second.len() {
            self.by_second.resize(other.by_second.len(), 0);
        }
        for (sum, count) in self.by_second.iter_mut().zip(other.by_second) {
            *sum += count;
        }
        self.last = self.last.max(other.last);
        Ok(())
    }
}
