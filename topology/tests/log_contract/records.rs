//! Records outside of transactions: order, bytes, times, ends.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use stagedoor_topology::log::{Haste, Isolation, LogError, Outgoing, Pace};

use super::{
    LogUnderTest, all, append, append_all, ends, eventually, header, read_to_end, record, topic,
    values,
};

/// Key and value of a record.
type Shape<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

pub fn appended_records_come_back_in_order_and_byte_for_byte(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "bytes", 2);
    let bytes: Vec<u8> = (0..=255).collect();
    let headers = [
        header("twice", b"1"),
        header("twice", &bytes),
        header("\u{e4}-name", b""),
    ];
    let shapes: [Shape<'_>; 5] = [
        (Some(b"key"), Some(b"value")),
        (Some(&bytes), Some(&bytes)),
        (Some(b"deleted"), None),
        (Some(b""), Some(b"")),
        (None, Some(b"without a key")),
    ];
    let outgoing = shapes.map(|(key, value)| Outgoing {
        topic: "bytes",
        partition: 1,
        key,
        value,
        headers: &headers,
    });
    let landed = append_all(&*under, &*log, &outgoing);
    let found = all(&*under, &*log, "bytes", 1, Isolation::ReadUncommitted);
    assert_eq!(found.len(), shapes.len());
    for ((found, landed), (key, value)) in found.iter().zip(landed).zip(shapes) {
        let landed = landed.expect("the log takes it");
        assert_eq!((landed.partition, landed.offset), (1, found.offset));
        assert_eq!(found.key.as_deref(), key);
        assert_eq!(found.value.as_deref(), value);
        let pairs: Vec<(&str, &[u8])> = headers.iter().map(|it| (it.name, it.value)).collect();
        let read = found.headers.iter();
        let read: Vec<(&str, &[u8])> = read.map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(read, pairs);
    }
    assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    assert_eq!(values(&*under, &*log, "bytes", 0), Vec::<String>::new());
}

pub fn times_never_go_back_within_a_partition(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "times", 1);
    for number in 0..30 {
        let value = number.to_string();
        append(&*under, &*log, record("times", 0, "k", &value));
    }
    let found = all(&*under, &*log, "times", 0, Isolation::ReadCommitted);
    assert!(found.windows(2).all(|it| it[0].time_ms <= it[1].time_ms));
    assert!(found[0].time_ms > 0);
}

pub fn watermarks_begin_at_the_start_and_end_behind_the_last_record(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "ends", 2);
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        assert_eq!(ends(&*log, "ends", 0, isolation), (0, 0));
    }
    let last = (0..5).map(|_| append(&*under, &*log, record("ends", 0, "k", "v")));
    let last = last.last().expect("five").offset;
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        assert_eq!(ends(&*log, "ends", 0, isolation), (0, last + 1));
        assert_eq!(ends(&*log, "ends", 1, isolation), (0, 0));
    }
}

pub fn an_offset_behind_the_end_is_out_of_range(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "range", 1);
    append(&*under, &*log, record("range", 0, "k", "v"));
    let reader = log.reader(Isolation::ReadCommitted, Pace::CatchUp);
    let mut reader = reader.expect("a reader");
    reader.open("range", &[(0, 1_000)]).expect("it opens");
    let mut seen = 0;
    eventually(&*under, "it is refused", || {
        let polled = reader.poll(Duration::from_millis(50), 10, &mut |_| seen += 1);
        matches!(polled, Err(LogError::OutOfRange(_)))
    });
    assert_eq!(seen, 0, "there is no such record");
}

pub fn a_reader_waits_for_what_comes_and_begins_anywhere(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "follow", 2);
    let offsets: Vec<i64> = (0..10)
        .map(|number| {
            append(
                &*under,
                &*log,
                record("follow", 0, "k", &number.to_string()),
            )
            .offset
        })
        .collect();
    let reader = log.reader(Isolation::ReadCommitted, Pace::Follow);
    let mut reader = reader.expect("a reader");
    let from = [(0, offsets[6]), (1, 0)];
    reader.open("follow", &from).expect("it opens");
    let mut seen = Vec::new();
    let few = reader.poll(Duration::from_secs(10), 1, &mut |record| {
        seen.push(record.offset)
    });
    few.expect("it can be read");
    assert!(seen.len() <= 1, "at most one was asked for");
    append(&*under, &*log, record("follow", 1, "k", "other"));
    let mut rest = Vec::new();
    eventually(&*under, "everything comes", || {
        rest.extend(read_to_end(&*under, &mut *reader));
        seen.len() + rest.len() == 5
    });
    append(&*under, &*log, record("follow", 0, "k", "later"));
    eventually(&*under, "what comes later comes, too", || {
        rest.extend(read_to_end(&*under, &mut *reader));
        rest.iter().any(|it| it.text() == "later")
    });
    reader
        .open("follow", &[(0, offsets[9])])
        .expect("it opens anew");
    let again = read_to_end(&*under, &mut *reader);
    let again: Vec<String> = again.iter().map(super::Read::text).collect();
    assert_eq!(again, ["9", "later"]);
}

pub fn a_record_that_is_too_large_is_refused_alone(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "large", 1);
    let (large, fits) = ("x".repeat(1_000_001), "y".repeat(900_000));
    let records = [
        record("large", 0, "k", "small"),
        record("large", 0, "", &large),
        record("large", 0, "k", &fits),
    ];
    let outcomes = append_all(&*under, &*log, &records);
    let size = 1_000_001;
    assert!(
        matches!(outcomes[1], Err(LogError::TooLarge { size: found, .. }) if found == size),
        "{:?}",
        outcomes[1]
    );
    assert_eq!(values(&*under, &*log, "large", 0), ["small", &fits]);
}

pub fn many_writers_at_once_lose_nothing_and_keep_their_order(under: &mut dyn LogUnderTest) {
    let log = under.log(0);
    topic(&*log, "many", 2);
    let (tell, told) = mpsc::sync_channel(10_000);
    // It stays until all are answered: dropped, it may drop what is on its way.
    let appender = log.appender().expect("an appender");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (appender, tell) = (Arc::clone(&appender), tell.clone());
            scope.spawn(move || {
                for number in 0..200 {
                    let (key, value) = (writer.to_string(), format!("{number:03}"));
                    let tell = tell.clone();
                    let done = move |outcome| tell.send(outcome).expect("the test waits");
                    // In a hurry for a while, patient for a while.
                    let haste = match number / (3 + writer) % 2 {
                        0 => Haste::Prompt,
                        _ => Haste::Patient,
                    };
                    let record = record("many", writer % 2, &key, &value);
                    appender.append(record, haste, Box::new(done));
                }
            });
        }
    });
    let mut taken = 0;
    eventually(&*under, "all are answered", || {
        for outcome in told.try_iter() {
            outcome.expect("the log takes it");
            taken += 1;
        }
        taken == 800
    });
    for writer in 0..4 {
        let found = all(&*under, &*log, "many", writer % 2, Isolation::ReadCommitted);
        let key = writer.to_string().into_bytes();
        let own = found.iter().filter(|it| it.key.as_ref() == Some(&key));
        let own: Vec<String> = own.map(super::Read::text).collect();
        let sent: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
        assert_eq!(own, sent);
    }
}
