//! What an audit reads: the log, the names of its topics, and stores where they are given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use stagedoor_processors::concert::{CATALOGUE, CONCERT, EVENTS, RESULTS};
use stagedoor_state::{StorageProvider, TaskState};
use stagedoor_topology::log::{InputPosition, Isolation, Log};
use stagedoor_topology::{Secret, Sink, SubTopology, TopicNaming, Topology};

use crate::error::AuditError;
use crate::read::{Ends, Progress, Source};
use crate::replay::Rules;
use crate::turn::Channel;

/// What an audit reads. Nothing is written and no group is joined.
#[derive(Clone)]
pub struct Sources<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// What ran on it.
    pub topology: &'a Topology,
    /// Names and partition counts of its topics.
    pub naming: &'a TopicNaming,
    /// Key of the MAC on Ticks.
    pub secret: &'a Secret,
    /// Largest record that tasks may forward, as it was configured.
    pub max_record_bytes: usize,
    /// The stores, which no process may have open. Without them only topics are compared.
    pub stores: Option<&'a dyn StorageProvider>,
    /// What the group has committed, by partition of the command topic, if that was asked for.
    pub committed: Option<&'a BTreeMap<i32, InputPosition>>,
    /// How late a hold may expire, if the service was up all the time.
    pub most_late_ms: Option<i64>,
    /// Command partitions to look at; all of them where none is given.
    pub partitions: Vec<i32>,
    /// Bytes of outputs that are held in memory before they move to temporary space.
    pub memory_bytes: usize,
    /// Where temporary space is taken if it is needed.
    pub temporary: PathBuf,
    /// Command partitions that are audited at once; each takes the memory of its state.
    pub threads: usize,
    /// Is told how far the audit is, by any of its threads.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// A topic that tasks forward to.
pub(crate) struct OutputTopic {
    /// Full name.
    pub(crate) name: Arc<str>,
    /// Partition count.
    pub(crate) partitions: i32,
    /// What is in it.
    pub(crate) channel: Channel,
}

impl OutputTopic {
    pub(crate) fn every_partition(&self) -> Vec<i32> {
        (0..self.partitions).collect()
    }

    /// Every so manieth partition, from one on.
    pub(crate) fn share(&self, from: usize, every: usize) -> Vec<i32> {
        (0..self.partitions).skip(from).step_by(every).collect()
    }
}

impl<'a> Sources<'a> {
    /// All partitions of what a topology wrote, by its topics alone.
    #[must_use]
    pub fn new(
        log: &'a dyn Log,
        topology: &'a Topology,
        naming: &'a TopicNaming,
        secret: &'a Secret,
    ) -> Self {
        Self {
            log,
            topology,
            naming,
            secret,
            max_record_bytes: 1_000_000,
            stores: None,
            committed: None,
            most_late_ms: None,
            partitions: Vec::new(),
            memory_bytes: 64 * 1024 * 1024,
            temporary: std::env::temp_dir(),
            threads: 1,
            progress: &|_| {},
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            log: self.log,
            progress: self.progress,
        }
    }

    pub(crate) fn part(&self) -> Result<(usize, &SubTopology), AuditError> {
        let mut parts = self.topology.sub_topologies().iter().enumerate();
        parts
            .find(|(_, part)| part.name == CONCERT)
            .ok_or(AuditError::Unknown(CONCERT))
    }

    pub(crate) fn rules(&self) -> Result<Rules<'_>, AuditError> {
        let (_, part) = self.part()?;
        Ok(Rules {
            part,
            naming: self.naming,
            secret: self.secret,
            max_record_bytes: self.max_record_bytes,
        })
    }

    /// Full name of the command topic.
    pub(crate) fn commands(&self) -> Result<String, AuditError> {
        Ok(self.naming.topic(self.part()?.1.source.topic))
    }

    /// The command partitions that are looked at.
    pub(crate) fn lanes(&self) -> Result<Vec<i32>, AuditError> {
        let last = self.naming.partitions - 1;
        if let Some(wrong) = self
            .partitions
            .iter()
            .find(|lane| !(0..=last).contains(*lane))
        {
            return Err(AuditError::NoPartition {
                topic: self.commands()?,
                partition: *wrong,
                last,
            });
        }
        let chosen: BTreeSet<i32> = self.partitions.iter().copied().collect();
        match chosen.is_empty() {
            true => Ok((0..=last).collect()),
            false => Ok(chosen.into_iter().collect()),
        }
    }

    /// The topics that tasks forward to.
    pub(crate) fn outputs(&self) -> [OutputTopic; 4] {
        let of = |sink: Sink, channel| OutputTopic {
            name: self.naming.topic(sink.topic).into(),
            partitions: self.naming.partitions_of(sink.topic),
            channel,
        };
        [
            of(RESULTS, Channel::Results),
            of(EVENTS, Channel::Events),
            of(CATALOGUE, Channel::Catalogue),
            self.dead_letters(),
        ]
    }

    /// Where records go that were refused.
    pub(crate) fn dead_letters(&self) -> OutputTopic {
        OutputTopic {
            name: self.naming.dead_letters().into(),
            partitions: self.naming.partitions,
            channel: Channel::DeadLetters,
        }
    }

    /// Ends of a command partition up to a position. It must still have its start.
    pub(crate) fn input_ends(
        &self,
        topic: &str,
        partition: i32,
        until: InputPosition,
    ) -> Result<Ends, AuditError> {
        let ends = self
            .source()
            .ends(Isolation::ReadCommitted, topic, &[partition])?;
        let mut bounded = Ends::new();
        for (partition, (start, end)) in ends {
            if start > 0 {
                return Err(AuditError::Cut {
                    topic: topic.to_owned(),
                    partition,
                    start,
                });
            }
            let next = until.next_offset + i64::from(until.unit > 0);
            bounded.insert(partition, (start, next.min(end)));
        }
        Ok(bounded)
    }

    /// The live store of a task, if stores are given.
    pub(crate) fn live(&self, partition: i32) -> Result<Option<TaskState>, AuditError> {
        let (index, part) = self.part()?;
        let Some(stores) = self.stores else {
            return Ok(None);
        };
        let storage = stores.storage(&format!("{index}_{partition}"))?;
        Ok(Some(TaskState::new(storage, Arc::clone(&part.stores))?))
    }
}
