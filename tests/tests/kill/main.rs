//! The whole product under load, killed at every named point and at random moments, then audited.
//!
//! `STAGEDOOR_TEST_SEED` repeats a run as far as a run with real processes can be repeated.

mod direct;
mod fans;
mod kills;
mod sale;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stagedoor_audit::{Checker, Report, Sources};
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_tests::kafka::{Broker, BrokerOptions};
use stagedoor_tests::service::{Service, ServiceOptions};
use stagedoor_tests::topics::{self, Producer};
use stagedoor_tests::wait;

use fans::{Crowd, Fan};
use kills::Outcome;
use sale::{MOST_LATE_MS, is_free, not_in_the_log, put_concerts, seed};

const FANS: u64 = 16;
const PARTITIONS: i32 = 4;

#[test]
fn kills_at_every_point_change_nothing_about_the_sale() {
    let began = Instant::now();
    let seed = seed();
    eprintln!("STAGEDOOR_TEST_SEED={seed}");
    let options = BrokerOptions {
        performance: true,
        ..BrokerOptions::default()
    };
    let broker = Broker::own(&options).expect("Kafka starts");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = env!("CARGO_BIN_EXE_stagedoor-under-test");
    let data = directory.path().join("data");
    let options = ServiceOptions::new(program, broker.bootstrap_servers(), data).expect("a port");
    let first = start(&options);
    let crowd = Crowd::new(options.address, put_concerts(&options));
    let commands = options.naming().topic("concert.commands");
    let producer = Producer::new(&options.log(), commands, PARTITIONS).expect("a producer");
    let (service, mut outcome, direct) = std::thread::scope(|scope| {
        for number in 0..FANS {
            let fan = Fan::new(&crowd, number, seed);
            scope.spawn(move || fan.run());
        }
        let direct = scope.spawn(|| direct::run(&crowd, &producer, seed ^ 0xd1));
        let (service, outcome) = kills::run(&options, first, seed);
        // On a slow machine most of the time went by while nothing served.
        let enough = || crowd.answered.load(Ordering::SeqCst) >= 1_000;
        wait::until(Duration::from_secs(120), enough);
        crowd.stop.store(true, Ordering::SeqCst);
        (
            service,
            outcome,
            direct.join().expect("the direct producer"),
        )
    });
    let [answered, retried] = [&crowd.answered, &crowd.retried].map(|n| n.load(Ordering::SeqCst));
    eprintln!(
        "killed after {:?}: {answered} answered over HTTP, {retried} asked again, direct {direct:?}",
        began.elapsed()
    );
    end_in_order(service, &options, &crowd);
    let mut report = audit(&options);
    report.merge(std::mem::take(&mut outcome.crashes));
    eprintln!("{report}\naudited after {:?}", began.elapsed());
    let mut mistakes = std::mem::take(&mut outcome.mistakes);
    mistakes.append(&mut crowd.mistakes.lock().expect("no fan panicked"));
    mistakes.extend(not_in_the_log(&options.log(), &options, &crowd));
    assert!(
        mistakes.is_empty(),
        "{} mistakes:\n{}",
        mistakes.len(),
        mistakes.join("\n")
    );
    let checkers = [&Checker::AT_REST[..], &[Checker::D3]].concat();
    assert!(
        report.is_clean(&checkers),
        "void: {:?}\n{report}",
        report.void(&checkers)
    );
    assert!(
        report.looked_at(Checker::C1, "commands") >= 5_000,
        "enough commands: {report}"
    );
    let sometimes = sometimes(&options, &crowd, &outcome, direct, &report);
    let never: Vec<&str> = sometimes
        .iter()
        .filter(|(_, seen)| !seen)
        .map(|(name, _)| *name)
        .collect();
    assert!(never.is_empty(), "never happened: {never:?}");
    eprintln!("all of it in {:?}", began.elapsed());
}

fn start(options: &ServiceOptions) -> Service {
    let mut service = options.start(&[]).expect("the service starts");
    let ready = service.becomes_ready(Duration::from_secs(60));
    let words = options.last_words(40);
    assert!(ready, "the service becomes ready:\n{words}");
    service
}

/// Waits until everything is decided and expired, then asks the service to end.
fn end_in_order(mut service: Service, options: &ServiceOptions, crowd: &Crowd) {
    let quiet = wait::until(Duration::from_secs(60), || is_over(options, crowd));
    let words = options.last_words(20);
    assert!(quiet, "everything is decided and expired:\n{words}");
    service.terminate().expect("it is there");
    let limit = Duration::from_secs(30);
    let end = service.ended(limit).expect("it ends in time");
    let words = options.last_words(20);
    assert!(end.success(), "it ends in order: {end}\n{words}");
}

/// What must have happened, or the run proves less than it says.
fn sometimes(
    options: &ServiceOptions,
    crowd: &Crowd,
    outcome: &Outcome,
    direct: (usize, usize),
    report: &Report,
) -> Vec<(&'static str, bool)> {
    let seen = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    vec![
        ("every crash point was hit", outcome.points.len() == 7),
        (
            "each by a death of its own",
            outcome.points.values().all(|deaths| *deaths > 0),
        ),
        ("twenty random kills", outcome.random == 20),
        (
            "a store older than the log after a commit",
            outcome.store_behind > 0,
        ),
        ("repeats", seen(&crowd.repeated) > 0),
        ("repeats with another body", seen(&crowd.mismatched) > 0),
        (
            "answers that had to be asked for again",
            seen(&crowd.retried) > 0,
        ),
        (
            "a thousand answers over HTTP",
            seen(&crowd.answered) >= 1_000,
        ),
        (
            "acknowledged commands",
            !crowd.acknowledged.lock().expect("no panic").is_empty(),
        ),
        ("direct commands", direct.0 > 0),
        ("poison", direct.1 > 0 && dead_letters(options) >= direct.1),
        (
            "expired holds",
            report.looked_at(Checker::S5, "expired holds") > 0,
        ),
    ]
}

/// Everything in the command topic is decided, and no seat is held any more.
fn is_over(options: &ServiceOptions, crowd: &Crowd) -> bool {
    is_free(options, crowd) && is_decided(options)
}

fn is_decided(options: &ServiceOptions) -> bool {
    let commands = options.naming().topic("concert.commands");
    let ends = topics::ends(&options.log(), &commands, PARTITIONS).unwrap_or_default();
    let committed = topics::committed(
        &options.bootstrap_servers,
        &options.application,
        &commands,
        PARTITIONS,
    );
    let Ok(committed) = committed else {
        return false;
    };
    !ends.is_empty()
        && ends.iter().all(|(partition, end)| {
            committed
                .get(partition)
                .is_some_and(|position| position.next_offset == *end)
        })
}

fn audit(options: &ServiceOptions) -> Report {
    let naming = options.naming();
    let commands = naming.topic("concert.commands");
    let committed = topics::committed(
        &options.bootstrap_servers,
        &options.application,
        &commands,
        PARTITIONS,
    );
    let stores = Database::open(options.stores(), &DatabaseOptions::default());
    let topology = stagedoor_processors::topology().expect("the topology is one");
    let (log, secret) = (options.log(), options.secret());
    stagedoor_audit::run(&Sources {
        stores: Some(&stores.expect("the stores can be opened")),
        committed: Some(&committed.expect("the group's offsets")),
        most_late_ms: Some(MOST_LATE_MS),
        ..Sources::new(&log, &topology, &naming, &secret)
    })
    .expect("everything can be read")
}

fn dead_letters(options: &ServiceOptions) -> usize {
    let mut letters = 0;
    let topic = options.naming().dead_letters();
    topics::read(&options.log(), &topic, PARTITIONS, &mut |_| letters += 1)
        .expect("the dead letters can be read");
    letters
}
