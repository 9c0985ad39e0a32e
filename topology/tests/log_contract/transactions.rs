//! Transactions: all or nothing, and one session per id.

use std::sync::Arc;

use stagedoor_topology::log::{Isolation, LogError};

use super::{LogUnderTest, all, append, ends, eventually, record, topic, values};

pub fn nothing_of_a_transaction_is_seen_before_it_is_committed(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "open", 1);
    append(&*under, &*log, record("open", 0, "k", "before"));
    let mut session = log.session("open-1").expect("a session");
    session.begin().expect("it begins");
    for value in ["one", "two"] {
        session
            .send(record("open", 0, "k", value))
            .expect("it is taken");
    }
    assert_eq!(values(&*under, &*log, "open", 0), ["before"]);
    session.commit().expect("it is committed");
    assert!(session.reusable());
    assert_eq!(values(&*under, &*log, "open", 0), ["before", "one", "two"]);
    append(&*under, &*log, record("open", 0, "k", "after"));
    let found = values(&*under, &*log, "open", 0);
    assert_eq!(found, ["before", "one", "two", "after"]);
}

pub fn a_transaction_over_several_partitions_is_whole(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "whole-a", 2);
    topic(&*log, "whole-b", 1);
    let mut session = log.session("whole-1").expect("a session");
    for round in 0..3 {
        session.begin().expect("it begins");
        for (topic, partition) in [("whole-a", 0), ("whole-b", 0), ("whole-a", 1)] {
            let value = format!("{round}");
            session
                .send(record(topic, partition, "k", &value))
                .expect("it is taken");
        }
        session.commit().expect("it is committed");
        for (topic, partition) in [("whole-a", 0), ("whole-b", 0), ("whole-a", 1)] {
            assert_eq!(values(&*under, &*log, topic, partition).len(), round + 1);
        }
    }
    session.begin().expect("it begins");
    session.commit().expect("nothing can be committed, too");
    let (_, end) = ends(&*log, "whole-b", 0, Isolation::ReadCommitted);
    assert!(end >= 3);
}

pub fn a_thrown_away_session_leaves_nothing(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "thrown", 1);
    let mut session = log.session("thrown-1").expect("a session");
    session.begin().expect("it begins");
    session
        .send(record("thrown", 0, "k", "lost"))
        .expect("it is taken");
    drop(session);
    let mut session = log.session("thrown-1").expect("another session");
    session.begin().expect("it begins");
    session
        .send(record("thrown", 0, "k", "kept"))
        .expect("it is taken");
    session.commit().expect("it is committed");
    assert_eq!(values(&*under, &*log, "thrown", 0), ["kept"]);
    let (_, stable) = ends(&*log, "thrown", 0, Isolation::ReadCommitted);
    let (_, high) = ends(&*log, "thrown", 0, Isolation::ReadUncommitted);
    assert_eq!(stable, high, "nothing is open");
}

pub fn a_newer_session_fences_the_older_one(under: &mut dyn LogUnderTest) {
    let (log, other) = (under.log(0), under.log(1));
    topic(&*log, "fenced", 1);
    let mut older = log.session("fenced-1").expect("a session");
    older.begin().expect("it begins");
    older
        .send(record("fenced", 0, "k", "zombie"))
        .expect("it is taken");
    let mut newer = other.session("fenced-1").expect("a newer session");
    newer.begin().expect("it begins");
    newer
        .send(record("fenced", 0, "k", "owner"))
        .expect("it is taken");
    let outcome = older.commit();
    assert!(matches!(outcome, Err(LogError::Fenced(_))), "{outcome:?}");
    newer.commit().expect("it is committed");
    assert_eq!(values(&*under, &*other, "fenced", 0), ["owner"]);
}

pub fn a_record_that_is_too_large_leaves_the_session_usable(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "oversize", 1);
    let large = "x".repeat(1_000_001);
    let mut session = log.session("oversize-1").expect("a session");
    session.begin().expect("it begins");
    session
        .send(record("oversize", 0, "k", "one"))
        .expect("it is taken");
    let refused = session.send(record("oversize", 0, "", &large));
    let is_too_large = matches!(
        refused,
        Err(LogError::TooLarge {
            limit: 1_000_000,
            ..
        })
    );
    assert!(is_too_large, "{refused:?}");
    session
        .send(record("oversize", 0, "k", "two"))
        .expect("it is taken");
    session.commit().expect("it is committed");
    assert_eq!(values(&*under, &*log, "oversize", 0), ["one", "two"]);
}

pub fn tracked_offsets_are_those_that_are_read(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "tracked", 2);
    let mut session = log.session("tracked-1").expect("a session");
    for round in 0..3 {
        session.begin().expect("it begins");
        for (partition, value) in [(1, "a"), (0, "b"), (1, "c")] {
            session
                .send(record("tracked", partition, "k", "untracked"))
                .expect("it is taken");
            let value = format!("{value}{round}");
            session
                .send_tracked(record("tracked", partition, "k", &value))
                .expect("it is taken");
        }
        let offsets = session.commit().expect("it is committed");
        let committed = Isolation::ReadCommitted;
        let read = [0, 1].map(|it| all(&*under, &*log, "tracked", it, committed));
        let offset_of = |partition: usize, value: &str| {
            let found = read[partition].iter().find(|it| it.text() == value);
            found.expect("it is read").offset
        };
        let expected = [
            offset_of(1, &format!("a{round}")),
            offset_of(0, &format!("b{round}")),
            offset_of(1, &format!("c{round}")),
        ];
        assert_eq!(offsets, expected);
    }
}

pub fn transactions_of_many_sessions_do_not_mix(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "sessions", 1);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let log = Arc::clone(&log);
            scope.spawn(move || {
                let id = format!("sessions-{number}");
                let mut session = log.session(&id).expect("a session");
                for round in 0..20 {
                    session.begin().expect("it begins");
                    for part in 0..3 {
                        let value = format!("{round}.{part}");
                        session
                            .send(record("sessions", 0, &id, &value))
                            .expect("it is taken");
                    }
                    session.commit().expect("it is committed");
                }
            });
        }
    });
    eventually(&*under, "all is stable", || {
        values(&*under, &*log, "sessions", 0).len() == 240
    });
    let found = all(&*under, &*log, "sessions", 0, Isolation::ReadCommitted);
    for number in 0..4 {
        let id = format!("sessions-{number}").into_bytes();
        let own = found.iter().filter(|it| it.key.as_ref() == Some(&id));
        let own: Vec<String> = own.map(super::Read::text).collect();
        let sent = (0..20).flat_map(|round| (0..3).map(move |part| format!("{round}.{part}")));
        assert_eq!(own, sent.collect::<Vec<_>>());
    }
}
