//! Named crash points and switched-off guards for whole-system tests; empty without the feature.
//!
//! `STAGEDOOR_CRASH_AT=point:n` kills the process (SIGKILL, as an outside `kill -9`) when it
//! passes the point for the n-th time. `STAGEDOOR_SWITCH_OFF=guard,…` turns guards off, so that
//! tests can show that they fail without them. Neither is in a product build.

#[cfg(not(feature = "faults"))]
mod inner {
    /// Does nothing in a product build.
    #[inline]
    pub(crate) fn crash_point(_name: &str) {}

    /// Guards are always on in a product build.
    #[inline]
    pub(crate) fn switched_off(_guard: &str) -> bool {
        false
    }
}

#[cfg(feature = "faults")]
mod inner {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CRASH_AT: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let wanted = std::env::var("STAGEDOOR_CRASH_AT").ok()?;
        let (name, count) = wanted.rsplit_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    static SWITCHED_OFF: LazyLock<String> =
        LazyLock::new(|| std::env::var("STAGEDOOR_SWITCH_OFF").unwrap_or_default());
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Kills the process here, if this is the point and the time.
    ///
    /// A point that starts with `during-` dies a little later, inside of what follows it.
    pub(crate) fn crash_point(name: &str) {
        let Some((wanted, count)) = CRASH_AT.as_ref() else {
            return;
        };
        if wanted != name || PASSED.fetch_add(1, Ordering::SeqCst) + 1 != *count {
            return;
        }
        if name.starts_with("during-") {
            std::thread::spawn(|| {
                std::thread::sleep(std::time::Duration::from_micros(300));
                die();
            });
        } else {
            die();
        }
    }

    fn die() {
        let me = rustix::process::getpid();
        if rustix::process::kill_process(me, rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
    }

    /// Whether a guard was switched off for this run.
    pub(crate) fn switched_off(guard: &str) -> bool {
        SWITCHED_OFF.split(',').any(|off| off == guard)
    }
}

pub(crate) use inner::{crash_point, switched_off};
