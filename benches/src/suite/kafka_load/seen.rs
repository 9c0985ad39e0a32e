//! The answers of one run, each counted once.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::pace::Schedule;
use super::wire::Answer;

/// Ten minutes in microseconds; what takes longer is counted as that.
const LONGEST_US: u64 = 600_000_000;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Seen {
    wanted: u64,
    /// A bit for every command of the run.
    answered: Vec<u64>,
    count: u64,
    held: u64,
    latencies: Histogram<u64>,
    last: Option<Instant>,
}

/// What came of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Played {
    /// Answers, one for each command.
    pub(crate) answers: u64,
    /// Those that made a reservation; 0 where answers are only counted.
    pub(crate) held: u64,
    /// From the first command on its way to the last committed answer read.
    pub(crate) seconds: f64,
    /// Latency quantiles in milliseconds by name; none where there was no clock.
    pub(crate) latency_ms: Option<[(&'static str, f64); 5]>,
}

impl Seen {
    pub(super) fn new(wanted: u64) -> anyhow::Result<Self> {
        Ok(Self {
            wanted,
            answered: vec![0; usize::try_from(wanted.div_ceil(64))?],
            count: 0,
            held: 0,
            latencies: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
            last: None,
        })
    }

    /// Notes an answer that was read at `now`.
    pub(super) fn note(&mut self, answer: Answer, schedule: &Schedule, now: Instant) {
        let index = answer.index.unwrap_or(self.count);
        if index >= self.wanted || !self.is_first(index) {
            return;
        }
        self.count += 1;
        self.held += u64::from(answer.held);
        self.last = Some(now);
        if let Some(latency) = schedule.latency_us(index, now) {
            self.latencies.saturating_record(latency.max(1));
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn is_complete(&self) -> bool {
        self.count == self.wanted
    }

    /// The outcome of a run that began at `begin`.
    pub(super) fn played(&self, begin: Instant) -> Played {
        let last = self.last.unwrap_or(begin);
        let at = |share| self.latencies.value_at_quantile(share) as f64 / 1e3;
        let latency_ms = (!self.latencies.is_empty()).then(|| {
            [
                ("p50_ms", at(0.5)),
                ("p90_ms", at(0.9)),
                ("p99_ms", at(0.99)),
                ("p999_ms", at(0.999)),
                ("max_ms", at(1.0)),
            ]
        });
        Played {
            answers: self.count,
            held: self.held,
            seconds: last.saturating_duration_since(begin).as_secs_f64(),
            latency_ms,
        }
    }

    fn is_first(&mut self, index: u64) -> bool {
        let Ok(word) = usize::try_from(index / 64) else {
            return false;
        };
        let bit = 1_u64 << (index % 64);
        let first = self.answered[word] & bit == 0;
        self.answered[word] |= bit;
        first
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::suite::kafka_load::pace::Pace;

    #[test]
    fn an_answer_counts_once_and_late_ones_count_as_late() {
        let begin = Instant::now();
        let schedule = Schedule::new(begin, Pace::Rate(10.0));
        let mut seen = Seen::new(2).unwrap();
        let answer = |index| Answer {
            index: Some(index),
            held: index == 0,
        };
        let at = |ms| begin + Duration::from_millis(ms);
        seen.note(answer(0), &schedule, at(5));
        seen.note(answer(0), &schedule, at(90));
        seen.note(answer(2), &schedule, at(90));
        assert!(!seen.is_complete());
        seen.note(answer(1), &schedule, at(400));
        assert!(seen.is_complete());
        let played = seen.played(begin);
        assert_eq!((played.answers, played.held, played.seconds), (2, 1, 0.4));
        let [(_, p50), .., (_, max)] = played.latency_ms.unwrap();
        assert!((4.9..5.1).contains(&p50), "{p50}");
        assert!((299.0..301.0).contains(&max), "due at 100 ms: {max}");
    }

    #[test]
    fn answers_without_a_meaning_are_counted() {
        let begin = Instant::now();
        let schedule = Schedule::new(begin, Pace::AsFast);
        let mut seen = Seen::new(3).unwrap();
        let answer = Answer {
            index: None,
            held: false,
        };
        for _ in 0..3 {
            seen.note(answer, &schedule, begin);
        }
        assert!(seen.is_complete());
        assert_eq!(seen.played(begin).latency_ms, None);
    }
}
