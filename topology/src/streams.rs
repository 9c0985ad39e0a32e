//! The running application: topics checked, stream threads started, reads offered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use stagedoor_state::{StorageProvider, StoreReader};

use crate::board::{Board, ReadError, TaskPhase, TaskStatus};
use crate::config::StreamsConfig;
use crate::global_table::GlobalTableReader;
use crate::log::{Appender, Isolation, Log, LogError, Pace, TopicInfo, TopicPartition};
use crate::murmur2::partition_for;
use crate::shared::CommitListener;
use crate::supervisor::{Supervisor, spawn};
use crate::topology::Topology;
use crate::wiring::TaskId;

/// Name of the table of instances among the global tables.
pub const INSTANCES_TABLE: &str = "instances";

/// The states of `KafkaStreams`.
///
/// ```text
/// CREATED -> REBALANCING <-> RUNNING -> PENDING_SHUTDOWN -> NOT_RUNNING
///    any of them -> ERROR
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsState {
    /// The log has not answered yet.
    Created,
    /// Tasks are being taken over.
    Rebalancing,
    /// Every assigned task serves.
    Running,
    /// Closing.
    PendingShutdown,
    /// Closed.
    NotRunning,
    /// Stopped by something that people have to look at; see [`Streams::failure`].
    Error,
}

impl std::fmt::Display for StreamsState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Created => "CREATED",
            Self::Rebalancing => "REBALANCING",
            Self::Running => "RUNNING",
            Self::PendingShutdown => "PENDING_SHUTDOWN",
            Self::NotRunning => "NOT_RUNNING",
            Self::Error => "ERROR",
        })
    }
}

/// Why an application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be used with this configuration.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state directory cannot be used.
    #[error("the state directory {} cannot be used: {source}; give one that this user may write to", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Why a task is not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// It is not served here at the moment.
    #[error(transparent)]
    Task(#[from] ReadError),
    /// The command log cannot be asked for its start.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The records that a replay would begin with are gone.
    #[error(
        "{0} starts at {1}, so the task cannot be rebuilt; restore the topic from a backup first"
    )]
    Cut(TopicPartition, i64),
}

/// A stream application in this process.
pub struct Streams {
    topology: Topology,
    config: StreamsConfig,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    topics: Arc<RwLock<BTreeMap<String, TopicInfo>>>,
    tables: BTreeMap<&'static str, Arc<GlobalTableReader>>,
    appender: Arc<dyn Appender>,
    log: Arc<dyn Log>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    closed: Arc<AtomicBool>,
}

impl Streams {
    /// Starts the application. It returns at once; a log that does not answer yet is tried again
    /// until it does, and what cannot work ends in [`StreamsState::Error`].
    ///
    /// # Errors
    /// An unusable configuration or state directory.
    pub fn start(
        topology: Topology,
        log: Arc<dyn Log>,
        stores: Arc<dyn StorageProvider>,
        config: StreamsConfig,
        listener: Arc<dyn CommitListener>,
    ) -> Result<Self, StartError> {
        let unclean = begin_run(&config.state_dir)?;
        let mut names: Vec<&'static str> = topology
            .global_tables()
            .iter()
            .map(|table| table.name)
            .collect();
        names.push(INSTANCES_TABLE);
        let streams = Self {
            appender: log.appender()?,
            board: Arc::default(),
            stop: Arc::default(),
            failure: Arc::default(),
            topics: Arc::default(),
            tables: names
                .into_iter()
                .map(|name| (name, Arc::default()))
                .collect(),
            supervisor: Mutex::new(None),
            closed: Arc::default(),
            log: Arc::clone(&log),
            topology,
            config,
        };
        let supervisor = Supervisor {
            topology: streams.topology.clone(),
            config: streams.config.clone(),
            board: Arc::clone(&streams.board),
            stop: Arc::clone(&streams.stop),
            failure: Arc::clone(&streams.failure),
            topics: Arc::clone(&streams.topics),
            tables: streams.tables.clone(),
            appender: Arc::clone(&streams.appender),
            closed: Arc::clone(&streams.closed),
            log,
            stores,
            listener,
            unclean,
        };
        *streams.supervisor.lock() = Some(spawn("supervisor", move || supervisor.run()));
        Ok(streams)
    }

    /// What the application is doing.
    #[must_use]
    pub fn state(&self) -> StreamsState {
        if self.failure.lock().is_some() {
            return StreamsState::Error;
        }
        if self.closed.load(Ordering::SeqCst) {
            return StreamsState::NotRunning;
        }
        if self.stop.load(Ordering::SeqCst) {
            return StreamsState::PendingShutdown;
        }
        if self.topics.read().is_empty() {
            return StreamsState::Created;
        }
        let tasks = self.board.statuses();
        let serves = |task: &TaskStatus| task.phase == TaskPhase::Running || task.on_request;
        let running = tasks.iter().all(serves);
        let tables = self.tables.values().all(|table| table.is_caught_up());
        // An instance without tasks waits for its turn: it cannot answer for any.
        match running && tables && !tasks.is_empty() {
            true => StreamsState::Running,
            false => StreamsState::Rebalancing,
        }
    }

    /// Why the application stopped by itself.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// The tasks of this process.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.board.statuses()
    }

    /// Asks for the rebuild of a task from the command log. It stops, and no other; its stream
    /// thread begins before its next batch, and [`TaskStatus`] says how far it is. What is asked
    /// is forgotten if the task goes to another instance meanwhile. Blocks while the log is asked.
    ///
    /// # Errors
    /// [`RebuildError`]; nothing was done then.
    pub fn rebuild(&self, task: TaskId) -> Result<(), RebuildError> {
        let parts = self.topology.sub_topologies();
        let part = parts.get(task.sub_topology).ok_or(ReadError::NotOwner)?;
        // First of all, since a log may take long to say that it has no such partition.
        if !self.tasks().iter().any(|status| status.id == task) {
            return Err(ReadError::NotOwner.into());
        }
        let topic = self.config.naming.topic(part.source.topic);
        let input = TopicPartition::new(topic, task.partition);
        let mut reader = self.log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
        let (start, _) = reader.watermarks(&input)?;
        if start > 0 {
            return Err(RebuildError::Cut(input, start));
        }
        Ok(self.board.ask_rebuild(task)?)
    }

    /// Reads of a task's committed state.
    ///
    /// # Errors
    /// [`ReadError`] where this process is not, or not provably, the owner.
    pub fn read(&self, sub_topology: &str, partition: i32) -> Result<StoreReader, ReadError> {
        let parts = self.topology.sub_topologies();
        let index = parts.iter().position(|part| part.name == sub_topology);
        let sub_topology = index.ok_or(ReadError::NotOwner)?;
        self.board.reader(TaskId {
            sub_topology,
            partition,
        })
    }

    /// A global table, or [`INSTANCES_TABLE`].
    #[must_use]
    pub fn table(&self, name: &str) -> Option<Arc<GlobalTableReader>> {
        self.tables.get(name).cloned()
    }

    /// Partition count of a topic by its name without prefix; `None` before the log answered.
    #[must_use]
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        let name = self.config.naming.topic(topic);
        self.topics.read().get(&name).map(|info| info.partitions)
    }

    /// The partition of a key; `None` before the log answered.
    #[must_use]
    pub fn partition_for(&self, topic: &str, key: &[u8]) -> Option<i32> {
        Some(partition_for(key, self.partitions(topic)?))
    }

    /// Full name of a topic.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        self.config.naming.topic(name)
    }

    /// The producer outside of transactions that everybody in the process shares.
    #[must_use]
    pub fn appender(&self) -> Arc<dyn Appender> {
        Arc::clone(&self.appender)
    }

    /// Stops taking records, finishes, commits, and leaves the group. Returns whether that was
    /// done within `timeout`.
    pub fn close(&self, timeout: Duration) -> bool {
        self.stop.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + timeout;
        while !self.closed.load(Ordering::SeqCst) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let supervisor = self.supervisor.lock().take();
        supervisor.is_none_or(|supervisor| supervisor.join().is_ok())
    }
}

/// Marks the run as begun. Returns the directory of crash notes if the last run did not end well.
fn begin_run(state_dir: &Path) -> Result<Option<PathBuf>, StartError> {
    let notes = state_dir.join("crash-notes");
    let fail = |source| StartError::Directory {
        directory: state_dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(&notes).map_err(fail)?;
    let running = notes.join("running");
    let unclean = running.exists();
    std::fs::write(&running, std::process::id().to_string()).map_err(fail)?;
    Ok(unclean.then_some(notes))
}
