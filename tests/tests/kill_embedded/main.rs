//! The product on a log of its own, under load and killed at random moments, then audited.
//!
//! `STAGEDOOR_TEST_KILLS` is how often, `STAGEDOOR_TEST_SEED` repeats a run as far as a run with real
//! processes can be repeated.

#[path = "../kill/fans.rs"]
mod fans;
#[path = "../kill/sale.rs"]
mod sale;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stagedoor_audit::{Checker, Report, Sources};
use stagedoor_state::Database;
use stagedoor_tests::random::Random;
use stagedoor_tests::service::{Service, ServiceOptions};
use stagedoor_tests::wait;
use stagedoor_topology::log::embedded::EmbeddedLog;
use stagedoor_topology::log::{InputPosition, Log as _, TopicPartition};

use fans::{Crowd, Fan};
use sale::{MOST_LATE_MS, is_free, not_in_the_log, put_concerts, seed};

const FANS: u64 = 12;

/// Kills of a run that nobody waits for longer than necessary.
const KILLS: usize = 20;

/// How long a process may take to serve.
const START: Duration = Duration::from_secs(40);

#[test]
fn kills_at_random_moments_change_nothing_about_a_sale_on_its_own_log() {
    let seed = seed();
    let kills = std::env::var("STAGEDOOR_TEST_KILLS")
        .ok()
        .and_then(|it| it.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    eprintln!("STAGEDOOR_TEST_SEED={seed} STAGEDOOR_TEST_KILLS={kills}");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = env!("CARGO_BIN_EXE_stagedoor-under-test");
    let options = ServiceOptions::embedded(program, directory.path().join("data"));
    let options = options.expect("a port");
    let first = ready(&options);
    let crowd = Crowd::new(options.address, put_concerts(&options));
    let service = std::thread::scope(|scope| {
        for number in 0..FANS {
            let fan = Fan::new(&crowd, number, seed);
            scope.spawn(move || fan.run());
        }
        let service = kill(&options, first, kills, seed);
        crowd.stop.store(true, Ordering::SeqCst);
        service
    });
    end_in_order(service, &options, &crowd);
    operators_see_it_clean(&options);
    let (stores, log) = options.open().expect("stores and log can be opened");
    let committed = committed(&log, &options);
    let report = audit(&options, &log, &stores, &committed);
    eprintln!("{report}");
    let mut mistakes = std::mem::take(&mut *crowd.mistakes.lock().expect("no fan panicked"));
    mistakes.extend(not_in_the_log(&log, &options, &crowd));
    assert!(mistakes.is_empty(), "mistakes:\n{}", mistakes.join("\n"));
    assert!(
        report.is_clean(&Checker::AT_REST),
        "void: {:?}\n{report}",
        report.void(&Checker::AT_REST)
    );
    let never: Vec<&str> = sometimes(&crowd, &report, kills)
        .into_iter()
        .filter(|(_, seen)| !seen)
        .map(|(name, _)| name)
        .collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

fn ready(options: &ServiceOptions) -> Service {
    let mut service = options.start(&[]).expect("the service starts");
    let is_ready = service.becomes_ready(START);
    let words = options.last_words(40);
    assert!(is_ready, "the service becomes ready:\n{words}");
    service
}

/// Kills one process after the other, most of them while they serve and some while they start.
/// The last one that it starts lives on.
fn kill(options: &ServiceOptions, first: Service, kills: usize, seed: u64) -> Service {
    let mut random = Random::new(seed);
    let mut service = first;
    for number in 0..kills {
        let after = Duration::from_millis(random.below(700));
        wait::until(after, || service.has_ended().is_some());
        let killed = service.kill().expect("it can be killed");
        let words = options.last_words(20);
        assert!(killed, "kill {number}: it had ended by itself:\n{words}");
        service = match number % 4 {
            3 => options.start(&[]).expect("the service starts"),
            _ => ready(options),
        };
    }
    drop(service);
    ready(options)
}

/// Waits until everything has expired, then asks the service to end.
fn end_in_order(mut service: Service, options: &ServiceOptions, crowd: &Crowd) {
    let quiet = wait::until(Duration::from_secs(60), || is_free(options, crowd));
    let words = options.last_words(20);
    assert!(quiet, "everything expires:\n{words}");
    service.terminate().expect("it is there");
    let end = service.ended(Duration::from_secs(30));
    let end = end.expect("it ends in time");
    let words = options.last_words(20);
    assert!(end.success(), "it ends in order: {end}\n{words}");
}

/// `stagedoor audit` over the data directory of the stopped service.
fn operators_see_it_clean(options: &ServiceOptions) {
    let data = options.data.to_str().expect("a path of text");
    let output = options.ask(&["audit", "--data", data]).expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(said.contains("holds") && !said.contains("broken"), "{said}");
}

fn committed(log: &EmbeddedLog, options: &ServiceOptions) -> BTreeMap<i32, InputPosition> {
    let commands = options.naming().topic("concert.commands");
    let member = log.member("audit", std::slice::from_ref(&commands));
    let mut member = member.expect("the topic is there");
    let position = |partition| {
        let place = TopicPartition::new(commands.as_str(), partition);
        let position = member.committed(&place).expect("it is known");
        position.map(|position| (partition, position))
    };
    (0..options.partitions).filter_map(position).collect()
}

fn audit(
    options: &ServiceOptions,
    log: &EmbeddedLog,
    stores: &Database,
    committed: &BTreeMap<i32, InputPosition>,
) -> Report {
    let (naming, secret) = (options.naming(), options.secret());
    let topology = stagedoor_processors::topology().expect("the topology is one");
    let sources = Sources {
        stores: Some(stores),
        committed: Some(committed),
        most_late_ms: Some(MOST_LATE_MS),
        ..Sources::new(log, &topology, &naming, &secret)
    };
    stagedoor_audit::run(&sources).expect("everything can be read")
}

/// What must have happened, or the run proves less than it says.
fn sometimes(crowd: &Crowd, report: &Report, kills: usize) -> Vec<(&'static str, bool)> {
    let seen = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    let acknowledged = crowd.acknowledged.lock().expect("no panic").len();
    vec![
        ("repeats", seen(&crowd.repeated) > 0),
        ("repeats with another body", seen(&crowd.mismatched) > 0),
        ("asked for again", seen(&crowd.retried) > 0),
        ("answers", seen(&crowd.answered) >= 20 * kills),
        ("acknowledged commands", acknowledged >= 2 * kills),
        (
            "commands",
            report.looked_at(Checker::C1, "commands") >= 20 * kills as u64,
        ),
        (
            "expired holds",
            report.looked_at(Checker::S5, "expired holds") > 0,
        ),
    ]
}
