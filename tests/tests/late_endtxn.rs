//! The end of a transaction that arrives late, inside of a later one, does nothing.
//!
//! librdkafka sends EndTxn again after a transport error and reports success; the first copy may
//! still be on its way (KAFKA-17754). Each test runs an application behind a proxy that keeps that
//! first copy and delivers it when a later transaction of the same producer has written its answers
//! but not yet its input offsets.

use std::cell::Cell;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use stagedoor_tests::app::audit::{Audit, committed};
use stagedoor_tests::app::commands::{CONCERT, concert, hold};
use stagedoor_tests::app::{App, Site};
use stagedoor_tests::kafka::Broker;
use stagedoor_tests::proxy::{Mischief, Proxy, Watch};
use stagedoor_tests::wait;

const SOON: Duration = Duration::from_secs(20);

/// What the tests say where half a transaction is committed.
const TORN: &str = "a late end has committed the half of a transaction";

/// One broker behind one proxy for all tests of this process.
fn proxied() -> &'static (Broker, Proxy) {
    static PROXIED: OnceLock<(Broker, Proxy)> = OnceLock::new();
    PROXIED.get_or_init(Proxy::before_a_broker)
}

#[test]
fn an_end_held_until_the_client_has_given_up_does_nothing() {
    let run = Run::begin();
    let before = run.watch.initialised();
    let retried = run.lose_an_end(Mischief::Silence);
    assert!(
        retried >= Duration::from_millis(500),
        "the client waited: {retried:?}"
    );
    run.late_end_arrives();
    assert!(
        run.watch.initialised() > before,
        "the producer was replaced"
    );
    run.ends_well();
}

#[test]
fn an_end_cut_off_from_a_client_that_retries_at_once_does_nothing() {
    let run = Run::begin();
    let before = run.watch.initialised();
    let retried = run.lose_an_end(Mischief::Cut);
    // So short that its duration tells nothing: only a line of the client's log does.
    assert!(
        retried < Duration::from_millis(250),
        "the client retries at once: {retried:?}"
    );
    run.late_end_arrives();
    assert!(
        run.watch.initialised() > before,
        "the producer was replaced"
    );
    run.ends_well();
}

#[test]
fn an_end_whose_answer_was_cut_off_counts_once() {
    let run = Run::begin();
    run.lose_an_end(Mischief::CutAfterwards);
    run.late_end_arrives();
    run.ends_well();
}

#[test]
fn without_the_guard_each_of_these_tests_fails() {
    for test in [
        "an_end_held_until_the_client_has_given_up_does_nothing",
        "an_end_cut_off_from_a_client_that_retries_at_once_does_nothing",
        "an_end_whose_answer_was_cut_off_counts_once",
    ] {
        let output = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", test, "--nocapture"])
            .env("STAGEDOOR_SWITCH_OFF", "late-endtxn-guard")
            .output()
            .expect("this program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(TORN),
            "{test} has teeth:\n{said}"
        );
    }
}

/// An application behind the proxy, with a concert and one hold in it.
struct Run {
    site: Site,
    app: App,
    watch: Watch,
    /// Holds sent so far.
    holds: Cell<usize>,
}

impl Run {
    fn begin() -> Self {
        let (_, proxy) = proxied();
        let mut site = Site::new(&format!("127.0.0.1:{}", proxy.port()));
        // How long an answer may take before it is asked for again.
        site.options
            .raw
            .insert("socket.timeout.ms".to_owned(), "1000".to_owned());
        let transactional_id = format!("{}-{}-0", site.options.application, site.options.instance);
        let watch = proxy.watch(&transactional_id);
        let app = App::start(&site.options).expect("it runs");
        let run = Self {
            site,
            app,
            watch,
            holds: Cell::new(0),
        };
        run.site.send(CONCERT, &concert());
        let offset = run.hold();
        assert_eq!(run.site.answer(offset, SOON).rejection, None);
        run
    }

    /// Sends a hold of a seat of its own. Returns its offset.
    fn hold(&self) -> i64 {
        let number = self.holds.get();
        self.holds.set(number + 1);
        self.site.send(CONCERT, &hold(number))
    }

    /// Commits a hold whose end runs into `mischief`. Returns after how long it was sent again.
    fn lose_an_end(&self, mischief: Mischief) -> Duration {
        self.watch.plan(mischief);
        let offset = self.hold();
        let retried = self.watch.retried(SOON).expect("the end is sent again");
        assert_eq!(
            self.site.answer(offset, SOON).rejection,
            None,
            "the commit is in"
        );
        retried
    }

    /// The first copy arrives while a transaction has answers but no input offsets yet.
    fn late_end_arrives(&self) {
        let results = self.site.topic("results");
        self.watch.close_gate();
        let (before, offset) = self.held_at_the_gate(&results);
        let written = || self.site.watermarks(&results).1 > before;
        assert!(wait::until(SOON, written), "its answer is written");
        let code = self.watch.deliver().expect("the broker answers");
        // The broker writes the markers of an end that it accepts a moment after its answer.
        let torn = || {
            let answered = self.site.results().contains_key(&offset);
            answered && committed(&self.site, 0).is_none_or(|next| next <= offset)
        };
        let torn = wait::until(Duration::from_secs(1), torn);
        self.watch.open_gate();
        assert!(!torn, "{TORN} (code {code})");
        assert_ne!(code, 0, "the broker refuses the late end");
        assert_eq!(
            self.site.answer(offset, SOON).rejection,
            None,
            "the next commit succeeds"
        );
    }

    /// Sends holds until one is in a transaction of the watched producer, since two take turns.
    /// Returns the end of the results before it, and its offset.
    fn held_at_the_gate(&self, results: &str) -> (i64, i64) {
        let deadline = Instant::now() + SOON;
        loop {
            let (_, before) = self.site.watermarks(results);
            let offset = self.hold();
            let answered = || self.site.results().contains_key(&offset);
            let settled = || answered() || self.watch.at_gate(Duration::ZERO);
            assert!(wait::until(SOON, settled), "the hold is processed");
            if self.watch.at_gate(Duration::ZERO) {
                return (before, offset);
            }
            let late = Instant::now() > deadline;
            assert!(!late, "no transaction of the watched producer is open");
        }
    }

    fn ends_well(self) {
        let offset = self.hold();
        assert_eq!(
            self.site.answer(offset, SOON).rejection,
            None,
            "later commits succeed"
        );
        self.app.close();
        let audit = Audit::of(&self.site);
        assert_eq!(audit.violations, Vec::<String>::new());
        assert_eq!(audit.commands, self.holds.get() + 1);
        assert!(audit.outputs > audit.commands, "results and events");
    }
}
