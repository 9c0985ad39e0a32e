//! The whole product in this process on any log: one concert, one partition, one hold per seat.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics_util::debugging::{DebugValue, Snapshotter};
use stagedoor_processors::concert;
use stagedoor_state::Database;
use stagedoor_topology::log::{Appender, Haste, Log, Outgoing};
use stagedoor_topology::{
    CommitListener, Committed, Secret, Streams, StreamsConfig, StreamsState, TopicNaming,
};

use crate::load;

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

/// How one round runs.
pub(crate) struct Round<'a> {
    /// Application id; topics have it as their prefix.
    pub(crate) application: &'a str,
    /// What it is written to.
    pub(crate) log: Arc<dyn Log>,
    /// Who writes the load.
    pub(crate) load: Arc<dyn Appender>,
    /// Where the stores are.
    pub(crate) stores: Database,
    /// A directory for everything else.
    pub(crate) directory: &'a Path,
    /// Holds to be decided.
    pub(crate) holds: u32,
}

/// Starts the product in this process, and waits until it runs.
pub(crate) fn start(
    log: Arc<dyn Log>,
    stores: Database,
    config: StreamsConfig,
    listener: Arc<dyn CommitListener>,
) -> anyhow::Result<Streams> {
    let topology = stagedoor_processors::topology()?;
    let streams = Streams::start(topology, log, Arc::new(stores), config, listener)?;
    until("the application runs", || {
        anyhow::ensure!(
            streams.state() != StreamsState::Error,
            "{:?}",
            streams.failure()
        );
        Ok(streams.state() == StreamsState::Running)
    })?;
    Ok(streams)
}

/// One round of the product on one partition, in this process. Returns committed holds a second.
pub(crate) fn run(round: Round<'_>) -> anyhow::Result<f64> {
    let Round {
        application,
        log,
        load: appender,
        stores,
        directory,
        holds,
    } = round;
    let naming = TopicNaming::new(application, format!("{application}."), 1);
    let secret = Secret::new(*b"bench");
    let config = StreamsConfig::new(naming, directory.join("run"), "bench".to_owned(), secret);
    let counter = Arc::new(Counter {
        answers: AtomicUsize::new(0),
        holds: AtomicUsize::new(0),
    });
    let listener: Arc<dyn CommitListener> = Arc::<Counter>::clone(&counter);
    let streams = start(log, stores, config, listener)?;
    let topic = streams.topic("concert.commands");
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

/// Produces all holds, waiting where the local queue is full.
pub(crate) fn produce(appender: &dyn Appender, topic: &str, holds: u32) -> anyhow::Result<()> {
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
    // The load shares the machine with what is measured: large requests.
    appender.append(
        record,
        Haste::Patient,
        Box::new(|result| {
            if let Err(error) = result {
                tracing::error!(%error, "a command was not appended; the round will not end");
            }
        }),
    );
}

/// Polls a condition; the bench measures seconds, so a few milliseconds do not matter.
pub(crate) fn until(
    what: &str,
    mut condition: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
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
pub(crate) fn commit_latencies(snapshotter: &Snapshotter) -> Vec<f64> {
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
