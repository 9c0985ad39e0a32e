//! Committed holds a second on one partition of a real broker, beside the bare loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use stagedoor_processors::concert;
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::{Appender, Log, Outgoing, TopicSpec};
use stagedoor_topology::{
    CommitListener, Committed, Secret, Streams, StreamsConfig, StreamsState, TopicNaming,
};

use crate::bare_loop::{self, Shape};
use crate::load;
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

/// Counts what was decided, and what of it was a hold: a refusal is cheap and proves nothing.
struct Counter {
    answers: AtomicUsize,
    holds: AtomicUsize,
}

impl CommitListener for Counter {
    fn committed(&self, committed: &Committed<'_>) {
        let count = |topic| {
            committed
                .outputs
                .iter()
                .filter(|output| output.sink == topic)
                .count()
        };
        self.holds
            .fetch_add(count(concert::EVENTS.topic), Ordering::SeqCst);
        self.answers
            .fetch_add(count(concert::RESULTS.topic), Ordering::SeqCst);
    }
}

/// One round of the product, in this process. Returns committed holds a second.
fn stagedoor(bootstrap_servers: &str, application: &str, holds: u32) -> anyhow::Result<f64> {
    let log = Arc::new(KafkaLog::new(KafkaConfig::new(
        bootstrap_servers,
        application,
    )));
    let directory = tempfile::tempdir()?;
    let naming = TopicNaming {
        application_id: application.to_owned(),
        prefix: format!("{application}."),
        partitions: 1,
    };
    let stores = Arc::new(Database::open(
        directory.path(),
        &DatabaseOptions::default(),
    )?);
    let secret = Secret::new(*b"bench");
    let config = StreamsConfig::new(
        naming,
        directory.path().join("run"),
        "bench".to_owned(),
        secret,
    );
    let counter = Arc::new(Counter {
        answers: AtomicUsize::new(0),
        holds: AtomicUsize::new(0),
    });
    let listener: Arc<dyn CommitListener> = Arc::<Counter>::clone(&counter);
    let streams = Streams::start(
        stagedoor_processors::topology()?,
        log.clone(),
        stores,
        config,
        listener,
    )?;
    until("the application runs", || {
        anyhow::ensure!(
            streams.state() != StreamsState::Error,
            "{:?}",
            streams.failure()
        );
        Ok(streams.state() == StreamsState::Running)
    })?;
    let topic = streams.topic("concert.commands");
    let appender = load_appender(bootstrap_servers, application)?;
    append(&*appender, &topic, &load::encoded(&load::concert(holds))?);
    until("the concert is there", || {
        Ok(counter.answers.load(Ordering::SeqCst) == 1)
    })?;
    let started = Instant::now();
    produce(&*appender, &topic, holds)?;
    let wanted = usize::try_from(holds)?;
    until("all holds are committed", || {
        Ok(counter.answers.load(Ordering::SeqCst) > wanted)
    })?;
    let figure = f64::from(holds) / started.elapsed().as_secs_f64();
    let held = counter.holds.load(Ordering::SeqCst);
    anyhow::ensure!(
        held == wanted,
        "{held} of {wanted} holds succeeded; the others were refused"
    );
    anyhow::ensure!(
        streams.close(Duration::from_secs(30)),
        "the application did not close"
    );
    Ok(figure)
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
    let mut topics: Vec<String> = sizes.iter().map(|(topic, _)| name(topic)).collect();
    topics.push(name("input"));
    let spec = |name: String| TopicSpec {
        name,
        partitions: 1,
        config: BTreeMap::new(),
        checked: Vec::new(),
    };
    log.ensure_topics(&topics.into_iter().map(spec).collect::<Vec<_>>())?;
    let shape = Shape {
        input: name("input"),
        outputs: sizes
            .iter()
            .map(|(topic, size)| (name(topic), *size))
            .collect(),
        max_batch: 10_000,
        max_wait: Duration::from_millis(100),
    };
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

/// The producer of the load, the same for both sides. It collects, because it shares the machine
/// with what is measured.
fn load_appender(bootstrap_servers: &str, application: &str) -> anyhow::Result<Arc<dyn Appender>> {
    let mut config = KafkaConfig::new(bootstrap_servers, format!("{application}-load"));
    config.append_linger = Duration::from_millis(20);
    Ok(KafkaLog::new(config).appender()?)
}

/// Produces all holds, waiting where the local queue is full.
fn produce(appender: &dyn Appender, topic: &str, holds: u32) -> anyhow::Result<()> {
    for index in 0..holds {
        append(appender, topic, &load::encoded(&load::hold(index, holds))?);
    }
    Ok(())
}

fn append(appender: &dyn Appender, topic: &str, value: &[u8]) {
    let record = Outgoing {
        topic,
        partition: 0,
        key: Some(load::CONCERT.as_bytes()),
        value: Some(value),
        headers: &[],
    };
    appender.append(
        record,
        Box::new(|result| {
            if let Err(error) = result {
                tracing::error!(%error, "a command was not appended; the round will not end");
            }
        }),
    );
}

/// Polls a condition; the bench measures seconds, so a few milliseconds do not matter.
fn until(what: &str, mut condition: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition()? {
        anyhow::ensure!(
            Instant::now() < deadline,
            "after two minutes still not: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Commit latencies in seconds since the last call.
fn commit_latencies(snapshotter: &Snapshotter) -> Vec<f64> {
    let mut latencies = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if key.key().name() == "stagedoor_stream_thread_commit_latency_seconds"
            && let DebugValue::Histogram(values) = value
        {
            latencies.extend(values.into_iter().map(f64::from));
        }
    }
    latencies
}
