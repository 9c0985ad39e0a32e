//! Starts the threads of an application once its log answers, and watches them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use stagedoor_state::StorageProvider;

use crate::board::Board;
use crate::committer::Committer;
use crate::config::StreamsConfig;
use crate::global_table::GlobalTableReader;
use crate::log::{Appender, Log, LogError, TopicInfo};
use crate::shared::{CommitListener, Heartbeat, Shared};
use crate::stream_thread::StreamThread;
use crate::streams::INSTANCES_TABLE;
use crate::topics;
use crate::topology::Topology;
use crate::wiring::{wire, wired};

/// Exit code of a process that should be started again.
const EXIT_TRY_AGAIN: i32 = 75;

/// A stream thread with its signs of life.
type Watched = (Arc<Heartbeat>, JoinHandle<()>);

/// Starts the threads once the log answers, and watches them.
pub(crate) struct Supervisor {
    pub(crate) topology: Topology,
    pub(crate) config: StreamsConfig,
    pub(crate) board: Arc<Board>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) failure: Arc<Mutex<Option<String>>>,
    pub(crate) topics: Arc<RwLock<BTreeMap<String, TopicInfo>>>,
    pub(crate) tables: BTreeMap<&'static str, Arc<GlobalTableReader>>,
    pub(crate) appender: Arc<dyn Appender>,
    pub(crate) closed: Arc<AtomicBool>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) stores: Arc<dyn StorageProvider>,
    pub(crate) listener: Arc<dyn CommitListener>,
    pub(crate) unclean: Option<PathBuf>,
}

impl Supervisor {
    /// Runs until the application stops.
    pub(crate) fn run(self) {
        if let Err(reason) = self.supervise() {
            tracing::error!(reason, "the application stops");
            self.failure.lock().get_or_insert(reason);
            self.stop.store(true, Ordering::SeqCst);
        } else if self.failure.lock().is_none() {
            end_run(&self.config.state_dir);
        }
        self.closed.store(true, Ordering::SeqCst);
    }

    fn supervise(&self) -> Result<(), String> {
        let Some(infos) = self.await_topics()? else {
            return Ok(());
        };
        let shared = Arc::new(self.shared(&infos)?);
        *self.topics.write() = infos
            .iter()
            .map(|info| (info.name.clone(), info.clone()))
            .collect();
        let tables = self.follow_tables(&infos);
        let threads = self.stream_threads(&shared)?;
        self.watch(&threads);
        for (_, thread) in threads {
            if thread.join().is_err() {
                return Err("a stream thread panicked; see the log above".to_owned());
            }
        }
        shared.withdraw();
        for table in tables {
            // A table's thread holds nothing that could be lost.
            drop(table.join());
        }
        Ok(())
    }

    /// Creates and checks the topics; waits for a log that is down.
    fn await_topics(&self) -> Result<Option<Vec<TopicInfo>>, String> {
        let windows_ms = i64::try_from(self.config.windows.as_millis()).unwrap_or(i64::MAX / 2);
        let specs = topics::required(&self.topology, &self.config.naming, windows_ms);
        while !self.stop.load(Ordering::SeqCst) {
            match self.log.ensure_topics(&specs) {
                Ok(infos) => {
                    topics::check(&specs, &infos)?;
                    return Ok(Some(infos));
                }
                Err(LogError::Refused(reason)) => return Err(reason),
                Err(error) => {
                    tracing::warn!(%error, "waiting for the log");
                    self.pause(Duration::from_millis(500));
                }
            }
        }
        Ok(None)
    }

    fn shared(&self, infos: &[TopicInfo]) -> Result<Shared, String> {
        Ok(Shared {
            wirings: wire(&self.topology, &self.config, infos)?,
            instances: wired(infos, &self.config.naming.instances())?,
            config: self.config.clone(),
            stores: Arc::clone(&self.stores),
            log: Arc::clone(&self.log),
            appender: Arc::clone(&self.appender),
            listener: Arc::clone(&self.listener),
            board: Arc::clone(&self.board),
            stop: Arc::clone(&self.stop),
            failure: Arc::clone(&self.failure),
            unclean: self.unclean.clone(),
        })
    }

    fn follow_tables(&self, infos: &[TopicInfo]) -> Vec<JoinHandle<()>> {
        let naming = &self.config.naming;
        let tables = self.topology.global_tables().iter();
        let mut topics: Vec<(&'static str, String)> = tables
            .map(|table| (table.name, naming.topic(table.topic)))
            .collect();
        topics.push((INSTANCES_TABLE, naming.instances()));
        let follow = |(name, topic): (&'static str, String)| {
            let table = Arc::clone(self.tables.get(name)?);
            let partitions = infos.iter().find(|info| info.name == topic)?.partitions;
            let (log, stop) = (Arc::clone(&self.log), Arc::clone(&self.stop));
            Some(spawn(name, move || {
                while !stop.load(Ordering::SeqCst) {
                    if let Err(error) = table.follow(&*log, &topic, partitions, &stop) {
                        tracing::info!(%error, topic, "following a global table; trying again");
                        std::thread::sleep(Duration::from_millis(200));
                    }
                }
            }))
        };
        topics.into_iter().filter_map(follow).collect()
    }

    fn stream_threads(&self, shared: &Arc<Shared>) -> Result<Vec<Watched>, String> {
        let start = |index: usize| {
            let heartbeat = Arc::new(Heartbeat::new());
            let committer = Committer::aside(&format!("commit-{index}"));
            let beat = Arc::clone(&heartbeat);
            let thread = StreamThread::new(Arc::clone(shared), beat, index, committer)
                .map_err(|error| error.to_string())?;
            let name = format!("stream-{index}");
            Ok((heartbeat, spawn(&name, move || thread.run())))
        };
        (0..self.config.stream_threads.max(1)).map(start).collect()
    }

    /// The watchdog: transactional calls block in C and cannot be ended from outside, so a thread
    /// that is stuck in one ends with its process, which finds out at its restart what is in.
    fn watch(&self, threads: &[Watched]) {
        while !threads.iter().all(|(_, thread)| thread.is_finished()) {
            let stuck = threads.iter().any(|(heartbeat, thread)| {
                !thread.is_finished() && heartbeat.silent_for() > self.config.stall_timeout
            });
            if stuck {
                let seconds = self.config.stall_timeout.as_secs();
                tracing::error!(
                    seconds,
                    "a stream thread is stuck in the Kafka client; exiting"
                );
                std::process::exit(EXIT_TRY_AGAIN);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn pause(&self, length: Duration) {
        let deadline = Instant::now() + length;
        while Instant::now() < deadline && !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A named OS thread.
#[expect(
    clippy::expect_used,
    reason = "a process that cannot start a thread cannot run at all"
)]
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .expect("a thread can be started")
}

/// Marks the run as ended well: the notes of units mean nothing any more.
fn end_run(state_dir: &Path) {
    let notes = state_dir.join("crash-notes");
    if let Err(error) = std::fs::remove_dir_all(&notes) {
        tracing::debug!(%error, "removing crash notes");
    }
}
