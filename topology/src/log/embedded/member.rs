//! A stream thread's membership: its share of the partitions, and their records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::cursor::Cursor;
use super::partition::{Waiter, deadline};
use crate::log::{Assignment, Generation, InputPosition, LogError, Member, TopicPartition, Visit};
use crate::record::Record;

/// A member of the group.
pub(super) struct EmbeddedMember {
    shared: Arc<Shared>,
    member: u64,
    waiter: Arc<Waiter>,
    /// The partitions that are delivered; the others of the share are held back.
    started: BTreeMap<TopicPartition, Cursor>,
    /// The partition that was delivered last: the next poll begins behind it.
    last: Option<TopicPartition>,
}

impl EmbeddedMember {
    /// Joins the group.
    pub(super) fn join(shared: &Arc<Shared>, topics: &[String]) -> Result<Self, LogError> {
        let mut partitions = BTreeSet::new();
        for name in topics {
            let topic = shared.topics.get(name).ok_or_else(|| {
                LogError::Refused(format!("there is no topic {name}; create it first"))
            })?;
            partitions.extend(topic.partitions.iter().map(|it| it.name.clone()));
        }
        let waiter = Arc::new(Waiter::default());
        Ok(Self {
            member: shared.group.join(partitions, Arc::clone(&waiter)),
            shared: Arc::clone(shared),
            waiter,
            started: BTreeMap::new(),
            last: None,
        })
    }

    /// Visits what is ready. Returns whether anything was.
    fn deliver(&mut self, visit: &mut dyn FnMut(&Record<'_>) -> Visit) -> Result<bool, LogError> {
        let mut any = false;
        for name in self.in_turn() {
            let Some(cursor) = self.started.get_mut(&name) else {
                continue;
            };
            let last = cursor.visit(&self.shared.rows, &mut |record| {
                any = true;
                visit(record)
            })?;
            self.last = Some(name);
            if last != Visit::Taken {
                return Ok(true);
            }
        }
        Ok(any)
    }

    /// The partitions from the one behind the last on, so that a busy one starves nobody.
    fn in_turn(&self) -> Vec<TopicPartition> {
        let mut names: Vec<TopicPartition> = self.started.keys().cloned().collect();
        if let Some(last) = &self.last {
            let behind = names.partition_point(|name| name <= last);
            names.rotate_left(behind);
        }
        names
    }

    /// Sleeps unless there is something to do.
    fn sleep(&self, until: Instant) {
        let mut cursors = self.started.values();
        let quiet = cursors.all(|cursor| cursor.may_sleep(&self.waiter));
        if quiet && !self.shared.group.has_changes(self.member) {
            self.waiter.sleep_until(until);
        }
    }

    fn owned(&self, partition: &TopicPartition) -> Result<(), LogError> {
        match self.shared.group.owns(self.member, partition) {
            true => Ok(()),
            false => Err(LogError::Refused(format!(
                "{partition} is not assigned to this member"
            ))),
        }
    }
}

impl Member for EmbeddedMember {
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&Record<'_>) -> Visit,
    ) -> Result<Vec<Assignment>, LogError> {
        let until = deadline(wait);
        loop {
            let changes = self.shared.group.changes(self.member);
            if !changes.is_empty() || self.deliver(visit)? || Instant::now() >= until {
                return Ok(changes);
            }
            self.sleep(until);
        }
    }

    fn accept(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        partitions.iter().try_for_each(|it| self.owned(it))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        for partition in partitions {
            self.started.remove(partition);
        }
        self.shared.group.release(self.member, partitions);
        Ok(())
    }

    fn start(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.owned(partition)?;
        let found = self
            .shared
            .topics
            .partition(&partition.topic, partition.partition)?;
        self.started
            .insert(partition.clone(), Cursor::new(found, offset));
        Ok(())
    }

    fn hold(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.owned(partition)?;
        self.started.remove(partition);
        Ok(())
    }

    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<InputPosition>, LogError> {
        self.shared.committed(partition)
    }

    fn generation(&self) -> Result<Generation, LogError> {
        Ok(Generation(Box::new(self.shared.group.seen(self.member)?)))
    }
}

impl Drop for EmbeddedMember {
    fn drop(&mut self) {
        self.shared.group.leave(self.member);
    }
}
