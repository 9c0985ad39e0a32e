//! What every log must do, as functions over any of them. `log_contract!` makes tests of them.
//!
//! Only what holds on all logs is asserted: markers may take offsets, so that the next record is
//! behind the last one and not right behind it.

pub mod group;
pub mod records;
pub mod transactions;
pub mod upkeep;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use stagedoor_topology::log::{
    Appended, Haste, Isolation, Log, LogError, Outgoing, Pace, Reader, TopicInfo, TopicPartition,
    TopicSpec,
};
use stagedoor_topology::{Header, Record};

/// A log and what a test may do to it.
pub trait LogUnderTest {
    /// The log as one process of the application has it.
    fn log(&self, process: usize) -> Arc<dyn Log>;

    /// Ends all processes and starts them again on what is kept; logs from before are over.
    fn restart(&mut self);

    /// Lets a moment pass.
    fn pass(&self) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long a log may take for what it does in its own time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test of every function of the contract, with a log that `$open` makes.
#[macro_export]
macro_rules! log_contract {
    ($open:expr) => {
        $crate::log_contract! { $open;
            records: appended_records_come_back_in_order_and_byte_for_byte,
            records: times_never_go_back_within_a_partition,
            records: watermarks_begin_at_the_start_and_end_behind_the_last_record,
            records: an_offset_behind_the_end_is_out_of_range,
            records: a_reader_waits_for_what_comes_and_begins_anywhere,
            records: a_record_that_is_too_large_is_refused_alone,
            records: many_writers_at_once_lose_nothing_and_keep_their_order,
            transactions: nothing_of_a_transaction_is_seen_before_it_is_committed,
            transactions: a_transaction_over_several_partitions_is_whole,
            transactions: a_thrown_away_session_leaves_nothing,
            transactions: a_newer_session_fences_the_older_one,
            transactions: a_record_that_is_too_large_leaves_the_session_usable,
            transactions: tracked_offsets_are_those_that_are_read,
            transactions: transactions_of_many_sessions_do_not_mix,
            group: committed_positions_keep_their_unit,
            group: a_thrown_away_session_moves_no_position,
            group: an_outdated_membership_commits_nothing,
            group: every_partition_has_exactly_one_owner,
            group: a_member_is_delivered_to_from_where_it_starts,
            group: a_partition_that_starts_at_once_misses_nothing,
            group: what_was_taken_ahead_of_a_start_is_gone,
            group: what_is_left_for_later_comes_again,
            upkeep: topics_keep_their_ids_and_settings,
            upkeep: a_restart_keeps_records_positions_and_topics,
            upkeep: compaction_keeps_the_last_record_of_each_key,
        }
    };
    ($open:expr; $($part:ident: $name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                log_contract::$part::$name(&mut $open);
            }
        )+
    };
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub offset: i64,
    pub time_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    fn of(record: &Record<'_>) -> Self {
        let mut headers = Vec::new();
        record
            .headers
            .each(&mut |name, value| headers.push((name.to_owned(), value.to_vec())));
        Self {
            offset: record.offset,
            time_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers,
        }
    }

    /// The value as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// Tries until it is true.
pub fn eventually(under: &dyn LogUnderTest, what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        under.pass();
    }
}

/// Creates a topic.
pub fn topic_with(
    log: &dyn Log,
    name: &str,
    partitions: i32,
    config: &[(&str, &str)],
) -> TopicInfo {
    let config = config
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions,
        counted_by: "partitions",
        config: config.collect(),
        checked: Vec::new(),
    };
    let mut infos = log.ensure_topics(&[spec]).expect("the topic is created");
    assert_eq!(infos.len(), 1);
    infos.remove(0)
}

/// Creates a topic as those of commands are.
pub fn topic(log: &dyn Log, name: &str, partitions: i32) -> TopicInfo {
    let config = [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    topic_with(log, name, partitions, &config)
}

/// A record with key and value.
pub fn record<'a>(topic: &'a str, partition: i32, key: &'a str, value: &'a str) -> Outgoing<'a> {
    Outgoing {
        topic,
        partition,
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &[],
    }
}

/// Appends records, and waits for all of them.
pub fn append_all(
    under: &dyn LogUnderTest,
    log: &dyn Log,
    records: &[Outgoing<'_>],
) -> Vec<Result<Appended, LogError>> {
    let appender = log.appender().expect("an appender");
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let tell = Arc::new(tell);
    for (index, record) in records.iter().enumerate() {
        let tell = Arc::clone(&tell);
        let done = move |outcome| {
            let tell = tell.lock().expect("nobody panicked");
            tell.send((index, outcome)).expect("the test waits");
        };
        appender.append(*record, Haste::Prompt, Box::new(done));
    }
    let mut outcomes = BTreeMap::new();
    eventually(under, "every append is answered", || {
        outcomes.extend(told.try_iter());
        outcomes.len() == records.len()
    });
    outcomes.into_values().collect()
}

/// Appends a record that the log takes.
pub fn append(under: &dyn LogUnderTest, log: &dyn Log, record: Outgoing<'_>) -> Appended {
    let mut outcomes = append_all(under, log, &[record]);
    outcomes.remove(0).expect("the log takes it")
}

/// Polls a reader until it is at the end.
pub fn read_to_end(under: &dyn LogUnderTest, reader: &mut dyn Reader) -> Vec<Read> {
    let mut found = Vec::new();
    eventually(under, "the end is reached", || {
        let visit = &mut |record: &Record<'_>| found.push(Read::of(record));
        let polled = reader.poll(Duration::from_millis(20), 1_000, visit);
        polled.expect("it can be read")
    });
    found
}

/// Everything in a partition that a reader sees.
pub fn all(
    under: &dyn LogUnderTest,
    log: &dyn Log,
    topic: &str,
    partition: i32,
    isolation: Isolation,
) -> Vec<Read> {
    let reader = log.reader(isolation, Pace::CatchUp);
    let mut reader = reader.expect("a reader");
    reader.open(topic, &[(partition, 0)]).expect("it opens");
    read_to_end(under, &mut *reader)
}

/// The committed values of a partition, as text.
pub fn values(under: &dyn LogUnderTest, log: &dyn Log, topic: &str, partition: i32) -> Vec<String> {
    let records = all(under, log, topic, partition, Isolation::ReadCommitted);
    records.iter().map(Read::text).collect()
}

/// First and next offset.
pub fn ends(log: &dyn Log, topic: &str, partition: i32, isolation: Isolation) -> (i64, i64) {
    let reader = log.reader(isolation, Pace::CatchUp);
    let mut reader = reader.expect("a reader");
    let partition = TopicPartition::new(topic, partition);
    reader.watermarks(&partition).expect("they are known")
}

/// Headers by name and value.
pub fn header<'a>(name: &'a str, value: &'a [u8]) -> Header<'a> {
    Header { name, value }
}
