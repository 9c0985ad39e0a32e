//! The simulated log: brokers in memory on a virtual clock, with Kafka's transaction semantics.
//!
//! What is modelled: offsets that markers take too, the last stable offset, aborted records that a
//! read-uncommitted reader sees, producer epochs, transaction time-outs, the end of a transaction
//! that is lost, doubled or late ([`Fault`]), group generations, cooperative rebalances, session
//! time-outs, committed offsets that are unstable while a transaction holds them, compaction and
//! retention by hand. What is not: partitions without a leader, replication, and batches that
//! arrive out of order, which an idempotent producer excludes.
//!
//! Nothing here is random and nothing waits. Whoever drives a run decides when time passes
//! ([`VirtualClock`]), who is cut off, and at which call of which client something goes wrong
//! ([`SimulatedLog::arm`]); so a run is its list of decisions and can be repeated and cut down.
//!
//! Reading order: `partition` (what a log is), `transactions`, `group`, then the clients.

mod appender;
mod client;
mod fault;
mod group;
mod headers;
mod member;
mod partition;
mod reader;
mod session;
mod state;
mod storage;
mod transactions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stagedoor_state::{MemoryDatabase, StorageProvider};

pub use fault::{Armed, Call, Crashed, Fault};
pub use partition::OwnedRecord;

use super::{
    Appender, InputPosition, Isolation, Log, LogError, Member, Outgoing, Pace, Reader, Session,
    TopicInfo, TopicPartition, TopicSpec,
};
use crate::clock::{Clock, VirtualClock};
use client::Client;
use state::State;

/// Times of the brokers.
#[derive(Debug, Clone, Copy)]
pub struct ClusterConfig {
    /// A member that is not heard of for so long has left.
    pub session_timeout: Duration,
    /// An open transaction is ended after so long.
    pub transaction_timeout: Duration,
    /// Largest record that a topic takes, key and value together, in bytes.
    pub max_record_bytes: usize,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            session_timeout: Duration::from_secs(6),
            transaction_timeout: Duration::from_secs(5),
            max_record_bytes: 1_000_000,
        }
    }
}

/// Brokers that outlive their clients. A clone is the same cluster.
#[derive(Clone)]
pub struct SimulatedCluster {
    state: Arc<Mutex<State>>,
    clock: Arc<VirtualClock>,
}

impl SimulatedCluster {
    /// Brokers without a topic.
    #[must_use]
    pub fn new(clock: Arc<VirtualClock>, config: ClusterConfig) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(config))),
            clock,
        }
    }

    /// The clock of everybody in the run.
    #[must_use]
    pub fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }

    /// Connects a process. One that was crashed comes back under another or the same name as a
    /// new one.
    #[must_use]
    pub fn client(&self, name: &str) -> Arc<SimulatedLog> {
        Arc::new(SimulatedLog {
            cluster: self.clone(),
            client: Arc::new(Client::new(name)),
        })
    }

    /// What time alone does: members that were not heard of leave, transactions that are open for
    /// too long end, markers that are on their way arrive.
    pub fn tick(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.write_markers();
        state.end_old_transactions(now);
        state.expel_silent_members(now);
    }

    /// The group notices at once who is not there any more, without the session time-out.
    pub fn expel_crashed(&self) {
        self.state.lock().expel(|client| client.is_crashed());
    }

    /// Ends of transactions that were held in the network arrive now; returns how many changed
    /// something.
    pub fn deliver_late(&self) -> usize {
        self.state.lock().deliver_late()
    }

    /// Appends a record from outside, as a producer without a transaction does.
    ///
    /// # Errors
    /// [`LogError::Refused`] for an unknown partition, [`LogError::TooLarge`].
    pub fn append(&self, record: Outgoing<'_>) -> Result<i64, LogError> {
        let wall_ms = self.clock.wall_ms();
        self.state.lock().append(record, wall_ms)
    }

    /// The records of a partition from an offset on.
    #[must_use]
    pub fn read(
        &self,
        topic: &str,
        partition: i32,
        isolation: Isolation,
        from: i64,
    ) -> Vec<OwnedRecord> {
        let state = self.state.lock();
        let Some(log) = state.partition(topic, partition) else {
            return Vec::new();
        };
        let name: Arc<str> = topic.into();
        let until = log.bound(isolation);
        let visible = log.visible(isolation, from, until);
        visible
            .map(|(offset, at_ms, content)| {
                OwnedRecord::new(Arc::clone(&name), partition, offset, at_ms, content)
            })
            .collect()
    }

    /// First offset, last stable offset and high watermark of a partition.
    #[must_use]
    pub fn watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64, i64)> {
        let state = self.state.lock();
        let log = state.partition(topic, partition)?;
        Some((log.start(), log.last_stable(), log.high()))
    }

    /// What the group has committed for a partition.
    #[must_use]
    pub fn committed(&self, partition: &TopicPartition) -> Option<InputPosition> {
        self.state.lock().group.committed.get(partition).copied()
    }

    /// Compacts a partition: of every key below the last stable offset only the newest record
    /// stays, and no tombstone that was written before `tombstones_before_ms`.
    pub fn compact(&self, topic: &str, partition: i32, tombstones_before_ms: i64) {
        if let Some(log) = self.state.lock().partition_mut(topic, partition) {
            log.compact(tombstones_before_ms);
        }
    }

    /// Compacts every topic whose `cleanup.policy` says so.
    pub fn clean(&self) {
        self.state.lock().clean(self.clock.wall_ms());
    }

    /// Deletes everything before an offset, as retention does.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        if let Some(log) = self.state.lock().partition_mut(topic, partition) {
            log.delete_before(offset);
        }
    }

    /// Loses everything from an offset on, as an unclean election of a leader does.
    pub fn truncate(&self, topic: &str, partition: i32, offset: i64) {
        if let Some(log) = self.state.lock().partition_mut(topic, partition) {
            log.truncate(offset);
        }
    }

    /// Forgets the committed offsets of the group, as their expiry does.
    pub fn forget_offsets(&self) {
        self.state.lock().group.committed.clear();
    }

    /// How often something happened that a campaign wants to have seen.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.state.lock().counters.clone()
    }

    /// Grows with everything that changes: where it stands still, nobody got on.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.lock().version
    }
}

/// The log as one process sees it.
pub struct SimulatedLog {
    cluster: SimulatedCluster,
    client: Arc<Client>,
}

impl SimulatedLog {
    /// Lets something go wrong at one of the next calls of this process.
    pub fn arm(&self, armed: Armed) {
        self.client.arm(armed);
    }

    /// What waits for its call does not happen any more.
    pub fn disarm(&self) {
        self.client.disarm();
    }

    /// What has gone wrong since the last question: at which call, and the name of the fault.
    #[must_use]
    pub fn take_fired(&self) -> Vec<(Call, String)> {
        self.client.take_fired()
    }

    /// The process is gone: nothing that it still does has an effect, and its open transactions
    /// stay open until somebody fences them or they time out.
    pub fn crash(&self) {
        self.client.crash();
    }

    /// Whether the process has crashed.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.client.is_crashed()
    }

    /// Cuts the process off the brokers, or connects it again. A frozen process is one that is cut
    /// off and not stepped.
    pub fn cut(&self, cut: bool) {
        self.client.cut(cut);
    }

    /// The process's stores, whose writes can go wrong as the calls of the log can.
    #[must_use]
    pub fn stores(&self, disk: MemoryDatabase) -> Arc<dyn StorageProvider> {
        Arc::new(storage::SimulatedDatabase::new(
            disk,
            Arc::clone(&self.client),
        ))
    }

    /// One call of a client of this process: something may go wrong before, in or after it.
    fn call<T>(
        &self,
        call: Call,
        act: impl FnOnce(&mut State, Option<&Fault>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let fault = self.client.enter(call)?;
        let outcome = act(&mut self.cluster.state.lock(), fault.as_ref());
        self.client.leave(fault.as_ref());
        outcome
    }

    fn handle(&self) -> Self {
        Self {
            cluster: self.cluster.clone(),
            client: Arc::clone(&self.client),
        }
    }

    fn now(&self) -> Duration {
        self.cluster.clock.now()
    }

    fn wall_ms(&self) -> i64 {
        self.cluster.clock.wall_ms()
    }
}

impl Log for SimulatedLog {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicInfo>, LogError> {
        self.call(Call::Topics, |state, _| Ok(state.ensure_topics(topics)))
    }

    fn member(&self, _thread: &str, topics: &[String]) -> Result<Box<dyn Member>, LogError> {
        let now = self.now();
        let client = Arc::clone(&self.client);
        let id = self.call(Call::Join, |state, _| Ok(state.join(client, topics, now)))?;
        Ok(Box::new(member::SimulatedMember::new(
            self.handle(),
            id,
            topics.to_vec(),
        )))
    }

    fn session(&self, transactional_id: &str) -> Result<Box<dyn Session>, LogError> {
        let ids = super::ids_in_turn(transactional_id);
        let producers = self.call(Call::Session, |state, _| {
            Ok(ids.map(|id| {
                let producer = state.initialise(&id);
                (id, producer)
            }))
        })?;
        Ok(Box::new(session::SimulatedSession::new(
            self.handle(),
            producers,
        )))
    }

    fn reader(&self, isolation: Isolation, _pace: Pace) -> Result<Box<dyn Reader>, LogError> {
        self.call(Call::Reader, |_, _| Ok(()))?;
        Ok(Box::new(reader::SimulatedReader::new(
            self.handle(),
            isolation,
        )))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(appender::SimulatedAppender::new(self.handle())))
    }
}
