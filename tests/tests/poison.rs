//! A record that nobody can process is a dead letter, and the partition goes on.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use stagedoor_processors::concert::records::{CommandResult, HoldSeats};
use stagedoor_tests::app::admin::Admin;
use stagedoor_tests::app::audit::Audit;
use stagedoor_tests::app::commands::{CONCERT, concert, hold};
use stagedoor_tests::app::fragile::{DIES, PANICS};
use stagedoor_tests::app::process::AppProcess;
use stagedoor_tests::app::{App, Owned, Program, Site};
use stagedoor_tests::kafka::Broker;
use stagedoor_tests::wait;
use stagedoor_topology::log::{LogError, TopicPartition};
use stagedoor_topology::{Secret, Tick};

const SOON: Duration = Duration::from_secs(20);

fn broker() -> &'static str {
    Broker::shared().expect("Kafka starts").bootstrap_servers()
}

/// What is sent, in words, and its key and value.
type Sent<'a> = (&'a str, Option<&'a [u8]>, Option<&'a [u8]>);

/// A site whose application runs and has a concert.
fn on_sale() -> (Site, App) {
    let site = Site::new(broker());
    let app = App::start(&site.options).expect("it runs");
    site.send(CONCERT, &concert());
    (site, app)
}

/// The one dead letter of a record; the command after it is answered all the same.
fn only_dead_letter(site: &Site, offset: i64) -> Owned {
    let next = site.send(CONCERT, &hold(usize::try_from(offset).expect("an offset")));
    assert_eq!(
        site.answer(next, SOON).rejection,
        None,
        "the partition goes on"
    );
    let at = offset.to_string();
    let letters = site.dead_letters().into_iter();
    let mut letters: Vec<Owned> = letters
        .filter(|letter| letter.header("__streams.errors.offset").as_ref() == Some(&at))
        .collect();
    assert_eq!(letters.len(), 1, "one dead letter for offset {offset}");
    letters.remove(0)
}

fn framed<R: stagedoor_avro::AvroRecord>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    stagedoor_avro::encode(record, &mut bytes).expect("it can be encoded");
    bytes
}

#[test]
fn every_unreadable_record_is_a_dead_letter_and_the_next_command_is_answered() {
    let (site, app) = on_sale();
    let key = Some(CONCERT.as_bytes());
    let wrong_kind = framed(&CommandResult::default());
    let valid = framed(&hold(400));
    let mut cut = framed(&hold(401));
    cut.truncate(cut.len() - 3);
    let long_key = [b'k'; 65];
    let records: [Sent<'_>; 9] = [
        ("garbage", key, Some(b"\xff\xfe\xfd garbage")),
        (
            "an unknown schema id",
            key,
            Some(&[0, 0, 0, 0xff, 0xff, 1, 2, 3]),
        ),
        ("a record of another kind", key, Some(&wrong_kind)),
        ("half a record", key, Some(&cut)),
        ("an empty value", key, Some(b"")),
        ("a tombstone", key, None),
        ("no key", None, Some(&valid)),
        ("an empty key", Some(b""), Some(&valid)),
        ("a key that is no concert id", Some(&long_key), Some(&valid)),
    ];
    for (what, key, value) in records {
        let offset = site.send_raw(key, value);
        let letter = only_dead_letter(&site, offset);
        let header = |name: &str| letter.header(&format!("__streams.errors.{name}"));
        assert_eq!(
            header("exception").as_deref(),
            Some("undecodable"),
            "{what}"
        );
        assert!(
            header("message").is_some_and(|text| !text.is_empty()),
            "{what}"
        );
        assert_eq!(header("topic"), Some(site.commands()), "{what}");
        assert_eq!(header("partition").as_deref(), Some("0"), "{what}");
        assert_eq!(letter.value.as_deref(), value, "{what}: the bytes are kept");
        assert_eq!(
            letter.key.unwrap_or_default(),
            key.unwrap_or_default(),
            "{what}"
        );
    }
    app.close();
    let audit = Audit::of(&site);
    assert_eq!(audit.violations, Vec::<String>::new());
    assert_eq!(audit.commands, 19);
}

#[test]
fn a_forged_tick_is_a_dead_letter() {
    let (site, app) = on_sale();
    let partition = TopicPartition::new(site.commands(), 0);
    let forged = Tick::signed(&Secret::new(*b"guessed"), &partition, 0);
    let unsigned = Tick {
        observed_lag: 1,
        mac: Vec::new(),
    };
    for tick in [forged, unsigned] {
        let offset = site.send_raw(None, Some(&framed(&tick)));
        let letter = only_dead_letter(&site, offset);
        assert_eq!(
            letter.header("__streams.errors.exception").as_deref(),
            Some("forged_tick")
        );
    }
    let half = site.send_raw(None, Some(&[0, 0, 0, 0, 2]));
    only_dead_letter(&site, half);
    app.close();
}

#[test]
fn the_appender_refuses_two_megabytes_and_says_so() {
    let (site, app) = on_sale();
    let refused = site.append(&site.commands(), Some(b"k"), Some(&vec![7; 2 << 20]));
    let error = refused.expect_err("it is refused");
    assert!(
        matches!(error, LogError::TooLarge { size, .. } if size > 2 << 20),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("over the limit of 1000000 bytes"),
        "{error}"
    );
    app.close();
}

#[test]
fn two_megabytes_in_the_log_are_a_dead_letter_that_keeps_their_start() {
    let (site, app) = large_site();
    let value = vec![7; 2 << 20];
    let offset = send_large(&site, CONCERT.as_bytes(), &value);
    let letter = only_dead_letter(&site, offset);
    let whole = letter.header("__streams.errors.truncated");
    assert_eq!(
        whole,
        Some(value.len().to_string()),
        "it says what is missing"
    );
    assert!(
        letter
            .value
            .is_some_and(|kept| value.starts_with(&kept) && !kept.is_empty())
    );
    app.close();
}

#[test]
fn a_key_of_a_megabyte_is_a_dead_letter() {
    let (site, app) = large_site();
    let offset = send_large(&site, &vec![b'k'; 1_010_000], b"small");
    only_dead_letter(&site, offset);
    let offset = send_large(&site, &vec![b'k'; 500_000], &vec![7; 540_000]);
    only_dead_letter(&site, offset);
    app.close();
}

#[test]
fn a_command_of_a_megabyte_is_answered() {
    let (site, app) = large_site();
    let wish = HoldSeats {
        seats: vec!["A-1-1".to_owned(); 200_000],
        ..hold(0)
    };
    let offset = send_large(&site, CONCERT.as_bytes(), &framed(&wish));
    let rejection = site.answer(offset, SOON).rejection.expect("it is refused");
    assert_eq!(rejection.code, "invalid_request");
    let mut plan = concert();
    plan.command_id = "large".to_owned();
    plan.title = "t".repeat(1_500_000);
    let offset = send_large(&site, b"other", &framed(&plan));
    let rejection = site.answer(offset, SOON).rejection.expect("it is refused");
    assert_eq!(rejection.code, "invalid_request");
    let mut shouted = hold(1);
    shouted.user = "u".repeat(1_500_000);
    let offset = send_large(&site, CONCERT.as_bytes(), &framed(&shouted));
    only_dead_letter(&site, offset);
    app.close();
}

#[test]
fn a_panic_is_rolled_back_answered_and_dead_lettered() {
    let site = Site::of(broker(), Program::Fragile);
    let app = App::start(&site.options).expect("it runs");
    site.send_raw(Some(b"a"), None);
    let fragile = site.send_raw(Some(PANICS.as_bytes()), None);
    site.send_raw(Some(b"a"), None);
    let again = site.send_raw(Some(PANICS.as_bytes()), None);
    site.send_raw(Some(b"a"), None);
    let expected = [
        "a 1",
        "panics failed: panic",
        "a 2",
        "panics failed: panic",
        "a 3",
    ];
    assert!(wait::until(SOON, || answers(&site).len() == expected.len()));
    assert_eq!(answers(&site), expected);
    let letters = site.dead_letters();
    let offsets: Vec<String> = letters
        .iter()
        .filter_map(|letter| letter.header("__streams.errors.offset"))
        .collect();
    assert_eq!(offsets, [fragile.to_string(), again.to_string()]);
    for letter in &letters {
        assert_eq!(
            letter.header("__streams.errors.exception").as_deref(),
            Some("panic")
        );
        let text = letter
            .header("__streams.errors.message")
            .unwrap_or_default();
        assert!(text.contains("this key is fragile"), "{text}");
    }
    app.close();
    assert_eq!(Audit::of(&site).violations, Vec::<String>::new());
    assert_eq!(site.digest().rows, 1, "the panics left no row");
}

#[test]
fn a_record_that_kills_the_process_again_and_again_is_skipped() {
    deadly(0);
}

#[test]
fn a_deadly_record_far_back_in_the_backlog_is_skipped_too() {
    deadly(3_000);
}

/// A record that kills the process, after so many others that are still to be processed.
fn deadly(before: usize) {
    let site = Site::of(broker(), Program::Fragile);
    for _ in 0..before {
        site.append_then(&site.commands(), Some(b"a"), None, |result| {
            result.expect("it is appended");
        });
    }
    let offset = site.send_raw(Some(DIES.as_bytes()), None);
    site.send_raw(Some(b"b"), None);
    let mut deaths = 0;
    let mut process = loop {
        let program = env!("CARGO_BIN_EXE_streams-under-test");
        let mut process = AppProcess::start(program, &site.options, &[]);
        let mut died = false;
        let answered = || {
            died = process.ended(Duration::ZERO).is_some();
            died || answers(&site).last().is_some_and(|answer| answer == "b 1")
        };
        assert!(wait::until(SOON, answered), "it dies or goes on");
        if !died {
            break process;
        }
        deaths += 1;
        assert!(deaths < 10, "it never stops dying");
    };
    let letters = site.dead_letters();
    assert_eq!(letters.len(), 1);
    let header = |name: &str| letters[0].header(&format!("__streams.errors.{name}"));
    assert_eq!(header("exception").as_deref(), Some("crash_loop"));
    assert_eq!(header("offset"), Some(offset.to_string()));
    assert_eq!(letters[0].key.as_deref(), Some(DIES.as_bytes()));
    process.close();
    let audit = Audit::of(&site);
    assert_eq!(audit.violations, Vec::<String>::new());
    assert_eq!(audit.commands, before + 2);
    // The first one is unnoted: before it nothing was suspicious.
    assert_eq!(deaths, 4);
}

fn answers(site: &Site) -> Vec<String> {
    let records = site.read(&site.topic("results")).into_iter();
    records
        .map(|r| String::from_utf8(r.value.unwrap_or_default()).expect("text"))
        .collect()
}

/// A site whose command topic takes records of three megabytes, as its owner may have set it.
fn large_site() -> (Site, App) {
    let site = Site::without_topics(broker(), Program::Concerts);
    let config = [
        ("message.timestamp.type", "LogAppendTime"),
        ("max.message.bytes", "3000000"),
    ];
    Admin::of(&site).create(&site.commands(), 1, &config);
    let app = App::start(&site.options).expect("it runs");
    site.send(CONCERT, &concert());
    (site, app)
}

/// Sends with a client that allows more than ours. Returns the offset.
fn send_large(site: &Site, key: &[u8], value: &[u8]) -> i64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &site.options.bootstrap_servers)
        .set("message.max.bytes", "4000000")
        .create()
        .expect("a producer");
    let commands = site.commands();
    producer
        .send(
            BaseRecord::to(&commands)
                .partition(0)
                .key(key)
                .payload(value),
        )
        .expect("the record is queued");
    producer.flush(SOON).expect("the broker takes it");
    site.watermarks(&commands).1 - 1
}
