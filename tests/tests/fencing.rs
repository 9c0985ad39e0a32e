//! A task changes hands: from an owner that is frozen, from one that is killed, and from one that hands it over.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use stagedoor_tests::app::audit::{Audit, last_position};
use stagedoor_tests::app::commands::{CONCERT, concert, hold};
use stagedoor_tests::app::process::AppProcess;
use stagedoor_tests::app::{App, Site, digest};
use stagedoor_tests::kafka::Broker;
use stagedoor_tests::proxy::Proxy;

const PROGRAM: &str = env!("CARGO_BIN_EXE_streams-under-test");
const SOON: Duration = Duration::from_secs(30);
const RUNNING: &str = "task 0_0 running";
const GONE: &str = "task 0_0 gone";

/// One broker behind one proxy for all tests of this process.
fn proxied() -> &'static (Broker, Proxy) {
    static PROXIED: OnceLock<(Broker, Proxy)> = OnceLock::new();
    PROXIED.get_or_init(Proxy::before_a_broker)
}

/// Tests that measure times have the machine to themselves, as far as this process goes.
static MACHINE: RwLock<()> = RwLock::new(());

fn site() -> Site {
    Site::new(&format!("127.0.0.1:{}", proxied().1.port()))
}

/// Sends holds one after the other, so that the owner always has some in hand.
struct Load<'a> {
    site: &'a Site,
    sent: AtomicUsize,
    stop: AtomicBool,
}

impl<'a> Load<'a> {
    fn of(site: &'a Site) -> Self {
        Self {
            site,
            sent: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn run(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            self.site
                .send(CONCERT, &hold(self.sent.fetch_add(1, Ordering::SeqCst)));
        }
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// A first instance that serves, and a second one that waits for its turn.
fn pair(site: &Site) -> (AppProcess, AppProcess) {
    let one = AppProcess::start(PROGRAM, &site.options, &[]);
    one.says(RUNNING, 0, SOON).expect("the first serves");
    let two = AppProcess::start(PROGRAM, &site.instance("two"), &[]);
    two.says("REBALANCING", 0, SOON)
        .expect("the second has joined");
    let offset = site.send(CONCERT, &concert());
    assert_eq!(site.answer(offset, SOON).rejection, None);
    (one, two)
}

#[test]
fn a_frozen_owner_is_fenced_when_it_wakes_and_joins_again() {
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let site = site();
    let (mut one, mut two) = pair(&site);
    let load = Load::of(&site);
    thread::scope(|scope| {
        scope.spawn(|| load.run());
        assert!(
            stagedoor_tests::wait::until(SOON, || load.sent() > 30),
            "load runs"
        );
        one.freeze();
        let frozen = Instant::now();
        let served = two.says(RUNNING, 0, SOON).expect("the second takes over");
        println!("taken over from a frozen owner after {:?}", served - frozen);
        let seen = one.said().len();
        one.wake();
        one.says(GONE, seen, SOON).expect("the first finds out");
        load.stop();
    });
    let offset = site.send(CONCERT, &hold(499));
    assert_eq!(
        site.answer(offset, SOON).rejection,
        None,
        "the second serves"
    );
    // The first has joined again: it is there when the second is not.
    let seen = one.said().len();
    two.kill();
    one.says(RUNNING, seen, SOON)
        .expect("the first serves again");
    let offset = site.send(CONCERT, &hold(498));
    assert_eq!(site.answer(offset, SOON).rejection, None);
    one.close();
    let audit = Audit::of(&site);
    assert_eq!(audit.violations, Vec::<String>::new());
    assert!(audit.commands > 30, "{audit:?}");
    let three = site.instance("three");
    App::start(&three).expect("a third restores").close();
    assert_eq!(
        digest(&three),
        site.digest(),
        "the woken owner's store is the restored one"
    );
}

#[test]
fn a_killed_owners_task_is_served_within_the_session_timeout_and_two_seconds() {
    let _turn = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    let site = site();
    let (mut one, mut two) = pair(&site);
    let load = Load::of(&site);
    thread::scope(|scope| {
        scope.spawn(|| load.run());
        assert!(
            stagedoor_tests::wait::until(SOON, || load.sent() > 30),
            "load runs"
        );
        let killed = Instant::now();
        one.kill();
        let served = two.says(RUNNING, 0, SOON).expect("the second takes over");
        load.stop();
        let after = served - killed;
        println!("taken over from a killed owner after {after:?}");
        let bound = site.options.session + Duration::from_secs(2);
        assert!(after <= bound, "{after:?} is over {bound:?}");
    });
    let offset = site.send(CONCERT, &hold(499));
    assert_eq!(
        site.answer(offset, SOON).rejection,
        None,
        "the second serves"
    );
    two.close();
    let audit = Audit::of(&site);
    assert_eq!(audit.violations, Vec::<String>::new());
    assert!(audit.commands > 30, "{audit:?}");
}

#[test]
fn a_task_handed_over_starts_elsewhere_at_once_and_without_fencing() {
    let _turn = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    let site = site();
    let watch = proxied()
        .1
        .watch(&format!("{}-one-0", site.options.application));
    let (mut one, mut two) = pair(&site);
    // The second's joining may have cost the first a producer; an answer shows that it is over.
    let offset = site.send(CONCERT, &hold(498));
    let answer = site.answer(offset, SOON);
    assert_eq!(answer.rejection, None, "both have settled");
    let before = watch.initialised();
    let closing = Instant::now();
    one.close();
    let served = two.says(RUNNING, 0, SOON).expect("the second takes over");
    assert!(before > 0);
    println!("handed over after {:?}", served - closing);
    assert!(
        served - closing < Duration::from_secs(4),
        "{:?}",
        served - closing
    );
    assert_eq!(watch.initialised(), before, "nobody fenced the first");
    two.close();
    let position = last_position(&site, 0).expect("a position");
    assert!(position.handed_over, "{position:?}");
}

#[test]
fn a_killed_owner_is_fenced_by_its_successor() {
    let _turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let site = site();
    let watch = proxied()
        .1
        .watch(&format!("{}-one-0", site.options.application));
    let (mut one, two) = pair(&site);
    let before = watch.initialised();
    one.kill();
    two.says(RUNNING, 0, SOON).expect("the second takes over");
    assert!(
        watch.initialised() > before,
        "its transactional id was taken"
    );
}
