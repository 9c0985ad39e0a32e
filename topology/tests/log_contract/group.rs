//! The group: shares, positions, and memberships that are over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stagedoor_topology::log::{
    Assignment, InputPosition, Log, LogError, Member, TopicPartition, Visit,
};

use super::{LogUnderTest, append, append_all, eventually, record, topic};

/// A member with what it owns.
struct Owner {
    member: Box<dyn Member>,
    owned: BTreeSet<i32>,
    changes: usize,
}

impl Owner {
    fn join(log: &dyn Log, thread: &str, topic: &str) -> Self {
        let member = log.member(thread, &[topic.to_owned()]);
        Self {
            member: member.expect("it joins"),
            owned: BTreeSet::new(),
            changes: 0,
        }
    }

    /// Polls once and answers every change.
    fn poll(&mut self, visit: &mut dyn FnMut(&stagedoor_topology::Record<'_>) -> Visit) {
        let polled = self.member.poll(Duration::from_millis(20), visit);
        for change in polled.expect("it can be polled") {
            self.changes += 1;
            match change {
                Assignment::Assigned(new) => {
                    self.accept(&new);
                    self.owned.extend(new.iter().map(|it| it.partition));
                }
                Assignment::Revoked(gone) | Assignment::Lost(gone) => {
                    for partition in &gone {
                        self.owned.remove(&partition.partition);
                    }
                    self.member.release(&gone).expect("it gives them up");
                }
            }
        }
    }

    /// A log may need more than one try, as it may for everything that it answers with
    /// "unavailable".
    fn accept(&mut self, new: &[TopicPartition]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.member.accept(new) {
            let later = matches!(error, LogError::Unavailable(_)) && Instant::now() < deadline;
            assert!(later, "it takes them: {error}");
        }
    }

    fn settle(&mut self) {
        self.poll(&mut |_| Visit::Taken);
    }

    /// Offsets of partition 0, until there are as many; that one is answered with `last`.
    fn collect(&mut self, under: &dyn LogUnderTest, count: usize, last: Visit) -> Vec<i64> {
        let mut seen = Vec::new();
        eventually(under, "they are delivered", || {
            self.poll(&mut |record| {
                assert_eq!(record.partition, 0, "the other one is held back");
                seen.push(record.offset);
                match seen.len() == count {
                    true => last,
                    false => Visit::Taken,
                }
            });
            seen.len() >= count
        });
        seen
    }

    /// Nothing is delivered, however often it asks.
    fn is_held_back(&mut self) {
        let mut delivered = 0;
        for _ in 0..5 {
            self.poll(&mut |_| {
                delivered += 1;
                Visit::Taken
            });
        }
        assert_eq!(delivered, 0, "everything is held back");
    }
}

/// A member that owns all partitions of a topic.
fn sole_owner(under: &dyn LogUnderTest, log: &dyn Log, topic: &str, partitions: usize) -> Owner {
    let mut owner = Owner::join(log, "0", topic);
    eventually(under, "it owns all", || {
        owner.settle();
        owner.owned.len() == partitions
    });
    owner
}

pub fn committed_positions_keep_their_unit(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "positions", 2);
    let mut owner = sole_owner(&*under, &*log, "positions", 2);
    let partitions = [0, 1].map(|it| TopicPartition::new("positions", it));
    for partition in &partitions {
        assert_eq!(
            owner.member.committed(partition).expect("it is known"),
            None
        );
    }
    let mut session = log.session("positions-1").expect("a session");
    for (next_offset, unit) in [(0, 3), (5, 0), (5, 7)] {
        let position = InputPosition { next_offset, unit };
        session.begin().expect("it begins");
        let generation = owner.member.generation().expect("a membership");
        let moved = [(partitions[1].clone(), position)];
        session
            .add_offsets(&moved, &generation)
            .expect("it is taken");
        session.commit().expect("it is committed");
        let committed = owner.member.committed(&partitions[1]);
        assert_eq!(committed.expect("it is known"), Some(position));
    }
    assert_eq!(
        owner.member.committed(&partitions[0]).expect("it is known"),
        None
    );
}

pub fn a_thrown_away_session_moves_no_position(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "unmoved", 1);
    let mut owner = sole_owner(&*under, &*log, "unmoved", 1);
    let partition = TopicPartition::new("unmoved", 0);
    let mut session = log.session("unmoved-1").expect("a session");
    session.begin().expect("it begins");
    let position = InputPosition {
        next_offset: 9,
        unit: 0,
    };
    let generation = owner.member.generation().expect("a membership");
    let moved = [(partition.clone(), position)];
    session
        .add_offsets(&moved, &generation)
        .expect("it is taken");
    drop(session);
    drop(log.session("unmoved-1").expect("another session"));
    assert_eq!(
        owner.member.committed(&partition).expect("it is known"),
        None
    );
}

pub fn an_outdated_membership_commits_nothing(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "outdated", 4);
    let mut owner = sole_owner(&*under, &*log, "outdated", 4);
    let outdated = owner.member.generation().expect("a membership");
    let mut other = Owner::join(&*under.log(1), "1", "outdated");
    eventually(&*under, "they share", || {
        owner.settle();
        other.settle();
        owner.owned.len() == 2 && other.owned.len() == 2
    });
    let kept = *owner.owned.first().expect("it keeps some");
    let partition = TopicPartition::new("outdated", kept);
    let moved = [(
        partition.clone(),
        InputPosition {
            next_offset: 3,
            unit: 0,
        },
    )];
    let mut session = log.session("outdated-1").expect("a session");
    session.begin().expect("it begins");
    let outcome = session
        .add_offsets(&moved, &outdated)
        .and_then(|()| session.commit());
    assert!(matches!(outcome, Err(LogError::Fenced(_))), "{outcome:?}");
    drop(session);
    let mut session = log.session("outdated-1").expect("another session");
    assert_eq!(
        owner.member.committed(&partition).expect("it is known"),
        None
    );
    session.begin().expect("it begins");
    let generation = owner.member.generation().expect("a membership");
    session
        .add_offsets(&moved, &generation)
        .expect("the present one does");
    session.commit().expect("it is committed");
    let committed = owner.member.committed(&partition).expect("it is known");
    assert_eq!(committed, Some(moved[0].1));
}

pub fn every_partition_has_exactly_one_owner(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "shares", 5);
    let mut owners = vec![Owner::join(&*log, "0", "shares")];
    let everybody: BTreeSet<i32> = (0..5).collect();
    for (round, joins) in [false, true, true, false, false].into_iter().enumerate() {
        if joins {
            owners.push(Owner::join(
                &*under.log(round),
                &round.to_string(),
                "shares",
            ));
        } else if round > 0 {
            owners.remove(0);
        }
        let even = 5 / owners.len()..=5_usize.div_ceil(owners.len());
        eventually(&*under, "the shares are even and whole", || {
            owners.iter_mut().for_each(Owner::settle);
            let owned: Vec<i32> = owners.iter().flat_map(|it| it.owned.clone()).collect();
            let all: BTreeSet<i32> = owned.iter().copied().collect();
            assert_eq!(owned.len(), all.len(), "an owner each: {owned:?}");
            all == everybody && owners.iter().all(|it| even.contains(&it.owned.len()))
        });
    }
    // One that gets nothing is told so.
    let mut more: Vec<Owner> = (0..5)
        .map(|number| {
            Owner::join(
                &*under.log(number + 10),
                &format!("more-{number}"),
                "shares",
            )
        })
        .collect();
    eventually(&*under, "everybody has heard", || {
        owners.iter_mut().chain(&mut more).for_each(Owner::settle);
        more.iter().all(|it| it.changes > 0)
    });
}

pub fn a_member_is_delivered_to_from_where_it_starts(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "start", 2);
    let mut offsets = Vec::new();
    for number in 0..6 {
        offsets.push(append(&*under, &*log, record("start", 0, "k", &number.to_string())).offset);
        append(&*under, &*log, record("start", 1, "k", "held back"));
    }
    let mut owner = sole_owner(&*under, &*log, "start", 2);
    let partition = TopicPartition::new("start", 0);
    let collect = |owner: &mut Owner, count| owner.collect(&*under, count, Visit::Taken);
    owner
        .member
        .start(&partition, offsets[2])
        .expect("it starts");
    assert_eq!(collect(&mut owner, 4), offsets[2..]);
    owner.member.hold(&partition).expect("it is held");
    append(&*under, &*log, record("start", 0, "k", "later"));
    owner.is_held_back();
    owner
        .member
        .start(&partition, offsets[5])
        .expect("it starts again");
    assert_eq!(collect(&mut owner, 2)[0], offsets[5]);
}

pub fn what_is_left_for_later_comes_again(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "later", 1);
    for number in 0..6 {
        append(&*under, &*log, record("later", 0, "k", &number.to_string()));
    }
    let mut owner = sole_owner(&*under, &*log, "later", 1);
    let partition = TopicPartition::new("later", 0);
    owner.member.start(&partition, 0).expect("it starts");
    let mut taken = Vec::new();
    let mut turn = 0;
    eventually(&*under, "all are taken", || {
        owner.poll(&mut |record| {
            turn += 1;
            let text = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            match turn % 3 {
                0 => return Visit::Later,
                1 => taken.push(text),
                _ => {
                    taken.push(text);
                    return Visit::Enough;
                }
            }
            Visit::Taken
        });
        taken.len() >= 6
    });
    assert_eq!(taken, ["0", "1", "2", "3", "4", "5"]);
}

pub fn a_partition_that_starts_at_once_misses_nothing(under: &mut dyn LogUnderTest) {
    const PARTITIONS: i32 = 5;
    let log = under.log(0);
    topic(&*log, "at-once", PARTITIONS);
    let records: Vec<_> = (0..PARTITIONS)
        .map(|partition| record("at-once", partition, "k", "there before"))
        .collect();
    append_all(&*under, &*log, &records);
    let mut owner = Owner::join(&*log, "0", "at-once");
    let (mut seen, mut started) = (BTreeSet::new(), BTreeSet::new());
    eventually(&*under, "all partitions are delivered", || {
        owner.poll(&mut |record| {
            seen.insert(record.partition);
            Visit::Taken
        });
        for partition in &owner.owned {
            let place = TopicPartition::new("at-once", *partition);
            // Too early, it is tried again.
            if !started.contains(partition) && owner.member.start(&place, 0).is_ok() {
                started.insert(*partition);
            }
        }
        seen.len() == records.len()
    });
}

pub fn what_was_taken_ahead_of_a_start_is_gone(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "ahead", 1);
    let records: Vec<_> = (0..6).map(|_| record("ahead", 0, "k", "v")).collect();
    append_all(&*under, &*log, &records);
    let mut owner = sole_owner(&*under, &*log, "ahead", 1);
    let partition = TopicPartition::new("ahead", 0);
    // Of all that is there, as many as this, and no more.
    let take = |owner: &mut Owner, count| owner.collect(&*under, count, Visit::Enough);
    owner.member.start(&partition, 0).expect("it starts");
    let offsets = take(&mut owner, 6);
    owner.member.start(&partition, 0).expect("it starts again");
    assert_eq!(take(&mut owner, 1), offsets[..1]);
    owner
        .member
        .start(&partition, offsets[4])
        .expect("it goes ahead");
    assert_eq!(take(&mut owner, 1), offsets[4..5]);
    owner.member.hold(&partition).expect("it is held");
    owner.is_held_back();
}
