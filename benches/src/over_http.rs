//! `stagedoor-bench http`: one run of load over HTTP against a service that runs already.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use stagedoor_bench::http_load::{self, Pace, Plan};
use stagedoor_bench::mix::{Kind, Mix};

/// Options of `http`.
#[derive(Debug, Args)]
pub(crate) struct HttpArgs {
    /// Base of the service: Stagedoor, or what it is compared with.
    #[arg(long)]
    url: String,
    /// The service's own secret.
    #[arg(long, env = "STAGEDOOR_AUTH_SECRET", hide_env_values = true)]
    auth_secret: String,
    /// Which requests.
    #[arg(long, value_enum, default_value_t = Kind::Headline)]
    mix: Kind,
    /// Requests of a hot or general mix, warm-up included; a headline mix goes on until the time is
    /// up.
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    /// Users, who take turns; each may have four seats of a concert.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,
    /// Decides the requests of a headline mix.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Part of every id; a second run of the same name finds its seats taken.
    #[arg(long)]
    run: Option<String>,
    /// Partitions of the service's command topic, over which the concerts are spread.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Requests a second by a clock; without it each connection sends as soon as it has its answer.
    #[arg(long)]
    rate: Option<f64>,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds before the measurement.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Write the outcome there as JSON, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Puts the concerts on sale, runs the load and prints the outcome.
#[expect(clippy::print_stdout, reason = "the report is the program's output")]
pub(crate) fn run(arguments: &HttpArgs) -> anyhow::Result<()> {
    let plan = plan(arguments)?;
    http_load::set_up(&plan)?;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{spinner} {elapsed} {human_pos} requests, {per_sec}",
    )?);
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| http_load::run(&plan));
        while !running.is_finished() {
            bar.set_position(plan.progress.load(Ordering::Relaxed));
            std::thread::park_timeout(Duration::from_millis(200));
        }
        running.join()
    });
    bar.finish_and_clear();
    let Ok(outcome) = outcome else {
        anyhow::bail!("the load generator panicked");
    };
    let outcome = outcome?;
    println!("{}", outcome.table());
    if let Some(file) = &arguments.json {
        let text = serde_json::to_vec_pretty(&outcome)?;
        std::fs::write(file, text).with_context(|| format!("--json {}", file.display()))?;
    }
    Ok(())
}

fn plan(arguments: &HttpArgs) -> anyhow::Result<Plan> {
    let run = arguments.run.clone();
    let run = run.unwrap_or_else(|| format!("load{}", std::process::id()));
    let mix = Mix::new(
        arguments.mix,
        arguments.seed,
        arguments.requests,
        arguments.users,
        &run,
        arguments.partitions,
    )?;
    let seconds = |name, given| {
        Duration::try_from_secs_f64(given).with_context(|| format!("--{name}: {given} is no time"))
    };
    Ok(Plan {
        pace: arguments
            .rate
            .map_or(Pace::Closed, |per_second| Pace::Open { per_second }),
        connections: arguments.connections,
        threads: arguments.threads,
        warm_up: seconds("warm-up", arguments.warm_up)?,
        measured: seconds("seconds", arguments.seconds)?,
        ..Plan::new(&arguments.url, arguments.auth_secret.as_bytes(), mix)
    })
}
