//! Which request is next, and when it is due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::plan::{Pace, Plan};

/// How long after the end of a measurement requests that were due in it may still begin.
const GRACE: Duration = Duration::from_secs(5);

/// Shared by all connections: each takes the next turn when it is free.
#[derive(Debug)]
pub(super) struct Schedule {
    begin: Instant,
    measured_from: Instant,
    end: Instant,
    pace: Pace,
    most: u64,
    next: AtomicU64,
}

/// A request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Number of the request in its mix.
    pub(super) index: u64,
    /// When it should begin; none: as soon as it can.
    pub(super) due: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(plan: &Plan, begin: Instant) -> Self {
        let endless = plan.mix.is_endless();
        Self {
            begin,
            measured_from: begin + plan.warm_up,
            end: begin + plan.warm_up + plan.measured,
            pace: plan.pace,
            most: if endless {
                u64::MAX
            } else {
                plan.mix.requests()
            },
            next: AtomicU64::new(0),
        }
    }

    /// When the first request is due.
    pub(super) fn begin(&self) -> Instant {
        self.begin
    }

    /// The next turn, or none at the end.
    pub(super) fn next(&self, now: Instant) -> Option<Turn> {
        let (open, over) = match self.pace {
            Pace::Closed => (false, now >= self.end),
            Pace::Open { .. } => (true, now >= self.end + GRACE),
        };
        if over {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let due = open.then(|| self.due(index));
        let inside = index < self.most && due.is_none_or(|due| due < self.end);
        inside.then_some(Turn { index, due })
    }

    /// Whether what began then counts.
    pub(super) fn counts(&self, began: Instant) -> bool {
        began >= self.measured_from
    }

    /// Whole seconds from the start of the measurement.
    pub(super) fn second(&self, at: Instant) -> usize {
        let since = at.saturating_duration_since(self.measured_from);
        usize::try_from(since.as_secs()).unwrap_or(usize::MAX)
    }

    /// Time from the start of the measurement.
    pub(super) fn measured_until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.measured_from)
    }

    /// Requests that were due in an open loop and were never sent, because no connection became
    /// free.
    pub(super) fn unsent(&self) -> u64 {
        let Pace::Open { per_second } = self.pace else {
            return 0;
        };
        let wanted = ((self.end - self.begin).as_secs_f64() * per_second).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate of millions over hours is far below 2^53"
        )]
        let wanted = (wanted as u64).min(self.most);
        wanted.saturating_sub(self.next.load(Ordering::Relaxed))
    }

    fn due(&self, index: u64) -> Instant {
        match self.pace {
            Pace::Closed => self.begin,
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
            Pace::Open { per_second } => {
                self.begin + Duration::from_secs_f64(index as f64 / per_second)
            }
        }
    }
}
