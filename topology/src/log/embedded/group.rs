//! The consumer group of one process: its stream threads share the partitions cooperatively.
//!
//! A partition changes hands in two steps: its owner is told to give it up, and only when it has
//! done so, the next one gets it. So there is never more than one owner, and whoever keeps a
//! partition never notices. Within one process nobody is thrown out for being slow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::partition::Waiter;
use crate::log::{Assignment, LogError, TopicPartition};

/// The group.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    generation: u64,
    last_member: u64,
    members: BTreeMap<u64, Membership>,
    owners: BTreeMap<TopicPartition, u64>,
    /// Who is to have each partition.
    targets: BTreeMap<TopicPartition, u64>,
}

#[derive(Debug)]
struct Membership {
    partitions: BTreeSet<TopicPartition>,
    waiter: Arc<Waiter>,
    /// The generation that it has heard of.
    seen: u64,
    /// It has been told its first share, which may be nothing.
    told: bool,
    /// What it was told to give up and has not given up yet.
    revoking: BTreeSet<TopicPartition>,
}

/// A membership at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) member: u64,
    pub(super) generation: u64,
}

impl Group {
    /// A new member that reads some partitions.
    pub(super) fn join(&self, partitions: BTreeSet<TopicPartition>, waiter: Arc<Waiter>) -> u64 {
        let mut state = self.0.lock();
        state.last_member += 1;
        let member = state.last_member;
        let membership = Membership {
            partitions,
            waiter,
            seen: 0,
            told: false,
            revoking: BTreeSet::new(),
        };
        state.members.insert(member, membership);
        state.rebalance();
        member
    }

    /// A member is gone, and its partitions are free.
    pub(super) fn leave(&self, member: u64) {
        let mut state = self.0.lock();
        state.members.remove(&member);
        state.owners.retain(|_, owner| *owner != member);
        state.rebalance();
    }

    /// What changed for a member since it last asked.
    pub(super) fn changes(&self, member: u64) -> Vec<Assignment> {
        self.0.lock().changes(member)
    }

    /// Whether a member would hear of a change.
    pub(super) fn has_changes(&self, member: u64) -> bool {
        let state = self.0.lock();
        let Some(membership) = state.members.get(&member) else {
            return false;
        };
        !membership.told || !state.revoked(member).is_empty() || !state.granted(member).is_empty()
    }

    /// A member has given partitions up.
    pub(super) fn release(&self, member: u64, partitions: &[TopicPartition]) {
        let mut state = self.0.lock();
        for partition in partitions {
            if state.owners.get(partition) == Some(&member) {
                state.owners.remove(partition);
            }
            if let Some(membership) = state.members.get_mut(&member) {
                membership.revoking.remove(partition);
            }
        }
        state.wake_all();
    }

    /// Whether a member owns a partition.
    pub(super) fn owns(&self, member: u64, partition: &TopicPartition) -> bool {
        self.0.lock().owners.get(partition) == Some(&member)
    }

    /// The membership as the member knows it.
    pub(super) fn seen(&self, member: u64) -> Result<Seen, LogError> {
        let state = self.0.lock();
        let membership = state.members.get(&member);
        let generation = membership
            .map(|membership| membership.seen)
            .ok_or_else(|| {
                LogError::Fenced("the member has left the group; join again".to_owned())
            })?;
        Ok(Seen { member, generation })
    }

    /// Refuses a membership that is over, or that the member itself knows to be outdated.
    pub(super) fn check(&self, seen: Seen) -> Result<(), LogError> {
        let now = self.seen(seen.member)?;
        match now == seen {
            true => Ok(()),
            false => Err(LogError::Fenced(format!(
                "the membership is of generation {} and the group has reached {}",
                seen.generation, now.generation
            ))),
        }
    }
}

impl State {
    fn rebalance(&mut self) {
        self.generation += 1;
        self.targets = self.shares();
        self.wake_all();
    }

    /// Even shares in which everybody keeps as much as possible.
    fn shares(&self) -> BTreeMap<TopicPartition, u64> {
        let all: BTreeSet<&TopicPartition> = self
            .members
            .values()
            .flat_map(|member| &member.partitions)
            .collect();
        let count = self.members.len().max(1);
        let (each, more) = (all.len() / count, all.len() % count);
        let mut shares = BTreeMap::new();
        let mut room: Vec<(u64, usize)> = Vec::new();
        for (index, (member, _)) in self.members.iter().enumerate() {
            let share = each + usize::from(index < more);
            let owned = self.owners.iter().filter(|(_, owner)| *owner == member);
            let kept: Vec<&TopicPartition> =
                owned.map(|(partition, _)| partition).take(share).collect();
            room.push((*member, share - kept.len()));
            shares.extend(kept.into_iter().map(|kept| (kept.clone(), *member)));
        }
        let free = all.into_iter().filter(|it| !shares.contains_key(*it));
        let free: Vec<TopicPartition> = free.cloned().collect();
        let places = room
            .iter()
            .flat_map(|(member, room)| std::iter::repeat_n(*member, *room));
        let filled: Vec<_> = free.into_iter().zip(places).collect();
        shares.extend(filled);
        shares
    }

    fn changes(&mut self, member: u64) -> Vec<Assignment> {
        let (revoked, granted) = (self.revoked(member), self.granted(member));
        let generation = self.generation;
        let Some(membership) = self.members.get_mut(&member) else {
            return Vec::new();
        };
        membership.seen = generation;
        let is_first = !std::mem::replace(&mut membership.told, true);
        membership.revoking.extend(revoked.iter().cloned());
        for partition in &granted {
            self.owners.insert(partition.clone(), member);
        }
        let mut changes = Vec::new();
        if !revoked.is_empty() {
            changes.push(Assignment::Revoked(revoked));
        }
        if is_first || !granted.is_empty() {
            changes.push(Assignment::Assigned(granted));
        }
        changes
    }

    fn revoked(&self, member: u64) -> Vec<TopicPartition> {
        let told = self.members.get(&member).map(|it| &it.revoking);
        let owned = self.owners.iter().filter(|(_, owner)| **owner == member);
        owned
            .map(|(partition, _)| partition)
            .filter(|partition| self.targets.get(*partition) != Some(&member))
            .filter(|partition| told.is_none_or(|told| !told.contains(*partition)))
            .cloned()
            .collect()
    }

    fn granted(&self, member: u64) -> Vec<TopicPartition> {
        let targets = self.targets.iter().filter(|(_, target)| **target == member);
        targets
            .map(|(partition, _)| partition)
            .filter(|partition| !self.owners.contains_key(*partition))
            .cloned()
            .collect()
    }

    fn wake_all(&self) {
        for member in self.members.values() {
            member.waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(count: i32) -> BTreeSet<TopicPartition> {
        (0..count).map(|it| TopicPartition::new("t", it)).collect()
    }

    /// Answers every change until nothing changes any more; returns how many each one owns.
    fn settle(group: &Group, members: &[u64]) -> Vec<usize> {
        for _ in 0..5 {
            for member in members {
                for change in group.changes(*member) {
                    if let Assignment::Revoked(revoked) = change {
                        group.release(*member, &revoked);
                    }
                }
            }
        }
        let state = group.0.lock();
        let owned = |member: &u64| state.owners.values().filter(|it| *it == member).count();
        members.iter().map(owned).collect()
    }

    #[test]
    fn every_partition_has_one_owner_and_shares_are_even() {
        let group = Group::default();
        let join = || group.join(partitions(7), Arc::default());
        let first = join();
        assert_eq!(settle(&group, &[first]), [7]);
        let members = [first, join(), join()];
        assert_eq!(settle(&group, &members), [3, 2, 2]);
        group.leave(first);
        assert_eq!(settle(&group, &members[1..]), [4, 3]);
    }

    #[test]
    fn a_partition_is_granted_only_after_its_owner_gave_it_up() {
        let group = Group::default();
        let one = group.join(partitions(2), Arc::default());
        group.changes(one);
        let other = group.join(partitions(2), Arc::default());
        assert_eq!(group.changes(other), [Assignment::Assigned(Vec::new())]);
        let revoked = match &group.changes(one)[..] {
            [Assignment::Revoked(revoked)] => revoked.clone(),
            changes => panic!("{changes:?}"),
        };
        assert!(group.changes(other).is_empty() && group.changes(one).is_empty());
        group.release(one, &revoked);
        assert_eq!(group.changes(other), [Assignment::Assigned(revoked)]);
    }

    #[test]
    fn a_membership_is_over_when_the_member_heard_of_the_next_or_left() {
        let group = Group::default();
        let one = group.join(partitions(2), Arc::default());
        group.changes(one);
        let seen = group.seen(one).unwrap();
        let other = group.join(partitions(2), Arc::default());
        assert!(group.check(seen).is_ok(), "until it hears of the other one");
        group.changes(one);
        assert!(matches!(group.check(seen), Err(LogError::Fenced(_))));
        let newer = group.seen(one).unwrap();
        group.leave(one);
        assert!(matches!(group.check(newer), Err(LogError::Fenced(_))));
        group.leave(other);
    }
}
