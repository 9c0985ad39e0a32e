//! The kills: once at each named point, and at random moments; between some, the stores are looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stagedoor_audit::{Report, Sources, after_crash};
use stagedoor_state::{Database, DatabaseOptions, StorageProvider as _};
use stagedoor_tests::random::Random;
use stagedoor_tests::service::{Service, ServiceOptions, was_killed};
use stagedoor_tests::{topics, wait};
use stagedoor_topology::snapshot_position;

/// The named points of the commit and of the takeover.
const POINTS: [&str; 7] = [
    "before-produce",
    "after-produce",
    "after-offsets",
    "during-commit",
    "after-commit",
    "during-store-batch",
    "during-restore",
];

/// Kills at moments that nobody chose.
const RANDOM_KILLS: usize = 20;

/// How long a process may take to serve, and to reach its crash point.
const START: Duration = Duration::from_secs(40);

/// How one process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// By itself, the n-th time it passes a point.
    At(&'static str, u64),
    /// From outside, this long after it is ready.
    After(Duration),
    /// From outside, this long after it was started, ready or not.
    AtStart(Duration),
}

/// What happened.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Deaths by SIGKILL at each point.
    pub(crate) points: BTreeMap<&'static str, usize>,
    /// Deaths by SIGKILL from outside.
    pub(crate) random: usize,
    /// After how many of them the store was older than the log.
    pub(crate) store_behind: usize,
    /// The stores after some of the kills.
    pub(crate) crashes: Report,
    /// What went wrong.
    pub(crate) mistakes: Vec<String>,
}

fn plan(random: &mut Random) -> Vec<Kill> {
    let mut kills: Vec<Kill> = POINTS
        .iter()
        .map(|point| match *point {
            "during-restore" => Kill::At(point, 3),
            _ => Kill::At(point, random.below(30) + 3),
        })
        .collect();
    for number in 0..RANDOM_KILLS {
        let after = Duration::from_millis(random.below(900));
        kills.push(if number % 4 == 0 {
            Kill::AtStart(after)
        } else {
            Kill::After(after)
        });
    }
    random.shuffle(&mut kills);
    kills
}

/// Starts and kills processes one after the other. The last one that it starts lives on.
pub(crate) fn run(options: &ServiceOptions, first: Service, seed: u64) -> (Service, Outcome) {
    let mut random = Random::new(seed);
    let mut outcome = Outcome::default();
    let mut running = Some(first);
    for (number, kill) in plan(&mut random).into_iter().enumerate() {
        let started = Instant::now();
        drop(running.take());
        if kill == Kill::At("during-restore", 3) {
            // With something to restore.
            drop(std::fs::remove_dir_all(options.stores()));
        }
        let environment = match kill {
            Kill::At(point, n) => vec![("STAGEDOOR_CRASH_AT", format!("{point}:{n}"))],
            Kill::After(_) | Kill::AtStart(_) => Vec::new(),
        };
        let mut service = options.start(&environment).expect("the service starts");
        outcome.note(kill, &mut service);
        let died = started.elapsed();
        drop(service);
        if matches!(kill, Kill::At(..)) || number % 4 == 0 {
            outcome.look(options, kill);
        }
        let looked = (started.elapsed() - died).as_millis();
        eprintln!(
            "{number:2} {kill:?}: dead after {} ms, looked at for {looked} ms",
            died.as_millis()
        );
    }
    let mut service = options.start(&[]).expect("the service starts");
    if !service.becomes_ready(START) {
        outcome
            .mistakes
            .push("the service does not come back after the last kill".to_owned());
    }
    (service, outcome)
}

impl Outcome {
    /// Lets a process run into its end.
    fn note(&mut self, kill: Kill, service: &mut Service) {
        match kill {
            Kill::At(point, _) => {
                let killed = service.ended(START).is_some_and(was_killed);
                *self.points.entry(point).or_default() += usize::from(killed);
                if !killed {
                    self.mistakes.push(format!("{kill:?} was not reached"));
                }
            }
            Kill::After(after) => {
                if !service.becomes_ready(START) {
                    self.mistakes
                        .push(format!("{kill:?}: the service did not become ready"));
                }
                wait::until(after, || service.has_ended().is_some());
                self.random += usize::from(service.kill().unwrap_or(false));
            }
            Kill::AtStart(after) => {
                wait::until(after, || service.has_ended().is_some());
                self.random += usize::from(service.kill().unwrap_or(false));
            }
        }
    }

    /// Opens the stores while nobody has them.
    fn look(&mut self, options: &ServiceOptions, kill: Kill) {
        let log = options.log();
        let naming = options.naming();
        let commands = naming.topic("concert.commands");
        let topology = stagedoor_processors::topology().expect("the topology is one");
        let stores = Database::open(options.stores(), &DatabaseOptions::default())
            .expect("the stores can be opened after a kill");
        // Asking for the offsets waits until an open transaction is over. Restarts must not wait.
        let committed = match kill_is_after_commit(kill) {
            true => topics::committed(
                &options.bootstrap_servers,
                &options.application,
                &commands,
                options.partitions,
            )
            .expect("the group's offsets"),
            false => BTreeMap::new(),
        };
        let behind = stores.tasks().iter().any(|task| {
            let partition = task
                .rsplit_once('_')
                .and_then(|(_, number)| number.parse().ok());
            let stored = stores.storage(task).and_then(|storage| {
                storage
                    .reader()
                    .read(|snapshot| Ok(snapshot_position(snapshot).ok().flatten()))
            });
            let logged = partition
                .and_then(|partition: i32| committed.get(&partition))
                .copied();
            matches!((stored, logged), (Ok(Some(stored)), Some(logged)) if stored < logged)
        });
        self.store_behind += usize::from(behind);
        let secret = options.secret();
        let sources = Sources {
            stores: Some(&stores),
            ..Sources::new(&log, &topology, &naming, &secret)
        };
        match after_crash(&sources) {
            Ok(report) => {
                let found = report
                    .violations
                    .iter()
                    .map(|found| format!("{kill:?}: {found}"));
                self.mistakes.extend(found);
                self.crashes.merge(report);
            }
            Err(error) => self.mistakes.push(format!("{kill:?}: {error}")),
        }
    }
}

fn kill_is_after_commit(kill: Kill) -> bool {
    matches!(kill, Kill::At("after-commit", _))
}
