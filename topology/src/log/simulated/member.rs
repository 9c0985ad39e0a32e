//! A member of the group: assignment changes, and the committed records of what it has started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::SimulatedLog;
use super::fault::Call;
use super::group::{MemberId, Membership};
use super::partition::Content;
use super::state::State;
use crate::log::{
    Assignment, Generation, InputPosition, Isolation, LogError, Member, TopicPartition, Visit,
};
use crate::record::Record;

/// Most records that one poll takes from the brokers.
const FETCH: usize = 200;

/// A record on its way to the visitor.
type Fetched = (TopicPartition, i64, i64, Arc<Content>);

/// A member of the group.
pub(super) struct SimulatedMember {
    log: SimulatedLog,
    id: MemberId,
    topics: Vec<String>,
    /// What it knows of itself: a frozen member still believes in it when it wakes up.
    membership: Option<Membership>,
    /// Next offset of each accepted partition; none while it is held back.
    positions: BTreeMap<TopicPartition, Option<i64>>,
    /// Which partition is first in the next fetch, so that none starves the others.
    turn: usize,
}

impl SimulatedMember {
    pub(super) fn new(log: SimulatedLog, id: MemberId, topics: Vec<String>) -> Self {
        Self {
            log,
            id,
            topics,
            membership: None,
            positions: BTreeMap::new(),
            turn: 0,
        }
    }

    /// What the group wants. A member that was expelled is told that its partitions are lost, and
    /// joins again only when it has given them up: until then it is in no generation.
    fn changes(&mut self) -> Result<Vec<Assignment>, LogError> {
        let now = self.log.now();
        let (id, client) = (self.id, Arc::clone(&self.log.client));
        let (topics, may_join) = (&self.topics, self.positions.is_empty());
        let (id, membership, changes) = self.log.call(Call::Poll, |state, _| {
            let changes = state.group.poll(id, now);
            let id = match changes {
                None if may_join => state.join(client, topics, now),
                _ => id,
            };
            Ok((id, state.group.membership(id), changes))
        })?;
        (self.id, self.membership) = (id, membership);
        if let Some(changes) = changes {
            return Ok(changes);
        }
        let lost: Vec<TopicPartition> = self.positions.keys().cloned().collect();
        Ok(match lost.is_empty() {
            true => Vec::new(),
            false => vec![Assignment::Lost(lost)],
        })
    }

    fn fetch(&mut self) -> Result<Vec<Fetched>, LogError> {
        let mut started: Vec<(TopicPartition, i64)> = self
            .positions
            .iter()
            .filter_map(|(partition, next)| Some((partition.clone(), (*next)?)))
            .collect();
        if started.is_empty() {
            return Ok(Vec::new());
        }
        self.turn = (self.turn + 1) % started.len();
        started.rotate_left(self.turn);
        let state = self.log.cluster.state.lock();
        let mut fetched = Vec::new();
        for (partition, next) in started {
            fetch_one(&state, &partition, next, &mut fetched)?;
        }
        Ok(fetched)
    }
}

fn fetch_one(
    state: &State,
    partition: &TopicPartition,
    next: i64,
    fetched: &mut Vec<Fetched>,
) -> Result<(), LogError> {
    let Some(log) = state.partition(&partition.topic, partition.partition) else {
        return Err(super::state::unknown(&partition.topic, partition.partition));
    };
    if next < log.start() || next > log.high() {
        return Err(LogError::OutOfRange(partition.clone()));
    }
    let room = FETCH.saturating_sub(fetched.len());
    let until = log.bound(Isolation::ReadCommitted);
    let visible = log.visible(Isolation::ReadCommitted, next, until);
    fetched.extend(
        visible.take(room).map(|(offset, at_ms, content)| {
            (partition.clone(), offset, at_ms, Arc::clone(content))
        }),
    );
    Ok(())
}

impl Member for SimulatedMember {
    fn poll(
        &mut self,
        _wait: Duration,
        visit: &mut dyn FnMut(&Record<'_>) -> Visit,
    ) -> Result<Vec<Assignment>, LogError> {
        let changes = self.changes()?;
        if changes
            .iter()
            .any(|change| matches!(change, Assignment::Lost(_)))
        {
            return Ok(changes);
        }
        for (partition, offset, at_ms, content) in self.fetch()? {
            let record = content.record(&partition.topic, partition.partition, offset, at_ms);
            let visited = visit(&record);
            if visited != Visit::Later
                && let Some(next) = self.positions.get_mut(&partition)
            {
                *next = Some(offset + 1);
            }
            if visited != Visit::Taken {
                break;
            }
        }
        Ok(changes)
    }

    fn accept(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        let held = partitions.iter().map(|partition| (partition.clone(), None));
        self.positions.extend(held);
        Ok(())
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        for partition in partitions {
            self.positions.remove(partition);
        }
        let id = self.id;
        self.log.cluster.state.lock().group.release(id, partitions);
        Ok(())
    }

    fn start(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.positions.insert(partition.clone(), Some(offset));
        Ok(())
    }

    fn hold(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.positions.insert(partition.clone(), None);
        Ok(())
    }

    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<InputPosition>, LogError> {
        self.log
            .call(Call::Committed, |state, _| state.group.stable(partition))
    }

    fn generation(&self) -> Result<Generation, LogError> {
        // The client's own thread keeps it fresh as long as the process reaches the brokers.
        let fresh = self.log.client.is_heard().then(|| {
            let state = self.log.cluster.state.lock();
            state.group.membership(self.id)
        });
        match fresh.flatten().or(self.membership) {
            Some(membership) => Ok(Generation(Box::new(membership))),
            None => Err(LogError::Fenced("the member is in no group".to_owned())),
        }
    }
}

impl Drop for SimulatedMember {
    fn drop(&mut self) {
        if self.log.client.is_heard() {
            self.log.cluster.state.lock().leave(self.id);
        }
    }
}
