//! The consumer group: members, cooperative hand-over of partitions, generations, offsets.
//!
//! A partition goes to its next owner only after the last one has released it. Members whose
//! heartbeats stop are expelled after the session time-out; whatever they commit then is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::state::State;
use crate::log::{Assignment, InputPosition, LogError, TopicPartition};

/// Id of a member; one that rejoins has a new one.
pub(super) type MemberId = u64;

/// A position of a transaction, behind its place in the order of all that were written.
pub(super) type WrittenPosition = (u64, TopicPartition, InputPosition);

/// A membership at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) member: MemberId,
    pub(super) generation: u64,
}

struct MemberState {
    client: Arc<Client>,
    topics: Vec<String>,
    last_seen: Duration,
    owned: BTreeSet<TopicPartition>,
    /// Asked to release, and has not done so yet.
    releasing: BTreeSet<TopicPartition>,
    /// Whether it knows its share of this generation.
    told: bool,
}

/// The group of the application.
#[derive(Default)]
pub(super) struct Group {
    generation: u64,
    members: BTreeMap<MemberId, MemberState>,
    joined: u64,
    target: BTreeMap<TopicPartition, MemberId>,
    /// Positions by partition.
    pub(super) committed: BTreeMap<TopicPartition, InputPosition>,
    /// Positions that an open transaction may still change, by count of transactions.
    unstable: BTreeMap<TopicPartition, u32>,
    /// Positions that were ever written, and which of them the committed ones are.
    written: u64,
    newest: BTreeMap<TopicPartition, u64>,
}

impl Group {
    /// Positions become unstable. Returns their place in the order of all that were written.
    pub(super) fn hold<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) -> u64 {
        for partition in partitions {
            *self.unstable.entry(partition.clone()).or_default() += 1;
        }
        self.written += 1;
        self.written
    }

    /// A transaction with positions has ended. What was written later stays, whichever of two
    /// transactions ends first.
    pub(super) fn settle(&mut self, positions: &[WrittenPosition], commit: bool) {
        for (at, partition, position) in positions {
            if let Some(count) = self.unstable.get_mut(partition) {
                *count = count.saturating_sub(1);
            }
            let newest = self.newest.entry(partition.clone()).or_default();
            if commit && at > newest {
                *newest = *at;
                self.committed.insert(partition.clone(), *position);
            }
        }
        self.unstable.retain(|_, count| *count > 0);
    }

    /// The committed position, once no transaction can change it any more.
    pub(super) fn stable(
        &self,
        partition: &TopicPartition,
    ) -> Result<Option<InputPosition>, LogError> {
        if self.unstable.contains_key(partition) {
            let text = format!("the committed offset of {partition} is unstable");
            return Err(LogError::Unavailable(text));
        }
        Ok(self.committed.get(partition).copied())
    }

    /// The membership of a member, if it still is one.
    pub(super) fn membership(&self, member: MemberId) -> Option<Membership> {
        let generation = self.generation;
        self.members
            .contains_key(&member)
            .then_some(Membership { member, generation })
    }

    /// Whether a membership is of now.
    pub(super) fn is_current(&self, membership: Membership) -> bool {
        self.membership(membership.member) == Some(membership)
    }

    /// A member has given partitions up.
    pub(super) fn release(&mut self, member: MemberId, partitions: &[TopicPartition]) {
        if let Some(state) = self.members.get_mut(&member) {
            for partition in partitions {
                state.owned.remove(partition);
                state.releasing.remove(partition);
            }
        }
    }

    /// What a member has to do, or `None` if it was expelled.
    pub(super) fn poll(&mut self, member: MemberId, now: Duration) -> Option<Vec<Assignment>> {
        let taken: BTreeSet<TopicPartition> = self
            .members
            .values()
            .flat_map(|state| state.owned.iter().cloned())
            .collect();
        let target = &self.target;
        let state = self.members.get_mut(&member)?;
        state.last_seen = now;
        let mut changes = Vec::new();
        let is_mine = |partition: &TopicPartition| target.get(partition) == Some(&member);
        let leaving: Vec<TopicPartition> = state
            .owned
            .iter()
            .filter(|partition| !is_mine(partition) && !state.releasing.contains(*partition))
            .cloned()
            .collect();
        if !leaving.is_empty() {
            state.releasing.extend(leaving.iter().cloned());
            changes.push(Assignment::Revoked(leaving));
        }
        let arriving: Vec<TopicPartition> = target
            .iter()
            .filter(|(partition, owner)| **owner == member && !taken.contains(*partition))
            .map(|(partition, _)| partition.clone())
            .collect();
        if !arriving.is_empty() || !state.told {
            state.told = true;
            state.owned.extend(arriving.iter().cloned());
            changes.push(Assignment::Assigned(arriving));
        }
        Some(changes)
    }

    /// Shares the partitions out: everybody keeps what it has, up to its share.
    fn rebalance(&mut self, partitions: &[TopicPartition]) {
        self.generation += 1;
        self.target.clear();
        let Some(share) = partitions
            .len()
            .checked_div(self.members.len())
            .map(|share| share + usize::from(!partitions.len().is_multiple_of(self.members.len())))
        else {
            return;
        };
        let mut counts: BTreeMap<MemberId, usize> =
            self.members.keys().map(|id| (*id, 0)).collect();
        let mut free = Vec::new();
        for partition in partitions {
            let owners = self.members.iter();
            let owner = owners
                .filter(|(id, state)| {
                    state.owned.contains(partition) && counts.get(id).is_some_and(|n| *n < share)
                })
                .map(|(id, _)| *id)
                .next();
            match owner {
                Some(owner) => {
                    *counts.entry(owner).or_default() += 1;
                    self.target.insert(partition.clone(), owner);
                }
                None => free.push(partition),
            }
        }
        for partition in free {
            let least = counts.iter_mut().min_by_key(|(_, count)| **count);
            if let Some((member, count)) = least {
                *count += 1;
                self.target.insert(partition.clone(), *member);
            }
        }
    }
}

impl State {
    /// A process joins the group.
    pub(super) fn join(
        &mut self,
        client: Arc<Client>,
        topics: &[String],
        now: Duration,
    ) -> MemberId {
        self.group.joined += 1;
        let id = self.group.joined;
        let member = MemberState {
            client,
            topics: topics.to_vec(),
            last_seen: now,
            owned: BTreeSet::new(),
            releasing: BTreeSet::new(),
            told: false,
        };
        self.group.members.insert(id, member);
        self.rebalance();
        id
    }

    /// A member leaves the group in order.
    pub(super) fn leave(&mut self, member: MemberId) {
        if self.group.members.remove(&member).is_some() {
            self.rebalance();
        }
    }

    /// Expels members that were not heard of for the session time-out.
    pub(super) fn expel_silent_members(&mut self, now: Duration) {
        let patience = self.config.session_timeout;
        let mut silent = Vec::new();
        for (id, member) in &mut self.group.members {
            if member.client.is_heard() {
                member.last_seen = now;
            } else if now.saturating_sub(member.last_seen) > patience {
                silent.push(*id);
            }
        }
        self.expel_all(&silent);
    }

    /// Expels the members of these processes.
    pub(super) fn expel(&mut self, is_gone: impl Fn(&Client) -> bool) {
        let members = self.group.members.iter();
        let gone: Vec<MemberId> = members
            .filter(|(_, member)| is_gone(&member.client))
            .map(|(id, _)| *id)
            .collect();
        self.expel_all(&gone);
    }

    fn expel_all(&mut self, members: &[MemberId]) {
        for id in members {
            self.count("member expelled");
            self.leave(*id);
        }
    }

    fn rebalance(&mut self) {
        self.version += 1;
        let topics: BTreeSet<&String> = self
            .group
            .members
            .values()
            .flat_map(|member| &member.topics)
            .collect();
        let partitions: Vec<TopicPartition> = topics
            .into_iter()
            .flat_map(|topic| {
                let name: Arc<str> = topic.as_str().into();
                (0..self.partitions(topic))
                    .map(move |partition| TopicPartition::new(Arc::clone(&name), partition))
            })
            .collect();
        self.group.rebalance(&partitions);
    }
}
