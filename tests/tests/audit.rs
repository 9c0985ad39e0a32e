//! What operators run: `stagedoor audit`, `replay verify` and `replay reset`, over a real Kafka.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stagedoor_processors::concert::stores::RESERVATIONS;
use stagedoor_state::{
    Database, DatabaseOptions, KeyRange, StorageProvider as _, TaskState, TypedRead as _,
};
use stagedoor_tests::http::{Client, Request, Response};
use stagedoor_tests::kafka::Broker;
use stagedoor_tests::service::{Service, ServiceOptions, token};
use stagedoor_tests::topics;
use stagedoor_topology::log::{Haste, Log as _, Outgoing};
use stagedoor_topology::{POSITION_KEY, partition_for};
use tempfile::TempDir;

const PARTITIONS: i32 = 2;
const SOON: Duration = Duration::from_secs(60);

/// A service that has sold seats of one concert in each of its two partitions.
struct Sale {
    options: ServiceOptions,
    /// By partition.
    concerts: BTreeMap<i32, String>,
    directory: TempDir,
}

impl Sale {
    fn begin() -> (Self, Service) {
        let broker = Broker::shared().expect("Kafka starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = env!("CARGO_BIN_EXE_stagedoor-under-test");
        let data = directory.path().join("data");
        let options = ServiceOptions::new(program, broker.bootstrap_servers(), data);
        let options = ServiceOptions {
            partitions: PARTITIONS,
            ..options.expect("a port")
        };
        let service = start(&options);
        let mut concerts = BTreeMap::new();
        for number in 0..20 {
            let name = format!("audit-{number}");
            let partition = partition_for(name.as_bytes(), PARTITIONS);
            concerts.entry(partition).or_insert(name);
        }
        assert_eq!(concerts.len(), 2, "one in each partition");
        let sale = Self {
            options,
            concerts,
            directory,
        };
        for concert in sale.concerts.values() {
            sale.put(concert);
            for number in 0..20 {
                assert_eq!(sale.hold(concert, number).status, 201);
            }
            // The same again gives the same, and another body is refused.
            assert_eq!(sale.hold(concert, 3).status, 201);
        }
        (sale, service)
    }

    fn client(&self) -> Client {
        Client::new(self.options.address)
    }

    fn put(&self, concert: &str) {
        let request = Request {
            token: Some(token("organiser", &["organiser"]).expect("a token")),
            body: Some(body()),
            ..Request::new("PUT", format!("/v1/concerts/{concert}"))
        };
        let answer = self.client().send(&request).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    fn hold(&self, concert: &str, number: usize) -> Response {
        let seat = format!("A-{}-{}", number / 50 + 1, number % 50 + 1);
        let request = Request {
            token: Some(token(&format!("fan-{number}"), &["fan"]).expect("a token")),
            key: Some(format!("hold-{number}")),
            body: Some(json!({ "seats": [seat] }).to_string()),
            ..Request::new("POST", format!("/v1/concerts/{concert}/reservations"))
        };
        self.client().send(&request).expect("an answer")
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.options.ask(arguments).expect("it can be run");
        (output.status.code(), said(&output))
    }

    /// Compares the stores of the stopped service as well.
    fn verify(&self) -> (Option<i32>, String) {
        let data = self.options.data.to_str().expect("a path of text");
        self.run(&["replay", "verify", "--stores", data])
    }

    /// Rebuilds the task of a partition in the running service.
    fn reset(&self, partition: i32, roles: &[&str]) -> (Option<i32>, String) {
        let file = self.directory.path().join("token");
        fs::write(&file, token("operator", roles).expect("a token")).expect("a file");
        let file = file.to_str().expect("a path of text");
        let task = format!("0_{partition}");
        self.run(&["replay", "reset", "--task", &task, "--token-file", file])
    }
}

fn body() -> String {
    json!({
        "title": "Audit", "artist": "Nobody", "venue": "Nowhere", "time_zone": "UTC",
        "starts_at": "2099-01-01T20:00:00Z", "ends_at": "2099-01-01T23:00:00Z",
        "sale_opens_at": "2020-01-01T00:00:00Z", "sale_closes_at": "2098-01-01T00:00:00Z",
        "currency": "EUR", "max_seats_per_user": 4, "hold_seconds": 3_600,
        "sections": [
            {"id": "A", "name": "A", "grade": "A", "price_minor": 1, "rows": 40, "seats_per_row": 50}
        ]
    })
    .to_string()
}

fn start(options: &ServiceOptions) -> Service {
    let mut service = options.start(&[]).expect("the service starts");
    let ready = service.becomes_ready(SOON);
    assert!(ready, "it becomes ready:\n{}", options.last_words(40));
    service
}

fn stop(mut service: Service) {
    service.terminate().expect("it is there");
    let end = service.ended(SOON).expect("it ends in time");
    assert!(end.success(), "{end}");
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn an_audit_beside_a_running_service_is_clean_and_one_of_altered_topics_is_not() {
    let (sale, service) = Sale::begin();
    let output = sale
        .options
        .ask(&["audit", "--output", "json"])
        .expect("it can be run");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let verdicts: BTreeMap<&str, &str> = report["checkers"]
        .as_array()
        .expect("checkers")
        .iter()
        .filter_map(|checker| Some((checker["checker"].as_str()?, checker["verdict"].as_str()?)))
        .collect();
    assert!(
        verdicts.len() == 10 && verdicts.values().all(|verdict| *verdict == "holds"),
        "{verdicts:?}"
    );
    // An answer that no task has written.
    let results = sale.options.naming().topic("results");
    append(&sale, &results, 1, (b"key", b"value"));
    let (code, text) = sale.run(&["audit"]);
    assert_eq!(code, Some(1), "{text}");
    let offset = topics::ends(&sale.options.log(), &results, PARTITIONS).expect("ends")[&1] - 1;
    assert!(
        text.contains(&format!("C4 {results}-1@{offset}: the record has no stamp")),
        "{text}"
    );
    stop(service);
}

#[test]
fn an_altered_row_of_a_live_store_is_named_and_mended_while_another_task_keeps_answering() {
    let (sale, service) = Sale::begin();
    stop(service);
    assert_eq!(sale.verify().0, Some(0), "{}", sale.verify().1);
    let (altered, other) = (1, 0);
    alter_reservation(&sale, altered);
    let (code, text) = sale.verify();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("first different row of the store: reservations"),
        "{text}"
    );
    assert!(text.contains(&sale.concerts[&altered]), "{text}");
    let service = start(&sale.options);
    let refused = sale.reset(altered, &["organiser"]);
    assert_eq!(refused.0, Some(78), "{}", refused.1);
    mend_while_others_answer(&sale, altered, other);
    stop(service);
    let (code, text) = sale.verify();
    assert_eq!(code, Some(0), "{text}");
}

/// Resets one task, and holds seats of the other one all the while.
fn mend_while_others_answer(sale: &Sale, altered: i32, other: i32) {
    let (over, held) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let fan = scope.spawn(|| {
            for number in 100..1_900 {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let answer = sale.hold(&sale.concerts[&other], number);
                assert_eq!(answer.status, 201, "{answer:?}");
                held.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (code, text) = sale.reset(altered, &["admin"]);
        over.store(true, Ordering::SeqCst);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&format!("0_{altered} rebuilt")), "{text}");
        fan.join().expect("every hold is answered");
    });
    assert!(
        held.load(Ordering::SeqCst) > 0,
        "somebody was served meanwhile"
    );
    // It sells again, too.
    assert_eq!(sale.hold(&sale.concerts[&altered], 77).status, 201);
}

#[test]
fn an_altered_row_of_a_changelog_is_named_beside_the_running_service_and_mended() {
    let (sale, service) = Sale::begin();
    let changelog = sale.options.naming().changelog("concert");
    let (mut row, mut position) = (None, None);
    topics::read(&sale.options.log(), &changelog, PARTITIONS, &mut |record| {
        let (key, value) = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        if record.partition == 0 && key == POSITION_KEY {
            position = Some(value.to_vec());
        } else if record.partition == 0 && key.first() == Some(&RESERVATIONS.id()) {
            row = Some((key.to_vec(), value.to_vec()));
        }
    })
    .expect("the changelog can be read");
    let (key, mut value) = row.expect("reservations");
    // Another user's name, of the same length.
    let at = value
        .windows(4)
        .position(|part| part == b"fan-")
        .expect("a user");
    value[at] = b'F';
    append(&sale, &changelog, 0, (&key, &value));
    append(
        &sale,
        &changelog,
        0,
        (POSITION_KEY, &position.expect("a position")),
    );
    let (code, text) = sale.run(&["replay", "verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("first different row of the changelog: reservations"),
        "{text}"
    );
    assert!(text.contains(&sale.concerts[&0]), "{text}");
    let (code, text) = sale.reset(0, &["admin"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = sale.run(&["replay", "verify"]);
    assert_eq!(code, Some(0), "{text}");
    stop(service);
}

#[test]
fn what_cannot_be_audited_says_so_by_its_exit_code_and_names_the_remedy() {
    let (sale, service) = Sale::begin();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["audit", "--partitions", "2"], 64, "has partitions 0 to 1"),
        (&["audit", "--no-such"], 64, "--no-such"),
        (
            &["audit", "--set", "partitions=1"],
            78,
            "has more than 1 partitions; set `partitions`",
        ),
        (
            &["replay", "reset"],
            78,
            "set STAGEDOOR_TOKEN or --token-file",
        ),
        (
            &["audit", "--bootstrap-servers", "127.0.0.1:1"],
            75,
            "cannot read the log",
        ),
    ];
    for (arguments, code, words) in cases {
        let (found, text) = sale.run(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    let (code, text) = sale.reset(9, &["admin"]);
    assert_eq!(code, Some(64), "{text}");
    stop(service);
}

/// Gives a reservation in the store of a stopped service to somebody else.
fn alter_reservation(sale: &Sale, partition: i32) {
    let stores = Database::open(sale.options.stores(), &DatabaseOptions::default());
    let storage = stores.expect("stores").storage(&format!("0_{partition}"));
    let topology = stagedoor_processors::topology().expect("the topology is one");
    let set = std::sync::Arc::clone(&topology.sub_topologies()[0].stores);
    let mut state = TaskState::new(storage.expect("a store"), set).expect("a state");
    let mut found = None;
    state
        .scan(&RESERVATIONS, KeyRange::all(), &mut |key, row| {
            found = Some((key, row));
            std::ops::ControlFlow::Break(())
        })
        .expect("rows");
    let (key, mut row) = found.expect("a reservation");
    row.user = "thief".to_owned();
    state.put(&RESERVATIONS, &key, &row).expect("written");
    state.commit(&[]).expect("committed");
}

fn append(sale: &Sale, topic: &str, partition: i32, (key, value): (&[u8], &[u8])) {
    let appender = sale.options.log().appender().expect("an appender");
    let (told, answer) = std::sync::mpsc::channel();
    let record = Outgoing {
        topic,
        partition,
        key: Some(key),
        value: Some(value),
        headers: &[],
    };
    appender.append(
        record,
        Haste::Prompt,
        Box::new(move |result| drop(told.send(result))),
    );
    let answer = answer
        .recv_timeout(SOON)
        .expect("an answer of the producer");
    answer.expect("the record is appended");
}
