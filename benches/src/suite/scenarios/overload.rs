//! Three times as much as can be decided: does it still decide as much, and is it well soon after?

use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use stagedoor_bench::http_load::Pace;

use super::over_http::Product;
use crate::suite::Bench;
use crate::suite::http::{Load, Served, play};
use crate::suite::options::Name;

/// How many times the peak is asked for.
const TIMES: f64 = 3.0;
/// The service's core, and the one of load and broker.
const SERVICE_CORE: usize = 1;
const OTHER_CORE: usize = 0;
/// Runs and connections of the peak: the most that any of them is answered.
const PEAKS: [(&str, usize); 3] = [("p1", 256), ("p2", 1_024), ("p3", 4_096)];
/// Connections of the overload: as many people wait at once.
const CONNECTIONS: u64 = 10_000;
/// Files that the generator needs besides.
const OTHER_FILES: u64 = 500;
/// Seconds that are watched after the overload.
const AFTER: u64 = 15;
/// The part of what is asked for that must be decided in a normal second.
const NORMAL: f64 = 0.9;

pub(super) fn overload(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Overload.text();
    let seconds = bench.sizes.overload_seconds;
    let load = format!(
        "the headline mix over HTTP; {TIMES} times the peak by a clock for {seconds} s, then half \
         of the peak; the service has one core, load and broker have the other, for the peak too"
    );
    bench.describe(&name, &load);
    let cores = std::thread::available_parallelism()?.get();
    anyhow::ensure!(
        cores > SERVICE_CORE,
        "it takes two cores, and there is {cores}"
    );
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = CONNECTIONS.min(open_files.saturating_sub(OTHER_FILES) / 2);
    let connections = usize::try_from(connections)?;
    let _pinned = Pinned::pin(&[bench.broker.pid, std::process::id()], cores)?;
    for round in 1..=bench.options.rounds {
        let at = format!("{name} round {round}");
        let figures = once(bench, &at, connections)?;
        bench.push(&name, "stagedoor", &figures);
    }
    Ok(())
}

fn once(bench: &Bench, at: &str, connections: usize) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let product = Product::start(bench, Some(SERVICE_CORE))?;
    let served = product.served(bench);
    let load = |run, pace, connections, seconds| Load {
        run,
        pace,
        connections,
        warm_up: 0,
        seconds,
    };
    let (rate, enough) = peak(bench, &served, at, connections)?;
    bench.progress.step(&format!("{at}: three times {rate:.0}"));
    let pace = Pace::Open {
        per_second: TIMES * rate,
    };
    let over = load("o", pace, connections, bench.sizes.overload_seconds);
    let over = play(bench, &served, &over)?;
    bench.progress.step(&format!("{at}: after it"));
    let pace = Pace::Open {
        per_second: rate / 2.0,
    };
    // With those that the peak took: fewer might not reach half of it however well it is.
    let after = load("a", pace, enough, AFTER);
    let after = play(bench, &served, &after)?;
    product.finish(bench, at)?;
    let recovery = recovery_seconds(&after.outcome.by_second, rate / 2.0, AFTER);
    let goodput = over.outcome.answers_per_second / rate;
    bench.progress.say(&format!(
        "{at}: peak {rate:.0}/s; overload {}; {} turned away, {} failed, {} never sent; normal \
         after {recovery} s",
        over.summary(),
        over.outcome.overloaded,
        over.outcome.failed,
        over.outcome.unsent
    ));
    Ok(vec![
        ("peak_answers_per_second", rate),
        ("answers_per_second", over.outcome.answers_per_second),
        ("goodput", goodput),
        ("p99_ms", over.outcome.latency.p99_ms),
        ("turned_away", over.outcome.overloaded as f64),
        ("failed", over.outcome.failed as f64),
        ("unsent", over.outcome.unsent as f64),
        ("peak_bytes", over.service.peak_bytes as f64),
        ("recovery_seconds", recovery),
        ("cpu_seconds", over.service.cpu_seconds),
    ])
}

/// The most answers a second of closed loops with more and more connections, and how many those were.
fn peak(bench: &Bench, served: &Served, at: &str, most: usize) -> anyhow::Result<(f64, usize)> {
    let seconds = bench.sizes.seconds;
    let mut best = (0.0, 0);
    for (run, connections) in PEAKS {
        let connections = connections.min(most);
        bench
            .progress
            .step(&format!("{at}: the peak, {connections} connections"));
        let closed = Load {
            run,
            pace: Pace::Closed,
            connections,
            warm_up: seconds,
            seconds,
        };
        let seen = play(bench, served, &closed)?.without_failures()?;
        if seen.outcome.answers_per_second > best.0 {
            best = (seen.outcome.answers_per_second, connections);
        }
    }
    Ok(best)
}

/// Seconds until every further one is normal; `watched` where none is.
fn recovery_seconds(by_second: &[u64], rate: f64, watched: u64) -> f64 {
    let watched = usize::try_from(watched).unwrap_or(usize::MAX);
    let normal = |second: usize| {
        let decided = by_second.get(second).copied().unwrap_or(0);
        decided as f64 >= NORMAL * rate
    };
    // The last one is cut where the measurement ends.
    let last_bad = (0..watched.saturating_sub(1)).rfind(|second| !normal(*second));
    last_bad.map_or(0.0, |second| (second + 1) as f64)
}

/// Processes on the one core that the service does not have. Dropped, they may use all again.
struct Pinned {
    pids: Vec<u32>,
    cores: usize,
}

impl Pinned {
    fn pin(pids: &[u32], cores: usize) -> anyhow::Result<Self> {
        let pinned = Self {
            pids: pids.to_vec(),
            cores,
        };
        pinned.to(&OTHER_CORE.to_string())?;
        Ok(pinned)
    }

    fn to(&self, cores: &str) -> anyhow::Result<()> {
        for pid in &self.pids {
            let status = Command::new("taskset")
                .args(["-a", "-c", "-p", cores, &pid.to_string()])
                .stdout(Stdio::null())
                .status()
                .context("taskset is missing: install util-linux")?;
            anyhow::ensure!(
                status.success(),
                "taskset {cores} of {pid} ended by {status}"
            );
        }
        Ok(())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Err(error) = self.to(&format!("0-{}", self.cores - 1)) {
            tracing::error!(%error, "load and broker stay on one core; later figures are wrong");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_normal_from_the_second_on_after_which_none_is_bad() {
        assert_eq!(recovery_seconds(&[100, 95, 100, 12], 100.0, 4), 0.0);
        assert_eq!(recovery_seconds(&[100, 10, 100, 12], 100.0, 4), 2.0);
        assert_eq!(recovery_seconds(&[], 100.0, 4), 3.0, "nothing is decided");
    }
}
