//! The broker is not there: at the start, silent in the middle, or dead and back again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_tests::app::audit::Audit;
use stagedoor_tests::app::commands::{CONCERT, concert, hold};
use stagedoor_tests::app::{App, Program, Site};
use stagedoor_tests::kafka::{Broker, BrokerOptions, Nodes};
use stagedoor_tests::wait;
use stagedoor_topology::StreamsState;

const SOON: Duration = Duration::from_secs(30);

/// How long the broker is away.
const AWAY: Duration = Duration::from_secs(10);

/// Holds that are taken before the outage.
const BEFORE: usize = 100;

fn broker() -> Broker {
    Broker::own(&BrokerOptions::default()).expect("Kafka starts")
}

#[test]
fn an_application_waits_for_a_broker_that_is_down_at_its_start() {
    let broker = broker();
    broker.kill(Nodes::All).expect("it can be killed");
    let site = Site::without_topics(broker.bootstrap_servers(), Program::Concerts);
    let app = App::launch(&site.options).expect("it starts all the same");
    let changed = || app.streams().state() != StreamsState::Created;
    assert!(!wait::until(Duration::from_secs(3), changed), "it waits");
    broker.start().expect("the broker comes");
    app.becomes(StreamsState::Running, SOON)
        .expect("it serves by itself");
    let offset = site.send(CONCERT, &concert());
    assert_eq!(site.answer(offset, SOON).rejection, None);
    app.close();
}

#[test]
fn a_broker_that_falls_silent_under_load_costs_nothing_but_time() {
    let broker = broker();
    outage(
        &broker,
        || broker.pause(Nodes::All).expect("it falls silent"),
        || broker.resume(Nodes::All).expect("it speaks again"),
    );
}

#[test]
fn a_broker_that_dies_under_load_costs_nothing_but_time() {
    let broker = broker();
    outage(
        &broker,
        || broker.kill(Nodes::All).expect("it dies"),
        || broker.start().expect("it is back"),
    );
}

/// Sends holds before, during and after an outage: each that the log took is answered once.
fn outage(broker: &Broker, begin: impl FnOnce(), end: impl FnOnce()) {
    let site = Site::new(broker.bootstrap_servers());
    let app = App::start(&site.options).expect("it runs");
    site.send(CONCERT, &concert());
    let taken = Taken::default();
    send(&site, 0..BEFORE, &taken);
    assert!(
        wait::until(SOON, || lock(&taken).len() == BEFORE),
        "load runs"
    );
    // Some of these are on their way when it begins.
    send(&site, BEFORE..150, &taken);
    begin();
    send(&site, 150..200, &taken);
    let failed = || app.streams().state() == StreamsState::Error;
    assert!(!wait::until(AWAY, failed), "no failure");
    end();
    send(&site, 200..300, &taken);
    let all_after = || (200..300).all(|number| lock(&taken).contains_key(&number));
    assert!(wait::until(SOON, all_after), "commands are taken again");
    let all_answered = || site.results().len() >= commands(&site);
    assert!(wait::until(SOON, all_answered), "all are answered");
    assert_eq!(app.streams().state(), StreamsState::Running);
    app.close();
    let results = site.results();
    for (number, offset) in lock(&taken).iter() {
        let result = results.get(offset).expect("what was taken is answered");
        assert_eq!(result.command_id, format!("hold-{number}"));
        assert_eq!(result.rejection, None, "hold {number}");
    }
    let audit = Audit::of(&site);
    assert_eq!(audit.violations, Vec::<String>::new());
    // The concert and the holds that were certainly taken, before and after.
    assert!(audit.commands > BEFORE + 100, "{audit:?}");
}

/// Offsets of the holds that the log has taken, by their numbers.
type Taken = Arc<Mutex<BTreeMap<usize, i64>>>;

fn lock(taken: &Taken) -> MutexGuard<'_, BTreeMap<usize, i64>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends holds without waiting; those that the log takes are noted.
fn send(site: &Site, numbers: Range<usize>, taken: &Taken) {
    let commands = site.commands();
    for number in numbers {
        let taken = Arc::clone(taken);
        let mut value = Vec::new();
        stagedoor_avro::encode(&hold(number), &mut value).expect("it can be encoded");
        site.append_then(
            &commands,
            Some(CONCERT.as_bytes()),
            Some(&value),
            move |result| {
                if let Ok(landed) = result {
                    lock(&taken).insert(number, landed.offset);
                }
            },
        );
    }
}

/// Commands in the log so far.
fn commands(site: &Site) -> usize {
    site.read(&site.commands())
        .iter()
        .filter(|record| record.key.is_some())
        .count()
}
