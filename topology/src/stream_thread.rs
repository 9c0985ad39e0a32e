//! The stream thread: one OS thread, some tasks, one transactional producer, one loop.
//!
//! ```text
//! open a session if there is none; settle what the last one left in doubt
//! answer assignment changes
//! move takeovers on by a bounded piece
//! take what is ready, or wait for a record, a timer or the lease; each record gets its turn
//! start to commit; append a Tick where a timer is due
//! ```
//! There is no fixed commit interval: the next batch is what arrived during the last commit. After a
//! large one it is decided while that is under way; whatever else a cycle does waits for it first.

mod assignment;
mod batch;
mod commits;
mod recovery;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::board::{Gauges, Lease};
use crate::commit::{Ownership, Transaction};
use crate::committer::Committer;
use crate::log::{Assignment, LogError, Member, TopicPartition};
use crate::rebuild::Rebuild;
use crate::shared::{Heartbeat, Shared};
use crate::takeover::{RunError, Takeover};
use crate::task::Task;
use crate::ticker::Ticker;
use crate::wiring::TaskId;

use self::commits::UnderWay;

/// A running task with what the thread keeps beside it.
struct Active {
    task: Task,
    ticker: Ticker,
    gauges: Arc<Gauges>,
}

/// One stream thread.
pub(crate) struct StreamThread {
    shared: Arc<Shared>,
    heartbeat: Arc<Heartbeat>,
    transactional_id: String,
    member: Box<dyn Member>,
    /// Assignment changes that are not answered yet; the group waits for the answers.
    changes: VecDeque<Assignment>,
    /// None where there is no session, and while a commit is under way.
    transaction: Option<Transaction>,
    committer: Committer,
    under_way: Option<UnderWay>,
    active: BTreeMap<TaskId, Active>,
    arriving: Vec<TopicPartition>,
    takeovers: VecDeque<Takeover>,
    rebuilds: VecDeque<Rebuild>,
    lease: Arc<Lease>,
    last_commit: Duration,
    last_commit_took: Duration,
    /// Records of the last batch that had any.
    last_batch: usize,
    /// The task whose store was found corrupted.
    corrupted: Option<TaskId>,
    /// Stores wiped for that since the start.
    wipes: u32,
}

impl StreamThread {
    /// A thread that has joined the group.
    pub(crate) fn new(
        shared: Arc<Shared>,
        heartbeat: Arc<Heartbeat>,
        index: usize,
        committer: Committer,
    ) -> Result<Self, LogError> {
        let thread = index.to_string();
        let topics: Vec<String> = shared
            .wirings
            .iter()
            .map(|wiring| wiring.input.name.to_string())
            .collect();
        let member = shared.log.member(&thread, &topics)?;
        let config = &shared.config;
        let application = &config.naming.application_id;
        Ok(Self {
            transactional_id: format!("{application}-{}-{thread}", config.instance_id),
            lease: Arc::new(Lease::new(config.lease, Arc::clone(&config.clock))),
            heartbeat,
            member,
            changes: VecDeque::new(),
            transaction: None,
            committer,
            under_way: None,
            active: BTreeMap::new(),
            arriving: Vec::new(),
            takeovers: VecDeque::new(),
            rebuilds: VecDeque::new(),
            last_commit: config.clock.now(),
            last_commit_took: Duration::ZERO,
            last_batch: 0,
            corrupted: None,
            wipes: 0,
            shared,
        })
    }

    /// Runs until the application stops, then finishes, commits and leaves.
    pub(crate) fn run(mut self) {
        while !self.shared.stopping() {
            self.step();
        }
        self.close();
    }

    /// One cycle, and the remedy where it fails.
    pub(crate) fn step(&mut self) {
        self.heartbeat.beat();
        if let Err(error) = self.cycle() {
            self.recover(error);
        }
    }

    fn cycle(&mut self) -> Result<(), RunError> {
        self.ensure_transaction()?;
        self.rebalance()?;
        self.begin_rebuilds()?;
        self.advance_takeovers()?;
        self.process_batch()?;
        self.commit_if_due()?;
        self.tick()
    }

    /// Finishes what is open, says so in the log, and leaves the group.
    pub(crate) fn close(mut self) {
        let failed = self.shared.failure.lock().is_some();
        if !failed && let Err(error) = self.commit(Ownership::HandedOver, |_| true) {
            tracing::warn!(%error, "closing without a last commit; the restart settles it");
        }
        for id in self.active.keys() {
            self.shared.board.gone(*id);
        }
    }
}
