//! When the n-th command is due.

use std::time::{Duration, Instant};

/// How fast commands are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as can be: finds how much a system decides.
    AsFast,
    /// So many a second by a clock, whatever the system does: finds how long an answer takes at
    /// that load, from the moment at which its command was due.
    Rate(f64),
}

/// The pace of one run, from its first command on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    begin: Instant,
    pace: Pace,
}

impl Schedule {
    /// Begins now.
    pub(crate) fn new(begin: Instant, pace: Pace) -> Self {
        Self { begin, pace }
    }

    /// When the `index`-th command is due; none where there is no clock.
    pub(crate) fn due(&self, index: u64) -> Option<Instant> {
        match self.pace {
            Pace::AsFast => None,
            Pace::Rate(rate) => Some(self.begin + Duration::from_secs_f64(index as f64 / rate)),
        }
    }

    /// Sleeps until the `index`-th command is due: in steps of a millisecond, and what is due
    /// together is sent together.
    pub(crate) fn wait(&self, index: u64) {
        let Some(due) = self.due(index) else { return };
        while Instant::now() < due {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How late an answer is that came at `now`, in microseconds; none where there is no clock.
    pub(crate) fn latency_us(&self, index: u64, now: Instant) -> Option<u64> {
        let late = now.saturating_duration_since(self.due(index)?);
        Some(u64::try_from(late.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_when_a_command_was_due_and_not_from_when_it_was_sent() {
        let begin = Instant::now();
        let schedule = Schedule::new(begin, Pace::Rate(1_000.0));
        assert_eq!(schedule.due(0), Some(begin));
        assert_eq!(
            schedule.due(2_500),
            Some(begin + Duration::from_millis(2_500))
        );
        let now = begin + Duration::from_millis(2_507);
        assert_eq!(schedule.latency_us(2_500, now), Some(7_000));
        assert_eq!(schedule.latency_us(2_600, now), Some(0));
    }

    #[test]
    fn without_a_clock_nothing_is_due() {
        let schedule = Schedule::new(Instant::now(), Pace::AsFast);
        assert_eq!(schedule.due(7), None);
        assert_eq!(schedule.latency_us(7, Instant::now()), None);
    }
}
