//! One instance of an application, whose stream threads are stepped by hand.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use stagedoor_state::{StorageProvider, StoreReader};

use crate::board::{Board, ReadError, TaskStatus};
use crate::committer::Committer;
use crate::config::StreamsConfig;
use crate::log::Log;
use crate::log::simulated::Crashed;
use crate::shared::{CommitListener, Heartbeat, Shared};
use crate::stream_thread::StreamThread;
use crate::topics;
use crate::topology::Topology;
use crate::wiring::{TaskId, wire, wired};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stepped {
    /// The thread may be stepped again.
    Went,
    /// The process was killed in the middle: drop the instance and start another one.
    Crashed,
    /// The application has stopped by itself, for this reason.
    Failed(String),
}

/// One instance: everything but its threads, whose cycles are run by [`SteppedInstance::step`].
///
/// After an unclean end it does not count deaths per unit, as a process with a state directory
/// does: units that kill a process are not simulated.
pub struct SteppedInstance {
    shared: Arc<Shared>,
    threads: Vec<StreamThread>,
}

impl SteppedInstance {
    /// Creates and checks the topics, and joins the group with every stream thread.
    ///
    /// # Errors
    /// What the supervisor of a process would stop with, and a log that does not answer.
    pub fn start(
        topology: &Topology,
        log: Arc<dyn Log>,
        stores: Arc<dyn StorageProvider>,
        config: StreamsConfig,
        listener: Arc<dyn CommitListener>,
    ) -> Result<Self, String> {
        let windows_ms = i64::try_from(config.windows.as_millis()).unwrap_or(i64::MAX / 2);
        let specs = topics::required(topology, &config.naming, windows_ms);
        let infos = log
            .ensure_topics(&specs)
            .map_err(|error| error.to_string())?;
        topics::check(&specs, &infos)?;
        let shared = Arc::new(Shared {
            wirings: wire(topology, &config, &infos)?,
            instances: wired(&infos, &config.naming.instances())?,
            appender: log.appender().map_err(|error| error.to_string())?,
            config,
            stores,
            log,
            listener,
            board: Arc::new(Board::default()),
            stop: Arc::default(),
            failure: Arc::default(),
            unclean: None,
        });
        let thread = |index| {
            let (heartbeat, committer) = (Arc::new(Heartbeat::new()), Committer::by_hand());
            StreamThread::new(Arc::clone(&shared), heartbeat, index, committer)
                .map_err(|error| error.to_string())
        };
        let count = shared.config.stream_threads.max(1);
        let threads = (0..count).map(thread).collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// How many stream threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Runs one cycle of a stream thread.
    pub fn step(&mut self, thread: usize) -> Stepped {
        let Some(thread) = self.threads.get_mut(thread) else {
            return Stepped::Went;
        };
        if crashed(|| thread.step()) {
            return Stepped::Crashed;
        }
        match self.shared.failure.lock().clone() {
            Some(reason) => Stepped::Failed(reason),
            None => Stepped::Went,
        }
    }

    /// Finishes, commits and leaves the group. Returns whether it got that far.
    #[must_use]
    pub fn close(self) -> bool {
        let mut threads = self.threads.into_iter();
        !crashed(|| threads.by_ref().for_each(StreamThread::close))
    }

    /// The tasks of this instance.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.shared.board.statuses()
    }

    /// Asks for the rebuild of a task.
    ///
    /// # Errors
    /// [`ReadError`] where this instance does not serve it.
    pub fn rebuild(&self, task: TaskId) -> Result<(), ReadError> {
        self.shared.board.ask_rebuild(task)
    }

    /// Reads of a task's committed state, as an owner answers them.
    ///
    /// # Errors
    /// [`ReadError`] where this instance is not, or not provably, the owner.
    pub fn read(&self, task: TaskId) -> Result<StoreReader, ReadError> {
        self.shared.board.reader(task)
    }
}

/// Runs a part of a process. Returns whether the process was killed in it.
fn crashed(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => false,
        Err(payload) if payload.is::<Crashed>() => true,
        Err(panic) => resume_unwind(panic),
    }
}
