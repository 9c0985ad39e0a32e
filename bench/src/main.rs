//! `stagedoor-bench`: what the spine costs, in process and on a real broker beside a bare loop.

mod bare_loop;
mod in_process;
mod load;
mod on_kafka;
mod report;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures holds per second, in process and on a real broker.
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
    /// The same once and without a clock, for programs that count: see scripts/hot-path.sh.
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
}

fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().scenario {
        Scenario::InProcess {
            holds,
            batch,
            rounds,
        } => in_process::run(holds, batch, rounds),
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
    }
}
