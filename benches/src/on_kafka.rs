//! Committed holds a second on one partition of a real broker, beside the bare loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_util::debugging::DebuggingRecorder;
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::{Appender, Log as _};

use crate::application::{self, Round, commit_latencies, produce};
use crate::bare_loop::{self, Output, Shape};
use crate::report::{self, Side};

/// Runs both sides in turn on one warm broker.
pub(crate) fn run(bootstrap_servers: &str, holds: u32, rounds: usize) -> anyhow::Result<()> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    anyhow::ensure!(
        recorder.install().is_ok(),
        "a metrics recorder is installed already"
    );
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    let run_id = std::process::id();
    let mut latencies = Vec::new();
    for round in 0..=rounds {
        let figure = stagedoor(bootstrap_servers, &format!("b{run_id}r{round}"), holds)?;
        let commits = commit_latencies(&snapshotter);
        let ceiling = ceiling(bootstrap_servers, &format!("c{run_id}r{round}"), holds)?;
        if round > 0 {
            product.push(figure);
            bare.push(ceiling);
            latencies.extend(commits);
        }
    }
    latencies.sort_by(f64::total_cmp);
    let quantile = |share: usize| {
        latencies
            .get(latencies.len() * share / 100)
            .map_or(0.0, |s| s * 1e3)
    };
    let notes = format!(
        "{holds} holds; commit p50 {:.1} ms, p99 {:.1} ms of {}",
        quantile(50),
        quantile(99),
        latencies.len()
    );
    report::print(
        "committed holds, one partition, commands produced meanwhile",
        &[
            Side {
                name: "stagedoor",
                rounds: product,
                notes,
            },
            Side {
                name: "bare loop, 4 records out",
                rounds: bare,
                notes: String::new(),
            },
        ],
    );
    Ok(())
}

/// One round of the product.
fn stagedoor(bootstrap_servers: &str, application: &str, holds: u32) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let config = KafkaConfig::new(bootstrap_servers, application);
    application::run(Round {
        application,
        log: Arc::new(KafkaLog::new(config)),
        load: load_appender(bootstrap_servers, application)?,
        stores: Database::open(directory.path(), &DatabaseOptions::default())?,
        directory: directory.path(),
        holds,
    })
}

/// One round of the bare loop under the same load.
fn ceiling(bootstrap_servers: &str, application: &str, holds: u32) -> anyhow::Result<f64> {
    let log = KafkaLog::new(KafkaConfig::new(bootstrap_servers, application));
    // What a hold writes: result, event, reservation row; the block is shared by many.
    let sizes = [
        ("results", 190),
        ("reservation.events", 130),
        ("changelog", 130),
        ("more", 110),
    ];
    let name = |topic: &str| format!("{application}.{topic}");
    let shape = Shape {
        input: name("input"),
        outputs: sizes
            .iter()
            .map(|(topic, bytes)| Output {
                topic: name(topic),
                records: 1.0,
                bytes: *bytes,
            })
            .collect(),
        max_batch: 10_000,
        max_wait: Duration::from_millis(100),
    };
    shape.create_topics(&log, 1)?;
    let appender = load_appender(bootstrap_servers, application)?;
    let started = Instant::now();
    let total = usize::try_from(holds)?;
    let ended = std::thread::scope(|scope| {
        let producing = scope.spawn(|| produce(&*appender, &shape.input, holds));
        let ended = bare_loop::run(&log, &shape, total);
        match producing.join() {
            Ok(produced) => produced.and(ended),
            Err(_) => anyhow::bail!("the load generator panicked"),
        }
    })?;
    Ok(f64::from(holds) / (ended - started).as_secs_f64())
}

/// The producer of the load, the same for both sides.
fn load_appender(bootstrap_servers: &str, application: &str) -> anyhow::Result<Arc<dyn Appender>> {
    let config = KafkaConfig::new(bootstrap_servers, format!("{application}-load"));
    Ok(KafkaLog::new(config).appender()?)
}
