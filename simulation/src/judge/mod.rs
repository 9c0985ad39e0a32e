//! The judge: holds everything that is answered, stored and left in the log against the model.
//!
//! At every commit (from its listener): the answers that it tells (C1), and the rows that it
//! changed (S, C5). After every crash: each store as it was left, at its own checkpoint (D3).
//! Whenever time has passed: nothing that was told has been taken back (R1). At the end: every
//! record of every topic (C1, C3, C4), every row, and the audit's own checkers (`audit`).

mod audit;
mod lane;
mod outputs;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use stagedoor_processors::concert::EVENTS;
use stagedoor_state::MemoryDatabase;
use stagedoor_topology::log::simulated::SimulatedCluster;
use stagedoor_topology::log::{InputPosition, TopicPartition};
use stagedoor_topology::{CommitListener, Committed};

use crate::model::Facts;
use crate::site::Site;

pub(crate) use audit::audit;
pub(crate) use stores::LastOwners;

use lane::Lane;

/// A broken promise: the name of its checker, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) checker: &'static str,
    pub(crate) text: String,
}

impl Violation {
    pub(crate) fn new(checker: &'static str, text: impl Into<String>) -> Self {
        Self {
            checker,
            text: text.into(),
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.checker, self.text)
    }
}

/// Judges one run.
pub(crate) struct Judge {
    cluster: SimulatedCluster,
    site: Arc<Site>,
    lanes: Vec<Lane>,
    /// The first broken promise.
    pub(crate) violation: Option<Violation>,
    /// What was told, and has to be in the log when the brokers have come to rest.
    told: Vec<(TopicPartition, i64)>,
    /// How much was looked at.
    pub(crate) looked_at: BTreeMap<&'static str, u64>,
    /// What happened, line by line, if somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
}

impl Judge {
    /// A judge of a run that has not begun.
    pub(crate) fn new(cluster: SimulatedCluster, site: &Arc<Site>, trace: bool) -> Self {
        let lane = |partition| {
            Lane::new(Facts {
                partitions: site.config.naming.partitions,
                event_partitions: site.config.naming.partitions_of(EVENTS.topic),
                max_record_bytes: site.config.max_record_bytes,
                input: TopicPartition::new(site.commands.as_str(), partition),
                secret: site.config.secret.clone(),
            })
        };
        Self {
            cluster,
            lanes: (0..site.config.naming.partitions).map(lane).collect(),
            site: Arc::clone(site),
            violation: None,
            told: Vec::new(),
            looked_at: BTreeMap::new(),
            trace: trace.then(Vec::new),
        }
    }

    /// Notes a line of what happened.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// Notes a broken promise; the first one counts.
    pub(crate) fn find(&mut self, found: impl Into<Option<Violation>>) {
        if let Some(violation) = found.into() {
            self.note(|| format!("VIOLATION {violation}"));
            self.violation.get_or_insert(violation);
        }
    }

    fn look(&mut self, what: &'static str) {
        *self.looked_at.entry(what).or_default() += 1;
    }

    fn lane(&mut self, partition: i32) -> Option<&mut Lane> {
        let index = usize::try_from(partition).ok()?;
        self.lanes.get_mut(index)
    }

    fn committed(&mut self, instance: usize, disk: &MemoryDatabase, committed: &Committed<'_>) {
        let Committed {
            partition,
            position,
            outputs,
            ..
        } = *committed;
        self.note(|| {
            let count = outputs.len();
            format!("  i{instance} has committed partition {partition} up to {position} with {count} records")
        });
        let cluster = self.cluster.clone();
        let Some(lane) = self.lane(partition) else {
            return;
        };
        lane.last_owner = instance;
        let input = lane.input();
        let store = disk.reader(&format!("0_{partition}"));
        let committed = InputPosition {
            next_offset: position,
            // Without a store to tell, all of that record's turn may be in.
            unit: store.as_ref().and_then(stores::unit).unwrap_or(u32::MAX),
        };
        let told = lane.told(&cluster, committed, outputs);
        let found = told.or_else(|| stores::at_commit(lane, store.as_ref()?, position));
        self.look("commits");
        self.told.push((input, position));
        self.find(found.map(|violation| violation.by(instance)));
    }

    /// A process is gone: every store that it leaves is that of its own checkpoint.
    pub(crate) fn crashed(&mut self, instance: usize, disk: &MemoryDatabase) {
        self.note(|| format!("  i{instance} is gone"));
        let cluster = self.cluster.clone();
        let mut found = None;
        for lane in &mut self.lanes {
            let Some(store) = disk.reader(&format!("0_{}", lane.partition())) else {
                continue;
            };
            found = found.or_else(|| stores::after_crash(lane, &cluster, &store));
        }
        self.look("stores after a crash");
        self.find(found.map(|violation| violation.by(instance)));
    }

    /// The brokers have come to rest: what was told is in the log.
    pub(crate) fn nothing_taken_back(&mut self) {
        for (input, position) in std::mem::take(&mut self.told) {
            let committed = self.cluster.committed(&input);
            if committed.is_none_or(|committed| committed.next_offset < position) {
                let text = format!(
                    "{input} was told to be committed up to {position}, and the log has {committed:?}"
                );
                self.find(Violation::new("R1", text));
            }
        }
    }

    /// Every partition is decided to its end.
    pub(crate) fn is_all_decided(&mut self) -> bool {
        let cluster = self.cluster.clone();
        self.lanes.iter().all(|lane| {
            let input = lane.input();
            let marks = cluster.watermarks(&input.topic, input.partition);
            let decided = cluster
                .committed(&input)
                .map_or(0, |committed| committed.next_offset);
            marks.is_some_and(|(_, _, high)| decided >= high)
        })
    }

    /// Where every partition stands, for people.
    pub(crate) fn standing(&self) -> String {
        let one = |lane: &Lane| {
            let input = lane.input();
            let marks = self.cluster.watermarks(&input.topic, input.partition);
            let decided = self.cluster.committed(&input);
            format!("{input} is decided up to {decided:?} of {marks:?}")
        };
        self.lanes.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// Everything is closed: every row of every last owner, and every record of every topic.
    pub(crate) fn at_rest(&mut self, disks: &[MemoryDatabase]) {
        let cluster = self.cluster.clone();
        let mut found = None;
        for lane in &mut self.lanes {
            lane.catch_up(&cluster, i64::MAX);
            let disk = disks.get(lane.last_owner);
            let store = disk.and_then(|disk| disk.reader(&format!("0_{}", lane.partition())));
            if let Some(store) = store {
                found = found.or_else(|| stores::at_rest(lane, &store));
            }
        }
        let found = found.or_else(|| outputs::all(&self.lanes, &cluster, &self.site));
        self.look("runs at rest");
        self.find(found);
    }

    /// Which instance owned each partition last.
    pub(crate) fn last_owners(&self) -> Vec<usize> {
        self.lanes.iter().map(|lane| lane.last_owner).collect()
    }

    /// How often each answer was given, and records there were.
    pub(crate) fn answers(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (answer, count) in self.lanes.iter().flat_map(Lane::answers) {
            *all.entry(format!("answer {answer}")).or_insert(0) += count;
        }
        all
    }
}

impl Violation {
    fn by(self, instance: usize) -> Self {
        Self {
            text: format!("i{instance}: {}", self.text),
            ..self
        }
    }
}

/// Tells the judge of every commit of one instance.
pub(crate) struct Listener {
    pub(crate) judge: Arc<Mutex<Judge>>,
    pub(crate) instance: usize,
    pub(crate) disk: MemoryDatabase,
}

impl CommitListener for Listener {
    fn committed(&self, committed: &Committed<'_>) {
        let mut judge = self.judge.lock();
        judge.committed(self.instance, &self.disk, committed);
    }
}
