//! The time that schedules: waits, leases, Ticks. No rule ever sees it; rules see log time.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time, so that a test or a simulation can bring its own.
pub trait Clock: Debug + Send + Sync {
    /// Time since some moment before the first call; it never goes back.
    fn now(&self) -> Duration;

    /// Wall-clock time in milliseconds since 1970; it may jump either way.
    fn wall_ms(&self) -> i64;

    /// Lets time pass.
    fn sleep(&self, length: Duration);
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        STARTED.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, length: Duration) {
        std::thread::sleep(length);
    }
}

/// A clock that stands still until it is moved on by hand.
#[derive(Debug, Default)]
pub struct VirtualClock {
    now_ms: AtomicU64,
    wall_at_start_ms: AtomicI64,
}

impl VirtualClock {
    /// A clock whose wall time starts at `wall_ms`.
    #[must_use]
    pub fn new(wall_ms: i64) -> Self {
        Self {
            now_ms: AtomicU64::new(0),
            wall_at_start_ms: AtomicI64::new(wall_ms),
        }
    }

    /// Lets time pass for everybody who looks at this clock.
    pub fn advance(&self, by_ms: u64) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back, as an operator or a time server may.
    pub fn jump(&self, by_ms: i64) {
        self.wall_at_start_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::SeqCst))
    }

    fn wall_ms(&self) -> i64 {
        let passed = i64::try_from(self.now_ms.load(Ordering::SeqCst)).unwrap_or(i64::MAX);
        self.wall_at_start_ms
            .load(Ordering::SeqCst)
            .saturating_add(passed)
    }

    /// Nobody waits: whoever drives the clock decides when time passes.
    fn sleep(&self, _length: Duration) {}
}
