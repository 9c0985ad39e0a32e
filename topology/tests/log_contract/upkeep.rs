//! Topics, restarts and compaction.

use std::collections::BTreeMap;

use stagedoor_topology::log::{Assignment, InputPosition, Isolation, Outgoing, TopicPartition};

use super::{LogUnderTest, all, append, append_all, eventually, record, topic, topic_with, values};

pub fn topics_keep_their_ids_and_settings(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    let config = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "123456"),
    ];
    let first = topic_with(&*log, "settings", 3, &config);
    assert_eq!((first.name.as_str(), first.partitions), ("settings", 3));
    for (name, value) in config {
        assert_eq!(first.config.get(name).map(String::as_str), Some(value));
    }
    assert_eq!(topic_with(&*log, "settings", 3, &config).id, first.id);
    let other = topic(&*log, "other-settings", 1);
    assert_ne!(other.id, first.id);
    drop(log);
    under.restart();
    let log = under.log(0);
    assert_eq!(topic_with(&*log, "settings", 3, &config), first);
}

pub fn a_restart_keeps_records_positions_and_topics(under: &mut dyn LogUnderTest) {
    let position = InputPosition {
        next_offset: 2,
        unit: 5,
    };
    let partition = TopicPartition::new("restart", 1);
    for round in 0..3 {
        let log = under.log(0);
        topic(&*log, "restart", 2);
        append(
            &*under,
            &*log,
            record("restart", 1, "k", &format!("append {round}")),
        );
        let mut member = log.member("0", &["restart".to_owned()]).expect("it joins");
        let mut owned = 0;
        eventually(&*under, "it owns both", || {
            let polled = member.poll(std::time::Duration::from_millis(20), &mut |_| {
                stagedoor_topology::log::Visit::Taken
            });
            for change in polled.expect("it can be polled") {
                if let Assignment::Assigned(new) = change {
                    member.accept(&new).expect("it takes them");
                    owned += new.len();
                }
            }
            owned == 2
        });
        let expected = (round > 0).then_some(position);
        assert_eq!(member.committed(&partition).expect("it is known"), expected);
        let mut session = log.session("restart-1").expect("a session");
        session.begin().expect("it begins");
        let value = format!("commit {round}");
        session
            .send(record("restart", 0, "k", &value))
            .expect("it is taken");
        let generation = member.generation().expect("a membership");
        let moved = [(partition.clone(), position)];
        session
            .add_offsets(&moved, &generation)
            .expect("it is taken");
        session.commit().expect("it is committed");
        session.begin().expect("it begins");
        session
            .send(record("restart", 0, "k", "lost"))
            .expect("it is taken");
        drop((session, member, log));
        under.restart();
    }
    let log = under.log(0);
    drop(
        log.session("restart-1")
            .expect("a session that ends what was open"),
    );
    let commits = values(&*under, &*log, "restart", 0);
    assert_eq!(commits, ["commit 0", "commit 1", "commit 2"]);
    let appends = values(&*under, &*log, "restart", 1);
    assert_eq!(appends, ["append 0", "append 1", "append 2"]);
}

pub fn compaction_keeps_the_last_record_of_each_key(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    let config = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "200"),
        ("delete.retention.ms", "100"),
    ];
    topic_with(&*log, "compacted", 1, &config);
    let mut last = BTreeMap::new();
    let mut sent = Vec::new();
    for number in 0..200 {
        sent.push((format!("key-{}", number % 7), format!("value-{number}")));
    }
    let records: Vec<Outgoing<'_>> = sent
        .iter()
        .map(|(key, value)| record("compacted", 0, key, value))
        .collect();
    let landed = append_all(&*under, &*log, &records);
    for ((key, value), landed) in sent.iter().zip(landed) {
        last.insert(key.clone(), (value.clone(), landed.expect("taken").offset));
    }
    let tombstone = Outgoing {
        value: None,
        ..record("compacted", 0, "key-3", "")
    };
    append(&*under, &*log, tombstone);
    last.remove("key-3");
    let mut fillers = 0;
    eventually(&*under, "only the last ones are left", || {
        // The segment that is written to is never compacted: others must follow.
        append(
            &*under,
            &*log,
            record("compacted", 0, &format!("filler-{fillers}"), ""),
        );
        fillers += 1;
        let found = all(&*under, &*log, "compacted", 0, Isolation::ReadCommitted);
        let offsets: Vec<i64> = found.iter().map(|it| it.offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
        let kept: Vec<_> = found
            .iter()
            .filter(|it| it.key.as_ref().is_some_and(|key| key.starts_with(b"key-")))
            .collect();
        for (key, (value, offset)) in &last {
            let newest = kept
                .iter()
                .rfind(|it| it.key.as_deref() == Some(key.as_bytes()));
            let newest = newest.expect("the last record of a key stays");
            assert_eq!((&newest.text(), newest.offset), (value, *offset));
        }
        kept.len() == last.len()
    });
}
