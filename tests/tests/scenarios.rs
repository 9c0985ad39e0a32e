//! Fault scenarios that play on a simulated log and on a real broker, and must be seen alike.
//!
//! The simulation proves as much as its brokers behave like real ones. Each scenario here is one
//! list of calls over the `Log` trait; what is seen is written down as text and compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stagedoor_tests::kafka::{Broker, Nodes, unique};
use stagedoor_tests::proxy::{Mischief, Proxy, Watch};
use stagedoor_tests::wait;
use stagedoor_topology::VirtualClock;
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::simulated::{
    Armed, Call, ClusterConfig, Fault, SimulatedCluster, SimulatedLog,
};
use stagedoor_topology::log::{
    Haste, Isolation, Log, LogError, Outgoing, Pace, Session, TopicPartition, TopicSpec,
};

const SOON: Duration = Duration::from_secs(20);

/// One kind of brokers, with one topic of one partition.
struct World {
    log: Arc<dyn Log>,
    topic: String,
    brokers: Brokers,
}

enum Brokers {
    Simulated(SimulatedCluster, Arc<SimulatedLog>),
    Real(Broker, Proxy),
}

impl World {
    fn simulated() -> Self {
        let clock = Arc::new(VirtualClock::new(0));
        let cluster = SimulatedCluster::new(clock, ClusterConfig::default());
        let log = cluster.client("process");
        let brokers = Brokers::Simulated(cluster, Arc::clone(&log));
        Self::with_topic(log, brokers)
    }

    fn real() -> Self {
        let (broker, proxy) = Proxy::before_a_broker();
        let through = format!("127.0.0.1:{}", proxy.port());
        let log = Arc::new(KafkaLog::new(KafkaConfig::new(through, unique("scenario"))));
        Self::with_topic(log, Brokers::Real(broker, proxy))
    }

    fn with_topic(log: Arc<dyn Log>, brokers: Brokers) -> Self {
        let topic = unique("scenario");
        let spec = TopicSpec {
            name: topic.clone(),
            partitions: 1,
            counted_by: "partitions",
            config: BTreeMap::new(),
            checked: Vec::new(),
        };
        log.ensure_topics(&[spec]).expect("a topic");
        Self {
            log,
            topic,
            brokers,
        }
    }

    fn session(&self, id: &str) -> Box<dyn Session> {
        self.log.session(id).expect("a session")
    }

    fn record<'a>(&'a self, value: &'a str) -> Outgoing<'a> {
        Outgoing {
            topic: &self.topic,
            partition: 0,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: &[],
        }
    }

    /// What a reader has seen when it is at its end.
    fn seen(&self, isolation: Isolation) -> String {
        let mut reader = self.log.reader(isolation, Pace::CatchUp).expect("a reader");
        reader.open(&self.topic, &[(0, 0)]).expect("opened");
        let mut values = Vec::new();
        wait::until(SOON, || {
            let polled = reader.poll(Duration::from_millis(50), 100, &mut |record| {
                let value = record.value.unwrap_or_default();
                values.push(String::from_utf8_lossy(value).into_owned());
            });
            polled.expect("polled")
        });
        format!("{isolation:?} [{}]", values.join(" "))
    }

    fn both(&self) -> [String; 2] {
        [Isolation::ReadCommitted, Isolation::ReadUncommitted].map(|isolation| self.seen(isolation))
    }

    fn watermarks(&self) -> String {
        let partition = TopicPartition::new(self.topic.as_str(), 0);
        let ends = [Isolation::ReadCommitted, Isolation::ReadUncommitted].map(|isolation| {
            let mut reader = self.log.reader(isolation, Pace::CatchUp).expect("a reader");
            reader.watermarks(&partition).expect("watermarks").1
        });
        format!("stable {} high {}", ends[0], ends[1])
    }

    fn append(&self, value: &str) {
        let appender = self.log.appender().expect("an appender");
        let (sender, done) = std::sync::mpsc::channel();
        let told = move |result: Result<_, LogError>| {
            let _ = sender.send(result.map(|_| ()));
        };
        appender.append(self.record(value), Haste::Prompt, Box::new(told));
        let outcome = done.recv_timeout(SOON).expect("an answer in time");
        outcome.expect("appended");
    }

    /// The next end of that id is doubled on its way: one copy is taken, one is kept.
    fn double_next_end(&self, id: &str) -> Option<Watch> {
        match &self.brokers {
            Brokers::Simulated(_, log) => {
                log.arm(Armed {
                    call: Some(Call::Commit),
                    skip: 0,
                    fault: Fault::Doubled,
                });
                None
            }
            Brokers::Real(_, proxy) => {
                let watch = proxy.watch(id);
                watch.plan(Mischief::Cut);
                Some(watch)
            }
        }
    }

    /// The kept copy arrives. Returns whether the brokers took it.
    fn deliver(&self, watch: Option<&Watch>) -> bool {
        match (&self.brokers, watch) {
            (Brokers::Simulated(cluster, _), _) => cluster.deliver_late() == 1,
            (Brokers::Real(..), Some(watch)) => watch.deliver().expect("an answer") == 0,
            (Brokers::Real(..), None) => false,
        }
    }

    /// Loses the last record of the partition, as an election of a leader without it does.
    fn truncate(&self, last: i64) {
        match &self.brokers {
            Brokers::Simulated(cluster, _) => cluster.truncate(&self.topic, 0, last),
            Brokers::Real(broker, _) => {
                broker.kill(Nodes::All).expect("killed");
                let segment = segment(broker.directory(), &self.topic).expect("a segment");
                let file = fs::OpenOptions::new().write(true).open(&segment);
                let file = file.expect("the segment");
                let length = file.metadata().expect("its length").len();
                // A batch that is cut is dropped whole when the broker recovers the log.
                file.set_len(length - 5).expect("cut");
                broker.start().expect("started again");
            }
        }
    }

    /// How reading from an offset goes.
    fn read_from(&self, offset: i64) -> String {
        let isolation = Isolation::ReadUncommitted;
        let mut reader = self.log.reader(isolation, Pace::CatchUp).expect("a reader");
        reader.open(&self.topic, &[(0, offset)]).expect("opened");
        let mut answer = String::new();
        wait::until(SOON, || {
            let polled = reader.poll(Duration::from_millis(50), 100, &mut |_| {});
            answer = match polled {
                Ok(true) => "at its end".to_owned(),
                Err(LogError::OutOfRange(_)) => "out of range".to_owned(),
                Ok(false) | Err(_) => return false,
            };
            true
        });
        answer
    }
}

/// The log file of the topic's only partition.
fn segment(directory: &Path, topic: &str) -> Option<PathBuf> {
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a directory");
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.ends_with(format!("{topic}-0")) {
                return Some(path.join("00000000000000000000.log"));
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    None
}

fn name(error: &LogError) -> &'static str {
    match error {
        LogError::Fenced(_) => "fenced",
        LogError::InDoubt(_) => "in doubt",
        LogError::Unavailable(_) => "unavailable",
        LogError::Full => "full",
        LogError::TooLarge { .. } => "too large",
        LogError::OutOfRange(_) => "out of range",
        LogError::Refused(_) => "refused",
    }
}

fn committed(outcome: &Result<Vec<i64>, LogError>) -> &'static str {
    outcome.as_ref().map_or_else(name, |_| "committed")
}

/// A frozen owner wakes up after somebody with its id has taken over.
fn zombie_commit(world: &World) -> Vec<String> {
    let mut zombie = world.session("owner");
    zombie.begin().expect("begun");
    zombie.send(world.record("zombie")).expect("sent");
    wait::until(SOON, || world.watermarks() == "stable 0 high 1");
    let mut seen = vec![world.watermarks()];
    let mut next = world.session("owner");
    next.begin().expect("begun");
    next.send(world.record("next")).expect("sent");
    seen.push(committed(&next.commit()).to_owned());
    seen.push(committed(&zombie.commit()).to_owned());
    wait::until(SOON, || world.watermarks() == "stable 4 high 4");
    seen.push(world.watermarks());
    seen.extend(world.both());
    seen
}

/// Readers of committed records wait behind an open transaction until it is aborted.
fn abort_under_waiting_readers(world: &World) -> Vec<String> {
    world.append("before");
    let mut open = world.session("open");
    open.begin().expect("begun");
    open.send(world.record("never")).expect("sent");
    wait::until(SOON, || world.watermarks() == "stable 1 high 2");
    world.append("behind");
    let mut seen = vec![world.watermarks()];
    seen.extend(world.both());
    drop(world.session("open"));
    wait::until(SOON, || world.watermarks() == "stable 4 high 4");
    seen.push(world.watermarks());
    seen.extend(world.both());
    seen
}

/// The end of a transaction comes twice, the second time inside of the next transaction: of the
/// same producer, which the guard forbids, and of one that was initialised in between.
fn late_end(world: &World) -> Vec<String> {
    let mut seen = Vec::new();
    for (id, guarded) in [("unguarded", false), ("guarded", true)] {
        let watch = world.double_next_end(id);
        let mut session = world.session(id);
        session.begin().expect("begun");
        session.send(world.record("first")).expect("sent");
        seen.push(committed(&session.commit()).to_owned());
        seen.push(format!("reusable {}", session.reusable()));
        if guarded {
            session = world.session(id);
        } else {
            // Its two producers take turns: the late end meets the transaction after the next.
            session.begin().expect("begun");
            session.send(world.record("between")).expect("sent");
            session.commit().expect("committed");
        }
        let half = format!("half-{id}");
        session.begin().expect("begun");
        session.send(world.record(&half)).expect("sent");
        wait::until(SOON, || {
            let everything = world.seen(Isolation::ReadUncommitted);
            everything.contains(&half)
        });
        seen.push(format!("taken {}", world.deliver(watch.as_ref())));
        let visible = || world.seen(Isolation::ReadCommitted).contains(&half);
        let limit = if guarded {
            Duration::from_millis(500)
        } else {
            SOON
        };
        seen.push(format!("half visible {}", wait::until(limit, visible)));
        drop(session);
        drop(world.session(id));
    }
    seen
}

/// A partition loses its last record while nobody looks.
fn truncated_log(world: &World) -> Vec<String> {
    for value in ["one", "two", "three"] {
        world.append(value);
    }
    let mut seen = vec![world.watermarks(), world.read_from(3)];
    world.truncate(2);
    wait::until(SOON, || world.watermarks() == "stable 2 high 2");
    seen.push(world.watermarks());
    seen.extend([world.read_from(2), world.read_from(3)]);
    seen.extend(world.both());
    seen
}

/// Plays a scenario on both and compares what was seen with each other, and with `expected`, so
/// that a scenario that sees nothing cannot pass.
fn alike(scenario: impl Fn(&World) -> Vec<String>, expected: &[&str]) {
    let simulated = scenario(&World::simulated());
    assert_eq!(simulated, expected, "on the simulated log");
    assert_eq!(scenario(&World::real()), simulated, "on a real broker");
}

#[test]
fn a_zombies_commit_is_fenced_on_both() {
    let expected = [
        "stable 0 high 1",
        "committed",
        "fenced",
        "stable 4 high 4",
        "ReadCommitted [next]",
        "ReadUncommitted [zombie next]",
    ];
    alike(zombie_commit, &expected);
}

#[test]
fn readers_wait_behind_an_open_transaction_and_never_see_an_aborted_record_on_both() {
    let expected = [
        "stable 1 high 3",
        "ReadCommitted [before]",
        "ReadUncommitted [before never behind]",
        "stable 4 high 4",
        "ReadCommitted [before behind]",
        "ReadUncommitted [before never behind]",
    ];
    alike(abort_under_waiting_readers, &expected);
}

#[test]
fn a_late_end_commits_half_a_transaction_of_the_same_producer_and_bounces_off_a_new_one_on_both() {
    let expected = [
        "committed",
        "reusable false",
        "taken true",
        "half visible true",
        "committed",
        "reusable false",
        "taken false",
        "half visible false",
    ];
    alike(late_end, &expected);
}

#[test]
fn a_truncated_log_ends_earlier_and_is_out_of_range_beyond_on_both() {
    let expected = [
        "stable 3 high 3",
        "at its end",
        "stable 2 high 2",
        "at its end",
        "out of range",
        "ReadCommitted [one two]",
        "ReadUncommitted [one two]",
    ];
    alike(truncated_log, &expected);
}
