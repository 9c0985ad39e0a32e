//! `stagedoor-bench audit`: records a second of `stagedoor audit` over a history that is made once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use stagedoor_audit::{Checker, Report, Sources};
use stagedoor_bench::measure::process::{own_cpu_seconds, own_peak_bytes};
use stagedoor_bench::mix::{Kind, Mix};

use crate::history;
use crate::report::{self, Side};

/// Options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Data directory of the history, which is kept; one that is there is audited as it is.
    /// Without it the history is made in a temporary directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which requests.
    #[arg(long, value_enum, default_value_t = Kind::Headline)]
    mix: Kind,
    /// Requests; 300,000 of a headline mix leave more than a million records.
    #[arg(long, default_value_t = 300_000)]
    requests: u64,
    /// Partitions of every topic. A history that is there must have as many.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Threads of the audit, as many as there are processors where none is given.
    #[arg(long)]
    threads: Option<usize>,
    /// Counted rounds; one more comes first as a warm-up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// What one audit took.
struct Round {
    report: Report,
    seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
}

/// Makes the history if there is none, audits it round by round, and prints the figures.
pub(crate) fn run(arguments: &AuditArgs) -> anyhow::Result<()> {
    let temporary;
    let directory = match &arguments.data {
        Some(directory) => directory,
        None => {
            temporary = tempfile::tempdir_in(".")?;
            &temporary.path().to_owned()
        }
    };
    if !directory.join("state").exists() {
        let (requests, partitions) = (arguments.requests, arguments.partitions);
        let mix = Mix::new(arguments.mix, 1, requests, requests, "audit", partitions)?;
        std::fs::create_dir_all(directory)?;
        history::make(directory, &mix, partitions)?;
    }
    let threads = arguments
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut rounds = Vec::new();
    for _ in 0..=arguments.rounds {
        rounds.push(audit(directory, arguments.partitions, threads)?);
    }
    if rounds.len() > 1 {
        rounds.remove(0);
    }
    print(&rounds, threads);
    Ok(())
}

fn audit(directory: &Path, partitions: i32, threads: usize) -> anyhow::Result<Round> {
    let (_stores, log) = history::open(directory)?;
    let (topology, secret) = (stagedoor_processors::topology()?, history::secret());
    let naming = history::naming(partitions);
    let sources = Sources {
        threads,
        ..Sources::new(&log, &topology, &naming, &secret)
    };
    // No watch, which would look through all of the memory under measure again and again.
    let (started, cpu_before) = (Instant::now(), own_cpu_seconds());
    let report = stagedoor_audit::run(&sources)?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu_seconds = own_cpu_seconds() - cpu_before;
    // A figure of an audit that looked at nothing, or of a history that is wrong, proves nothing.
    anyhow::ensure!(report.is_clean(&Checker::AT_REST), "{report}");
    Ok(Round {
        report,
        seconds,
        cpu_seconds,
        peak_bytes: own_peak_bytes(),
    })
}

fn print(rounds: &[Round], threads: usize) {
    let Some(last) = rounds.last() else { return };
    let records = last.report.records as f64;
    let figures = |seconds: fn(&Round) -> f64| {
        let rounds = rounds.iter();
        rounds.map(|round| records / seconds(round)).collect()
    };
    let notes = format!(
        "{records} records, {threads} threads, peak {} MiB",
        last.peak_bytes / (1024 * 1024)
    );
    let by_clock = Side {
        name: "records by the clock",
        rounds: figures(|round| round.seconds),
        notes,
    };
    let by_cpu = Side {
        name: "records by CPU seconds",
        rounds: figures(|round| round.cpu_seconds),
        notes: String::new(),
    };
    report::print("audit of an embedded log", &[by_clock, by_cpu]);
}
