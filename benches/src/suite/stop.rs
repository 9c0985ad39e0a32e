//! The user's wish to end, asked for by everything that waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// How soon a wait notices that it should end.
const LOOK: Duration = Duration::from_millis(5);

/// The measurement was interrupted by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// Set by the first SIGINT or SIGTERM.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for signals from now on, on a thread of its own.
    pub(super) fn listen() -> io::Result<Self> {
        let stop = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        let told = stop.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                told.0.store(true, Ordering::SeqCst);
                // Later signals change nothing: everything that was started is being ended.
                std::future::pending::<()>().await;
            });
        });
        Ok(stop)
    }

    /// Whether it is time to end.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails once it is time to end.
    pub(super) fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    /// Asks `condition` until it gives something, at most `limit` long; `what` is waited for.
    pub(super) fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            self.check()?;
            if let Some(found) = condition()? {
                return Ok(found);
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "after {} s still not: {what}",
                limit.as_secs()
            );
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_by_its_condition_by_its_limit_and_by_a_signal() {
        let stop = Stop::default();
        let mut asked = 0;
        let found = stop.until("three", Duration::from_secs(60), || {
            asked += 1;
            Ok((asked == 3).then_some("found"))
        });
        assert_eq!(found.unwrap(), "found");
        let late = stop.until("never", Duration::ZERO, || Ok(None::<()>));
        assert!(late.unwrap_err().to_string().contains("still not: never"));
        stop.0.store(true, Ordering::SeqCst);
        let ended = stop.until("never", Duration::from_secs(60), || Ok(None::<()>));
        assert!(ended.unwrap_err().is::<Interrupted>());
    }
}
