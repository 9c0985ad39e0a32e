//! One load over HTTP on what listens, with the CPU time and memory of everything behind it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use stagedoor_bench::http_load::{self, LoadError, Outcome, Pace, Plan};
use stagedoor_bench::measure::machine::busy_cpu_seconds;
use stagedoor_bench::measure::process::{Usage, Watch, own_cpu_seconds};
use stagedoor_bench::mix::{Kind, Mix};

use super::Bench;
use super::service::AUTH_SECRET;

/// Who take turns; each may have four seats of a concert.
const USERS: u64 = 50_000;

/// What listens, and what stands behind it.
pub(super) struct Served {
    /// Base of its URLs.
    pub(super) url: String,
    /// Partitions over which concerts are spread.
    pub(super) partitions: i32,
    /// The service's process.
    pub(super) service: u32,
    /// Processes that work for it: broker, database, cache.
    pub(super) behind: Vec<u32>,
}

/// One load of the headline mix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Part of every id.
    pub(super) run: &'a str,
    /// When requests begin.
    pub(super) pace: Pace,
    /// Connections.
    pub(super) connections: usize,
    /// Seconds before the measurement.
    pub(super) warm_up: u64,
    /// Seconds of the measurement.
    pub(super) seconds: u64,
}

/// What one load saw.
pub(super) struct Seen {
    /// What the generator saw.
    pub(super) outcome: Outcome,
    /// Of the service alone.
    pub(super) service: Usage,
    /// Of what stands behind it.
    pub(super) behind: Usage,
    /// Of everything else on the machine.
    other_cpu_seconds: f64,
    /// Exchanges in the time over which usage was counted, warm-up included.
    exchanges: u64,
}

/// Puts the concerts on sale, warms up and measures.
pub(super) fn play(bench: &Bench, served: &Served, load: &Load<'_>) -> anyhow::Result<Seen> {
    let mix = Mix::new(
        Kind::Headline,
        1,
        u64::MAX,
        USERS,
        load.run,
        served.partitions,
    )?;
    let plan = Plan {
        pace: load.pace,
        connections: load.connections,
        warm_up: Duration::from_secs(load.warm_up),
        measured: Duration::from_secs(load.seconds),
        ..Plan::new(&served.url, AUTH_SECRET.as_bytes(), mix)
    };
    in_background(bench, &plan, http_load::set_up)?;
    let service = Watch::start(served.service)?;
    let behind: Vec<Watch> = served
        .behind
        .iter()
        .map(|pid| Watch::start(*pid))
        .collect::<Result<_, _>>()?;
    let (load_before, all_before) = (own_cpu_seconds(), busy_cpu_seconds());
    let outcome = in_background(bench, &plan, http_load::run)?;
    let load = own_cpu_seconds() - load_before;
    let all = busy_cpu_seconds() - all_before;
    let mut used = Usage::default();
    for watch in behind {
        let one = watch.stop()?;
        used.cpu_seconds += one.cpu_seconds;
        used.peak_bytes += one.peak_bytes;
    }
    let service = service.stop()?;
    let measured = service.cpu_seconds + used.cpu_seconds + load;
    Ok(Seen {
        outcome,
        service,
        behind: used,
        other_cpu_seconds: (all - measured).max(0.0),
        exchanges: plan.progress.load(Ordering::Relaxed),
    })
}

/// On a thread of its own, because nothing there looks at signals. One that is interrupted is left
/// to end with the process.
fn in_background<T: Send + 'static>(
    bench: &Bench,
    plan: &Plan,
    task: fn(&Plan) -> Result<T, LoadError>,
) -> anyhow::Result<T> {
    let given = plan.clone();
    let running = std::thread::spawn(move || task(&given));
    while !running.is_finished() {
        bench.stop.check()?;
        bench.progress.at(plan.progress.load(Ordering::Relaxed));
        std::thread::park_timeout(Duration::from_millis(50));
    }
    match running.join() {
        Ok(done) => Ok(done?),
        Err(_) => anyhow::bail!("the load generator panicked"),
    }
}

impl Seen {
    /// Fails where a request had no answer: such a load measures something else.
    pub(super) fn without_failures(self) -> anyhow::Result<Self> {
        let Outcome {
            overloaded,
            failed,
            unsent,
            ..
        } = self.outcome;
        anyhow::ensure!(
            overloaded == 0 && failed == 0,
            "{overloaded} requests were turned away, {failed} failed and {unsent} were never sent"
        );
        Ok(self)
    }

    /// All figures by name. CPU seconds are of the service; `all_` ones of everything but the load.
    pub(super) fn figures(&self) -> Vec<(&'static str, f64)> {
        let outcome = &self.outcome;
        let latency = outcome.latency;
        let all_cpu = self.service.cpu_seconds + self.behind.cpu_seconds;
        let exchanges = self.exchanges as f64;
        vec![
            ("answers", outcome.answers as f64),
            ("held", outcome.held as f64),
            ("seconds", outcome.seconds),
            ("answers_per_second", outcome.answers_per_second),
            ("p50_ms", latency.p50_ms),
            ("p90_ms", latency.p90_ms),
            ("p99_ms", latency.p99_ms),
            ("p999_ms", latency.p999_ms),
            ("max_ms", latency.max_ms),
            ("cpu_seconds", self.service.cpu_seconds),
            ("all_cpu_seconds", all_cpu),
            ("peak_bytes", self.service.peak_bytes as f64),
            ("behind_peak_bytes", self.behind.peak_bytes as f64),
            (
                "answers_per_cpu_second",
                exchanges / self.service.cpu_seconds.max(0.01),
            ),
            ("answers_per_all_cpu_second", exchanges / all_cpu.max(0.01)),
            ("load_cpu_seconds", outcome.generator_cpu_seconds),
            ("other_cpu_seconds", self.other_cpu_seconds),
            ("unsent", outcome.unsent as f64),
        ]
    }

    pub(super) fn summary(&self) -> String {
        let outcome = &self.outcome;
        format!(
            "{:.0} answers/s, p50 {:.1} ms, p99 {:.1} ms, {:.2} CPU s + {:.2} behind it, {:.0} MB",
            outcome.answers_per_second,
            outcome.latency.p50_ms,
            outcome.latency.p99_ms,
            self.service.cpu_seconds,
            self.behind.cpu_seconds,
            self.service.peak_bytes as f64 / 1e6
        )
    }
}
