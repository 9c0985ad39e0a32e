//! Taking tasks over: fence, read the truth, restore, prove that it is whole, serve.
//!
//! The order, and why no other will do:
//!
//! 1. *Catch up* with the committed changelog. The last `position` names the transactional id of
//!    the last owner.
//! 2. *Fence* that owner, unless it handed over: a producer with its id is initialised and
//!    dropped. An open transaction of a dead owner ends at once, and a frozen one that wakes up
//!    can commit nothing any more.
//! 3. *Committed input position*, waiting while it is unstable. Before step 2 a frozen owner could
//!    still commit a batch after we looked.
//! 4. *High watermarks* of the changelogs, read uncommitted, only now: whatever belongs to the
//!    position of step 3 was produced before it was committed, so it is below these.
//! 5. *Read committed up to them*: wait until the last stable offset has passed them, then read to
//!    the end. Markers take offsets, so "last record + 1" would never get there.
//! 6. *Prove*: the last `position` equals the committed one and no row follows it. If not, the set
//!    is torn or incomplete, and the task is rebuilt from the command log instead.
//!
//! All partitions of one assignment go through the steps together; live tasks go on in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_state::StorageProvider;

use crate::error::TaskError;
use crate::faults::{crash_point, switched_off};
use crate::log::{InputPosition, Isolation, Log, LogError, Member, Pace, Reader, TopicPartition};
use crate::part::{Part, Source};
use crate::position::Position;
use crate::task::Task;
use crate::wiring::{TaskId, WiredTopic, Wiring};

/// Most changelog records per step, so that live tasks do not stall.
const RECORDS_PER_STEP: usize = 20_000;

/// How long a step may wait for records.
const WAIT: Duration = Duration::from_millis(20);

/// What stops a takeover: the log for now, or the task for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The log did not do it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The task cannot go on.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl From<stagedoor_state::StateError> for RunError {
    fn from(error: stagedoor_state::StateError) -> Self {
        Self::Task(error.into())
    }
}

/// What the runtime lends to a takeover.
pub(crate) struct Surroundings<'a> {
    pub(crate) log: &'a dyn Log,
    pub(crate) member: &'a mut dyn Member,
    pub(crate) transactional_id: &'a str,
}

/// What a finished takeover leaves.
pub(crate) enum Outcome {
    /// It goes on.
    Working,
    /// Every part is settled one way or the other.
    Finished(Vec<Settled>),
}

/// How a task starts.
pub(crate) enum Settled {
    /// Whole and proven.
    Serve(Box<Task>),
    /// To be computed anew up to this input position.
    Rebuild(Box<Part>, InputPosition),
}

impl Settled {
    /// The input partition of the task.
    pub(crate) fn input(&self) -> TopicPartition {
        match self {
            Self::Serve(task) => task.input.clone(),
            Self::Rebuild(part, _) => part.wiring.input.partition(part.id.partition),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Open(Source),
    CatchUp(Source),
    Fence,
    Committed,
    Stable,
    OpenRest(Source),
    ReadRest(Source),
    Prove,
}

/// A takeover of some partitions of one sub-topology.
pub(crate) struct Takeover {
    wiring: Arc<Wiring>,
    parts: BTreeMap<i32, Part>,
    reader: Box<dyn Reader>,
    uncommitted: Box<dyn Reader>,
    step: Step,
    /// High watermarks still to be passed by the last stable offset.
    targets: Vec<(TopicPartition, i64)>,
}

impl Takeover {
    /// Opens the stores of some partitions and looks at their checkpoints.
    pub(crate) fn begin(
        wiring: &Arc<Wiring>,
        partitions: &[i32],
        stores: &dyn StorageProvider,
        log: &dyn Log,
        unclean: Option<&Path>,
    ) -> Result<Self, RunError> {
        let mut parts = BTreeMap::new();
        for partition in partitions {
            let id = TaskId {
                sub_topology: wiring.index,
                partition: *partition,
            };
            parts.insert(*partition, Part::open(id, wiring, stores, unclean)?);
        }
        let (reader, uncommitted) = readers(log)?;
        Ok(Self {
            wiring: Arc::clone(wiring),
            parts,
            reader,
            uncommitted,
            step: Step::Open(Source::Changelog),
            targets: Vec::new(),
        })
    }

    /// The sub-topology it belongs to.
    pub(crate) fn sub_topology(&self) -> usize {
        self.wiring.index
    }

    /// A task that is rebuilt whatever its changelog proves, because somebody asked for it.
    pub(crate) fn distrust(&mut self, partition: i32) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.distrusted = true;
        }
    }

    /// Leaves out a partition that went elsewhere meanwhile.
    pub(crate) fn forget(&mut self, partition: i32) {
        self.parts.remove(&partition);
    }

    /// Records restored so far, by partition.
    pub(crate) fn restored(&self) -> impl Iterator<Item = (TaskId, u64)> {
        self.parts.values().map(|part| (part.id, part.restored))
    }

    /// Does a bounded piece of work.
    pub(crate) fn step(&mut self, with: &mut Surroundings<'_>) -> Result<Outcome, RunError> {
        let outcome = self.go_on(with);
        if let Err(RunError::Log(_)) = outcome {
            // A client that has met a partition without a leader may not find it for a long time
            // after the leader is back. Every step may be repeated, so new ones begin at the first.
            (self.reader, self.uncommitted) = readers(with.log)?;
            self.step = Step::Open(Source::Changelog);
        }
        outcome
    }

    fn go_on(&mut self, with: &mut Surroundings<'_>) -> Result<Outcome, RunError> {
        self.step = match self.step {
            Step::Open(source) => {
                self.open(source)?;
                Step::CatchUp(source)
            }
            Step::CatchUp(source) => match (self.read()?, source) {
                (false, _) => self.step,
                (true, Source::Changelog) => Step::Open(Source::WindowChangelog),
                (true, Source::WindowChangelog) => Step::Fence,
            },
            Step::Fence => {
                self.fence(with)?;
                Step::Committed
            }
            Step::Committed => {
                // A fetch that waits for records would hold up the questions of the next step.
                self.open_nothing()?;
                self.read_committed(with.member)?;
                self.read_targets()?;
                Step::Stable
            }
            Step::Stable => match self.is_stable()? {
                true => Step::OpenRest(Source::Changelog),
                false => self.step,
            },
            Step::OpenRest(source) => {
                self.open(source)?;
                Step::ReadRest(source)
            }
            Step::ReadRest(source) => match (self.read()?, source) {
                (false, _) => self.step,
                (true, Source::Changelog) => Step::OpenRest(Source::WindowChangelog),
                (true, Source::WindowChangelog) => Step::Prove,
            },
            Step::Prove => return self.prove().map(Outcome::Finished),
        };
        tracing::debug!(step = ?self.step, "takeover");
        Ok(Outcome::Working)
    }

    fn topic(&self, source: Source) -> &WiredTopic {
        match source {
            Source::Changelog => &self.wiring.changelog,
            Source::WindowChangelog => &self.wiring.window_changelog,
        }
    }

    fn open(&mut self, source: Source) -> Result<(), RunError> {
        let from: Vec<(i32, i64)> = self
            .parts
            .values()
            .map(|part| (part.id.partition, part.next(source)))
            .collect();
        let name = Arc::clone(&self.topic(source).name);
        Ok(self.reader.open(&name, &from)?)
    }

    fn open_nothing(&mut self) -> Result<(), RunError> {
        let name = Arc::clone(&self.wiring.changelog.name);
        Ok(self.reader.open(&name, &[])?)
    }

    /// Reads a slice into the stores. Returns whether the end has been reached.
    fn read(&mut self) -> Result<bool, RunError> {
        let parts = &mut self.parts;
        let is_window = matches!(
            self.step,
            Step::CatchUp(Source::WindowChangelog) | Step::ReadRest(Source::WindowChangelog)
        );
        let mut failure = None;
        let polled = self.reader.poll(WAIT, RECORDS_PER_STEP, &mut |record| {
            let Some(part) = parts.get_mut(&record.partition) else {
                return;
            };
            if let Err(error) = part.take(record, is_window) {
                failure = Some(error);
            }
        });
        let ended = match polled {
            Ok(ended) => ended,
            Err(LogError::OutOfRange(partition)) => {
                self.start_over(&partition)?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(error) = failure {
            return Err(error.into());
        }
        self.parts.values_mut().try_for_each(Part::flush)?;
        crash_point("during-restore");
        Ok(ended)
    }

    /// The changelog no longer holds what the stores lack: they are wiped and filled anew. One that
    /// ends before a store has lost records, and what fills the store then proves nothing.
    fn start_over(&mut self, partition: &TopicPartition) -> Result<(), RunError> {
        tracing::warn!(%partition, "the changelog and the store do not meet; wipe and restore");
        for part in self.parts.values_mut() {
            for (source, topic) in [
                (Source::Changelog, &self.wiring.changelog),
                (Source::WindowChangelog, &self.wiring.window_changelog),
            ] {
                let changelog = topic.partition(part.id.partition);
                let (_, high) = self.uncommitted.watermarks(&changelog)?;
                part.distrusted |= part.next(source) > high;
            }
            part.wipe()?;
        }
        self.step = Step::Open(Source::Changelog);
        Ok(())
    }

    fn fence(&self, with: &Surroundings<'_>) -> Result<(), RunError> {
        let mut owners: Vec<&str> = self
            .parts
            .values()
            .filter_map(|part| part.last.as_ref())
            .filter(|last| !last.handed_over && last.transactional_id != with.transactional_id)
            .map(|last| last.transactional_id.as_str())
            .collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            tracing::info!(transactional_id = owner, "fencing the last owner");
            drop(with.log.session(owner)?);
        }
        Ok(())
    }

    fn read_committed(&mut self, member: &mut dyn Member) -> Result<(), RunError> {
        for part in self.parts.values_mut() {
            part.committed = member.committed(&part.wiring.input.partition(part.id.partition))?;
        }
        Ok(())
    }

    fn read_targets(&mut self) -> Result<(), RunError> {
        self.targets.clear();
        for part in self.parts.values_mut() {
            for topic in [&self.wiring.changelog, &self.wiring.window_changelog] {
                let partition = topic.partition(part.id.partition);
                let (low, high) = self.uncommitted.watermarks(&partition)?;
                part.refuse_shrunk_changelog(&partition, high)?;
                // Compaction never moves the start, so somebody deleted rows that may be needed.
                let is_window = topic.name == self.wiring.window_changelog.name;
                part.cut |= part.from_start && low > 0 && !is_window;
                self.targets.push((partition, high));
            }
        }
        Ok(())
    }

    fn is_stable(&mut self) -> Result<bool, RunError> {
        while let Some((partition, target)) = self.targets.last() {
            let (_, stable) = self.reader.watermarks(partition)?;
            if stable < *target {
                self.wiring.clock.sleep(Duration::from_millis(5));
                return Ok(false);
            }
            self.targets.pop();
        }
        Ok(true)
    }

    fn prove(&mut self) -> Result<Vec<Settled>, RunError> {
        // Before anything is taken apart: a broker that does not answer must lose no part.
        let mut ends = Vec::new();
        for part in self.parts.values() {
            let input = part.wiring.input.partition(part.id.partition);
            ends.push(self.uncommitted.watermarks(&input)?);
        }
        let mut settled = Vec::new();
        for ((_, part), (low, high)) in std::mem::take(&mut self.parts).into_iter().zip(ends) {
            let input = part.wiring.input.partition(part.id.partition);
            part.refuse_shrunk_input(&input, high)?;
            settled.push(match part.start_position(low) {
                Some(position) => Settled::Serve(Box::new(part.serve(position)?)),
                None => {
                    // Offsets of a group expire; the position in the changelog does not.
                    let last = part.last.as_ref().map(Position::input);
                    let until = part.committed.or(last).unwrap_or_default();
                    tracing::warn!(task = %part.id, ?until, last = ?part.last, torn = part.torn,
                        cut = part.cut, asked = part.distrusted,
                        "the changelog does not prove the state; rebuilding from the command log");
                    Settled::Rebuild(Box::new(part), until)
                }
            });
        }
        Ok(settled)
    }
}

/// Rows come from the first; the second sees where everything ends.
type Readers = (Box<dyn Reader>, Box<dyn Reader>);

fn readers(log: &dyn Log) -> Result<Readers, LogError> {
    let isolation = match switched_off("restore-read-committed") {
        true => Isolation::ReadUncommitted,
        false => Isolation::ReadCommitted,
    };
    let reader = log.reader(isolation, Pace::CatchUp)?;
    Ok((
        reader,
        log.reader(Isolation::ReadUncommitted, Pace::CatchUp)?,
    ))
}
