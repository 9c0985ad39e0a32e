//! Overload: a partition that cannot answer in time takes no more, and says when to come back.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::problem::{Code, Problem};

/// Longest `Retry-After` that is given: beyond it a figure of now says nothing.
const LONGEST: Duration = Duration::from_secs(60);

/// One look at a partition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// Age of its oldest undecided command.
    pub(crate) oldest: Duration,
    /// Commands that wait in it.
    pub(crate) backlog: u64,
    /// Next input offset, as far as known here; it tells the rate.
    pub(crate) position: Option<i64>,
}

/// The partitions that are too far behind, as of the last look.
pub(crate) struct Overload {
    bound: Duration,
    busy: RwLock<BTreeMap<i32, Duration>>,
    rates: RwLock<BTreeMap<i32, Rate>>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    position: i64,
    per_second: f64,
}

impl Overload {
    /// A partition is busy once its oldest undecided command is older than half the timeout.
    pub(crate) fn new(command_timeout: Duration) -> Self {
        let bound = command_timeout / 2;
        Self {
            bound,
            busy: RwLock::default(),
            rates: RwLock::default(),
        }
    }

    /// Refuses a command for a busy partition.
    pub(crate) fn check(&self, partition: i32) -> Result<(), Problem> {
        let busy = self.busy.read().unwrap_or_else(PoisonError::into_inner);
        busy.get(&partition)
            .map_or(Ok(()), |after| Err(too_busy(*after)))
    }

    /// Takes a look at every partition, `since` after the one before.
    pub(crate) fn look(&self, samples: &BTreeMap<i32, Sample>, since: Duration) {
        let mut rates = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        let mut busy = BTreeMap::new();
        for (partition, sample) in samples {
            let rate = advance(&mut rates, *partition, *sample, since);
            if sample.oldest > self.bound {
                busy.insert(*partition, wait(sample.backlog, rate));
            }
        }
        *self.busy.write().unwrap_or_else(PoisonError::into_inner) = busy;
    }
}

/// The answer where too much is waiting.
pub(crate) fn too_busy(after: Duration) -> Problem {
    let detail = "more is waiting than can be decided in time; nothing was taken of this request";
    Problem::new(Code::TooBusy, detail).retry_after(after)
}

/// Smoothed over about four looks, so that one idle moment does not promise a minute.
fn advance(
    rates: &mut BTreeMap<i32, Rate>,
    partition: i32,
    sample: Sample,
    since: Duration,
) -> Option<f64> {
    let position = sample.position?;
    let seconds = since.as_secs_f64().max(0.001);
    let rate = rates.entry(partition).or_insert(Rate {
        position,
        per_second: 0.0,
    });
    let moved = u32::try_from(position - rate.position).map_or(0.0, f64::from);
    rate.per_second = rate.per_second * 0.75 + moved / seconds * 0.25;
    rate.position = position;
    Some(rate.per_second)
}

fn wait(backlog: u64, rate: Option<f64>) -> Duration {
    let backlog = u32::try_from(backlog).map_or(f64::from(u32::MAX), f64::from);
    // No movement at all is an outage, whose end nobody knows: come back soon and see.
    let rate = rate.filter(|rate| *rate >= 1.0).unwrap_or(backlog);
    let seconds = backlog / rate.max(1.0);
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(LONGEST)
        .clamp(Duration::from_secs(1), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(overload: &Overload, oldest: u64, backlog: u64, position: Option<i64>) {
        let oldest = Duration::from_secs(oldest);
        let samples = BTreeMap::from([(
            3,
            Sample {
                oldest,
                backlog,
                position,
            },
        )]);
        overload.look(&samples, Duration::from_secs(1));
    }

    #[test]
    fn a_partition_is_busy_beyond_half_the_timeout_and_free_again_after_it() {
        let overload = Overload::new(Duration::from_secs(10));
        look(&overload, 5, 100, Some(0));
        overload.check(3).unwrap();
        look(&overload, 6, 100, Some(0));
        assert_eq!(overload.check(3).unwrap_err().code(), Code::TooBusy);
        overload.check(4).unwrap();
        look(&overload, 1, 100, Some(0));
        overload.check(3).unwrap();
    }

    #[test]
    fn the_wait_is_the_backlog_by_the_rate() {
        assert_eq!(wait(1_000, Some(100.0)), Duration::from_secs(10));
        assert_eq!(wait(1_000_000, Some(100.0)), LONGEST);
        assert_eq!(wait(10, Some(1_000.0)), Duration::from_secs(1));
        assert_eq!(
            wait(1_000, None),
            Duration::from_secs(1),
            "an outage has no rate"
        );
    }

    #[test]
    fn the_rate_follows_the_position() {
        let mut rates = BTreeMap::new();
        let mut rate = None;
        for step in 0..50 {
            let sample = Sample {
                oldest: Duration::ZERO,
                backlog: 0,
                position: Some(step * 100),
            };
            rate = advance(&mut rates, 3, sample, Duration::from_secs(1));
        }
        assert!((rate.unwrap() - 100.0).abs() < 1.0, "{rate:?}");
    }
}
