//! Waiting for a condition with a bound, for tests that watch other processes.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `condition` again and again until it holds; `false` if it still does not after `limit`.
pub fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
