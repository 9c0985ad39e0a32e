//! The `TopologyTestDriver`: pipe input, advance time, read output, look into stores, crash.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use stagedoor_state::{
    Digest, MemoryDatabase, StateError, StorageProvider as _, StoreReader, TaskState,
};

use super::instance::{Stepped, SteppedInstance};
use crate::board::TaskPhase;
use crate::clock::{Clock as _, VirtualClock};
use crate::config::StreamsConfig;
use crate::log::simulated::{Armed, ClusterConfig, OwnedRecord, SimulatedCluster, SimulatedLog};
use crate::log::{Isolation, LogError, Outgoing};
use crate::murmur2::partition_for;
use crate::record::Header;
use crate::secret::Secret;
use crate::shared::NoListener;
use crate::topics::TopicNaming;
use crate::topology::Topology;
use crate::wiring::TaskId;

/// Cycles without an end in sight after which something is broken.
const MOST_CYCLES: u32 = 100_000;

/// Why the driver cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The application stopped by itself.
    #[error("the application stopped: {0}")]
    Failed(String),
    /// The log refused what was piped in.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A store cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// No task of that name.
    #[error("there is no task {0} with a store")]
    UnknownTask(TaskId),
    /// Nothing comes to rest.
    #[error("the application does not come to rest")]
    Restless,
}

/// One instance of a topology over a simulated log and stores in memory, on a virtual clock.
///
/// Everything that is piped in is processed, committed and, where a timer is due, ticked before a
/// call returns. Unlike that of Kafka Streams it has partitions, transactions, changelogs and
/// takeovers, because it is the production runtime.
pub struct TopologyTestDriver {
    topology: Topology,
    config: StreamsConfig,
    cluster: SimulatedCluster,
    clock: Arc<VirtualClock>,
    disk: MemoryDatabase,
    running: Option<(SteppedInstance, Arc<SimulatedLog>)>,
    read: BTreeMap<(String, i32), i64>,
}

impl TopologyTestDriver {
    /// Starts a topology with `partitions` partitions a topic, at a wall-clock time.
    ///
    /// # Errors
    /// [`DriverError::Failed`] for a topology that does not start.
    pub fn new(topology: Topology, partitions: i32, wall_ms: i64) -> Result<Self, DriverError> {
        let clock = Arc::new(VirtualClock::new(wall_ms));
        let naming = TopicNaming::new("test", "", partitions);
        let secret = Secret::new(*b"of the test driver");
        let mut config = StreamsConfig::new(naming, PathBuf::new(), "driver".to_owned(), secret);
        config.clock = Arc::clone(&clock) as Arc<_>;
        // So small that each is large: the next one is decided ahead of its commit.
        config.max_batch_records = 4;
        let mut driver = Self {
            topology,
            config,
            cluster: SimulatedCluster::new(Arc::clone(&clock), ClusterConfig::default()),
            clock,
            disk: MemoryDatabase::new(),
            running: None,
            read: BTreeMap::new(),
        };
        driver.start()?;
        Ok(driver)
    }

    /// The brokers, for faults and for a closer look.
    #[must_use]
    pub fn cluster(&self) -> &SimulatedCluster {
        &self.cluster
    }

    /// Lets something go wrong at one of the next calls of the application.
    pub fn arm(&self, armed: Armed) {
        if let Some((_, log)) = &self.running {
            log.arm(armed);
        }
    }

    /// Names and sizes of the topics.
    #[must_use]
    pub fn naming(&self) -> &TopicNaming {
        &self.config.naming
    }

    /// Wall-clock time in milliseconds, which is also the log-append time of what is piped in.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Writes a record to the partition of its key, and processes it.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn pipe_input(
        &mut self,
        topic: &str,
        key: &[u8],
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), DriverError> {
        let topic = self.config.naming.topic(topic);
        self.cluster.append(Outgoing {
            topic: &topic,
            partition: partition_for(key, self.config.naming.partitions),
            key: Some(key),
            value,
            headers,
        })?;
        self.settle()
    }

    /// Lets time pass and fires what is due meanwhile.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn advance_time(&mut self, by_ms: u64) -> Result<(), DriverError> {
        self.clock.advance(by_ms);
        self.settle()
    }

    /// The committed records of a topic that were not read yet, partition by partition.
    pub fn read_output(&mut self, topic: &str) -> Vec<OwnedRecord> {
        let partitions = self.config.naming.partitions_of(topic);
        let topic = self.config.naming.topic(topic);
        let mut records = Vec::new();
        for partition in 0..partitions {
            let next = self.read.entry((topic.clone(), partition)).or_default();
            let isolation = Isolation::ReadCommitted;
            let new = self.cluster.read(&topic, partition, isolation, *next);
            *next = new.last().map_or(*next, |last| last.offset + 1);
            records.extend(new);
        }
        records
    }

    /// Reads of a task's committed state.
    ///
    /// # Errors
    /// [`DriverError::UnknownTask`].
    pub fn state(&self, task: TaskId) -> Result<StoreReader, DriverError> {
        let running = self.running.as_ref();
        let reader = running.and_then(|(instance, _)| instance.read(task).ok());
        reader.ok_or(DriverError::UnknownTask(task))
    }

    /// The digests of all stores; the application is restarted for it.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn digests(&mut self) -> Result<BTreeMap<TaskId, Digest>, DriverError> {
        self.stop();
        let mut digests = BTreeMap::new();
        for (sub_topology, part) in self.topology.sub_topologies().iter().enumerate() {
            for partition in 0..self.config.naming.partitions {
                let task = TaskId {
                    sub_topology,
                    partition,
                };
                let storage = self.disk.storage(&task.to_string())?;
                let state = TaskState::new(storage, Arc::clone(&part.stores))?;
                digests.insert(task, state.digest(self.clock.wall_ms())?);
            }
        }
        self.start()?;
        Ok(digests)
    }

    /// Closes the application in order and starts it again on the same stores.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn restart(&mut self) -> Result<(), DriverError> {
        self.stop();
        self.start()
    }

    /// Asks for the rebuild of a task, and waits for its end.
    ///
    /// # Errors
    /// [`DriverError::UnknownTask`] where no such task serves.
    pub fn rebuild(&mut self, task: TaskId) -> Result<(), DriverError> {
        let running = self.running.as_ref();
        let asked = running.map(|(instance, _)| instance.rebuild(task));
        if !matches!(asked, Some(Ok(()))) {
            return Err(DriverError::UnknownTask(task));
        }
        self.settle()
    }

    /// Changes the store of a task while the application is closed, past every rule and commit.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn alter_store(
        &mut self,
        task: TaskId,
        change: impl FnOnce(&mut TaskState) -> Result<(), StateError>,
    ) -> Result<(), DriverError> {
        self.stop();
        let parts = self.topology.sub_topologies();
        let part = parts.get(task.sub_topology);
        let part = part.ok_or(DriverError::UnknownTask(task))?;
        let storage = self.disk.storage(&task.to_string())?;
        let mut state = TaskState::new(storage, Arc::clone(&part.stores))?;
        change(&mut state)?;
        state.commit(&[])?;
        drop(state);
        self.start()
    }

    /// Kills the application and starts it again on the same stores.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn crash(&mut self) -> Result<(), DriverError> {
        self.kill();
        self.start()
    }

    /// Kills the application and loses its stores: they are restored from their changelogs.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn lose_stores(&mut self) -> Result<(), DriverError> {
        self.kill();
        self.disk = MemoryDatabase::new();
        self.start()
    }

    /// No time passes: the group is told at once that the member is gone.
    fn kill(&mut self) {
        if let Some((instance, log)) = self.running.take() {
            log.crash();
            drop(instance);
            self.cluster.expel_crashed();
        }
    }

    fn stop(&mut self) {
        if let Some((instance, _)) = self.running.take() {
            // One that was killed in it is started again all the same.
            let _closed = instance.close();
        }
    }

    fn start(&mut self) -> Result<(), DriverError> {
        self.cluster.tick();
        let log = self.cluster.client("driver");
        let instance = SteppedInstance::start(
            &self.topology,
            Arc::clone(&log) as Arc<_>,
            log.stores(self.disk.clone()),
            self.config.clone(),
            Arc::new(NoListener),
        )
        .map_err(DriverError::Failed)?;
        self.running = Some((instance, log));
        self.settle()
    }

    /// Steps until nothing changes any more and every task serves.
    fn settle(&mut self) -> Result<(), DriverError> {
        for _ in 0..MOST_CYCLES {
            let before = self.cluster.version();
            let Some((instance, _)) = self.running.as_mut() else {
                return Ok(());
            };
            for thread in 0..instance.threads() {
                match instance.step(thread) {
                    Stepped::Went => {}
                    Stepped::Crashed => return self.crash(),
                    Stepped::Failed(reason) => return Err(DriverError::Failed(reason)),
                }
            }
            let tasks = instance.tasks();
            let serves = tasks.iter().all(|task| task.phase == TaskPhase::Running);
            self.cluster.tick();
            if serves && !tasks.is_empty() && self.cluster.version() == before {
                return Ok(());
            }
        }
        Err(DriverError::Restless)
    }
}
