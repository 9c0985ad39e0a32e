//! `stagedoor-bench`: the suite that measures everything, and its single parts.

mod application;
mod audit;
mod bare_loop;
mod ceiling;
mod history;
mod in_process;
mod load;
mod on_embedded;
mod on_kafka;
mod over_http;
mod report;
mod suite;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Stagedoor, and what it is compared with.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// One thread, no Kafka: decide, evolve, encode; with and without the RocksDB batch.
    InProcess {
        /// Holds per round; a concert has at most 200,000 seats.
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        holds: u32,
        /// Holds per commit.
        #[arg(long, default_value_t = 2_000)]
        batch: u32,
        /// Counted rounds; one more comes first as a warm-up.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// One partition of the embedded log: durable holds in one process, stores included.
    Embedded {
        /// Where the log is put for the time of a round; on the disk that is to be measured.
        #[arg(long, default_value = ".")]
        directory: PathBuf,
        /// Holds per round; a concert has at most 200,000 seats.
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        holds: u32,
        /// Counted rounds of each policy; one more comes first as a warm-up.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// One round of it, whose figure is printed; the suite runs it.
    #[command(hide = true)]
    EmbeddedRound {
        /// Where the log is put.
        #[arg(long)]
        directory: PathBuf,
        /// Holds.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        holds: u32,
    },
    /// The holds of `in-process` once and without a clock, for programs that count: see
    /// scripts/hot-path.sh.
    Play {
        /// Holds to play; a concert has at most 200,000 seats.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        holds: u32,
        /// Holds per commit.
        #[arg(long, default_value_t = 2_000)]
        batch: u32,
        /// Commit to RocksDB, instead of dropping each batch once its changes are read.
        #[arg(long)]
        rocksdb: bool,
    },
    /// One partition of a real broker, beside a bare consume-produce-commit loop in the same run.
    Kafka {
        /// A running broker, as `docker/kafka/kafka.sh start` prints it.
        #[arg(long)]
        bootstrap_servers: String,
        /// Holds per round; a concert has at most 200,000 seats.
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        holds: u32,
        /// Counted rounds of each side; one more comes first as a warm-up.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Everything that is claimed, beside what it is compared with: what `./bench` runs.
    Suite(Box<suite::SuiteArgs>),
    /// The bare loop until its end; the suite measures it.
    #[command(hide = true)]
    Ceiling(ceiling::CeilingArgs),
    /// Records a second of the audit, over a history on the embedded log.
    Audit(audit::AuditArgs),
    /// Load over HTTP against a service that runs, in a closed or an open loop.
    Http(Box<over_http::HttpArgs>),
}

fn main() -> anyhow::Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Arguments::parse().scenario {
        Scenario::InProcess {
            holds,
            batch,
            rounds,
        } => in_process::run(holds, batch, rounds),
        Scenario::Embedded {
            directory,
            holds,
            rounds,
        } => on_embedded::run(&directory, holds, rounds),
        Scenario::EmbeddedRound { directory, holds } => on_embedded::round(&directory, holds),
        Scenario::Play {
            holds,
            batch,
            rocksdb,
        } => in_process::once(holds, batch, rocksdb),
        Scenario::Kafka {
            bootstrap_servers,
            holds,
            rounds,
        } => on_kafka::run(&bootstrap_servers, holds, rounds),
        Scenario::Audit(arguments) => audit::run(&arguments),
        Scenario::Http(arguments) => over_http::run(&arguments),
        Scenario::Ceiling(arguments) => ceiling::run(&arguments),
        Scenario::Suite(arguments) => return Ok(suite::run(&arguments)),
    }?;
    Ok(ExitCode::SUCCESS)
}
