//! A transactional session: records wait in memory until the commit, which is one write.

use std::sync::Arc;

use super::Shared;
use super::group::Seen;
use super::keys;
use super::partition::Partition;
use super::queue::{Commit, Parts};
use crate::log::{Generation, InputPosition, LogError, Outgoing, Session, TopicPartition};

/// Partitions that a session finds without asking the log: what a batch of one task writes to.
const REMEMBERED: usize = 8;

/// A producer with a transactional id.
pub(super) struct EmbeddedSession {
    shared: Arc<Shared>,
    transactional_id: String,
    epoch: u64,
    parts: Parts,
    /// Partitions that were written to last.
    known: Vec<Arc<Partition>>,
    /// Part and place of the records whose offsets the commit returns.
    tracked: Vec<(usize, u32)>,
    offsets: Vec<(keys::PartitionId, InputPosition)>,
    reusable: bool,
}

impl EmbeddedSession {
    /// Opens a session. Earlier ones of that id can commit nothing from here on.
    pub(super) fn open(shared: &Arc<Shared>, transactional_id: &str) -> Result<Self, LogError> {
        let epoch = shared.raise_epoch(transactional_id);
        let row = (
            keys::named(keys::EPOCH, transactional_id),
            epoch.to_be_bytes().to_vec(),
        );
        shared.queue.commit(Commit {
            rows: vec![row],
            ..Commit::default()
        })?;
        Ok(Self {
            shared: Arc::clone(shared),
            transactional_id: transactional_id.to_owned(),
            epoch,
            parts: Parts::default(),
            known: Vec::with_capacity(REMEMBERED),
            tracked: Vec::new(),
            offsets: Vec::new(),
            reusable: true,
        })
    }

    fn push(&mut self, record: &Outgoing<'_>) -> Result<(usize, u32), LogError> {
        self.shared.check_size(record)?;
        let is_it = |known: &&Arc<Partition>| {
            known.name.partition == record.partition && *known.name.topic == *record.topic
        };
        if let Some(partition) = self.known.iter().find(is_it) {
            return Ok(self.parts.push(partition, record));
        }
        let topics = &self.shared.topics;
        let partition = topics.partition(record.topic, record.partition)?;
        let place = self.parts.push(&partition, record);
        self.known.truncate(REMEMBERED - 1);
        self.known.insert(0, partition);
        Ok(place)
    }
}

impl Session for EmbeddedSession {
    fn begin(&mut self) -> Result<(), LogError> {
        self.parts.clear();
        self.tracked.clear();
        self.offsets.clear();
        Ok(())
    }

    fn send(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        self.push(&record).map(drop)
    }

    fn send_tracked(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        let place = self.push(&record)?;
        self.tracked.push(place);
        Ok(())
    }

    fn add_offsets(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<(), LogError> {
        let Some(seen) = generation.0.downcast_ref::<Seen>() else {
            return Err(LogError::Refused(
                "the membership is of another log".to_owned(),
            ));
        };
        self.shared.group.check(*seen)?;
        for (name, position) in positions {
            let partition = self.shared.topics.partition(&name.topic, name.partition)?;
            self.offsets.push((partition.id, *position));
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<Vec<i64>, LogError> {
        let commit = Commit {
            parts: std::mem::take(&mut self.parts).into_list(),
            offsets: std::mem::take(&mut self.offsets),
            producer: Some((self.transactional_id.clone(), self.epoch)),
            rows: Vec::new(),
        };
        let tracked = std::mem::take(&mut self.tracked);
        let bases = self.shared.queue.commit(commit).inspect_err(|_| {
            self.reusable = false;
        })?;
        let offset = |(part, place): (usize, u32)| bases[part] + i64::from(place);
        Ok(tracked.into_iter().map(offset).collect())
    }

    fn reusable(&self) -> bool {
        self.reusable
    }
}
