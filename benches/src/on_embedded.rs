//! Committed holds a second on the embedded log: durable, in one process, stores included.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics_util::debugging::DebuggingRecorder;
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::Log;
use stagedoor_topology::log::embedded::{Durability, EmbeddedConfig, EmbeddedLog};

use crate::application::{self, Round, commit_latencies};
use crate::report::{self, Side};

/// The policies that are compared; the last is what the others are measured by.
const POLICIES: [(&str, Durability); 3] = [
    ("synchronised at each commit", Durability::EachCommit),
    (
        "synchronised every 20 ms",
        Durability::Every(Duration::from_millis(20)),
    ),
    ("left to the system", Durability::Never),
];

/// Runs all policies in turn. `directory` is where the log is put, on the disk to be measured.
pub(crate) fn run(directory: &Path, holds: u32, rounds: usize) -> anyhow::Result<()> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    anyhow::ensure!(
        recorder.install().is_ok(),
        "a metrics recorder is installed already"
    );
    let mut figures = POLICIES.map(|_| (Vec::new(), Vec::new()));
    for round in 0..=rounds {
        for ((_, policy), (speeds, latencies)) in POLICIES.iter().zip(&mut figures) {
            let speed = stagedoor(directory, *policy, holds)?;
            let commits = commit_latencies(&snapshotter);
            // The first one warms up.
            if round > 0 {
                speeds.push(speed);
                latencies.extend(commits);
            }
        }
    }
    let side = |((name, _), (rounds, latencies)): (&(&'static str, Durability), _)| Side {
        name,
        rounds,
        notes: notes(holds, latencies),
    };
    let sides: Vec<Side> = POLICIES.iter().zip(figures).map(side).collect();
    report::print("committed holds on the embedded log, one partition", &sides);
    Ok(())
}

/// One round with a commit that is synchronised each time; prints its figure.
#[expect(clippy::print_stdout, reason = "whoever starts it reads the figure")]
pub(crate) fn round(directory: &Path, holds: u32) -> anyhow::Result<()> {
    let speed = stagedoor(directory, Durability::EachCommit, holds)?;
    println!("holds_per_second={speed:.0}");
    Ok(())
}

fn notes(holds: u32, mut latencies: Vec<f64>) -> String {
    latencies.sort_by(f64::total_cmp);
    let quantile = |share: usize| {
        let found = latencies.get(latencies.len() * share / 100);
        found.map_or(0.0, |seconds| seconds * 1e3)
    };
    format!(
        "{holds} holds; commit p50 {:.1} ms, p99 {:.1} ms of {}",
        quantile(50),
        quantile(99),
        latencies.len()
    )
}

fn stagedoor(place: &Path, durability: Durability, holds: u32) -> anyhow::Result<f64> {
    let directory: PathBuf = tempfile::tempdir_in(place)?.keep();
    let options = DatabaseOptions {
        authoritative: true,
        ..DatabaseOptions::default()
    };
    let stores = Database::open(directory.join("state"), &options)?;
    let config = EmbeddedConfig {
        durability,
        ..EmbeddedConfig::new("bench")
    };
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(&stores, config)?);
    let load = log.appender()?;
    let speed = application::run(Round {
        application: "bench",
        log,
        load,
        stores,
        directory: &directory,
        holds,
    });
    std::fs::remove_dir_all(&directory)?;
    speed
}
