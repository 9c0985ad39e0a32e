//! A store comes back from its changelog, or from the command log where the changelog proves nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use stagedoor_state::Digest;
use stagedoor_tests::app::admin::Admin;
use stagedoor_tests::app::audit::{Audit, last_position};
use stagedoor_tests::app::commands::{CONCERT, best, concert, hold, release};
use stagedoor_tests::app::process::AppProcess;
use stagedoor_tests::app::{App, Site};
use stagedoor_tests::kafka::Broker;
use stagedoor_topology::POSITION_KEY;

const SOON: Duration = Duration::from_secs(20);

/// An application that has sold something and was closed, and the digest of its store.
fn sold() -> (Site, Digest) {
    let broker = Broker::shared().expect("Kafka starts");
    let site = Site::new(broker.bootstrap_servers());
    let app = App::start(&site.options).expect("it runs");
    site.send(CONCERT, &concert());
    let first = site.send(CONCERT, &hold(0));
    let kept = site
        .answer(first, SOON)
        .reservation
        .expect("seats are held");
    for number in 1..40 {
        site.send(CONCERT, &hold(number));
    }
    site.send(CONCERT, &release(0, &kept.id));
    let last = site.send(CONCERT, &best(0));
    assert_eq!(site.answer(last, SOON).rejection, None);
    app.close();
    let digest = site.digest();
    assert!(digest.rows > 40, "{digest}");
    (site, digest)
}

/// Sells a seat more, closes, and audits: what was restored goes on.
fn goes_on(site: &Site, app: App) {
    let offset = site.send(CONCERT, &hold(400));
    assert_eq!(site.answer(offset, SOON).rejection, None, "it sells");
    let taken = site.send(
        CONCERT,
        &stagedoor_processors::concert::records::HoldSeats {
            user: "late".to_owned(),
            ..hold(5)
        },
    );
    let rejection = site
        .answer(taken, SOON)
        .rejection
        .expect("the seat is taken");
    assert_eq!(rejection.code, "seat_taken");
    app.close();
    let audit = Audit::of(site);
    assert_eq!(audit.violations, Vec::<String>::new());
    assert!(audit.commands > 40);
}

fn lose_the_store(site: &Site) {
    fs::remove_dir_all(site.options.directory.join("data")).expect("there is a store");
}

/// The next run gives back the same store. Returns how much the changelog grew.
fn comes_back(site: &Site, digest: Digest) -> i64 {
    let (_, before) = site.watermarks(&site.changelog());
    App::start(&site.options).expect("it runs again").close();
    assert_eq!(site.digest(), digest);
    let (_, after) = site.watermarks(&site.changelog());
    goes_on(site, App::start(&site.options).expect("it runs once more"));
    after - before
}

#[test]
fn a_lost_store_is_restored_from_its_changelog() {
    let (site, digest) = sold();
    lose_the_store(&site);
    let grown = comes_back(&site, digest);
    assert!(
        grown < 20,
        "nothing was rebuilt, but the changelog grew by {grown} records"
    );
}

#[test]
fn a_store_of_an_older_commit_catches_up() {
    let (site, _) = sold();
    let data = site.options.directory.join("data");
    let old = site.options.directory.join("old");
    copy(&data, &old);
    let app = App::start(&site.options).expect("it runs");
    let offset = site.send(CONCERT, &hold(100));
    assert_eq!(site.answer(offset, SOON).rejection, None);
    app.close();
    let digest = site.digest();
    lose_the_store(&site);
    fs::rename(old, data).expect("the old store is put back");
    assert_ne!(site.digest(), digest, "the old store is another one");
    comes_back(&site, digest);
}

#[test]
fn a_torn_changelog_is_repaired_from_the_command_log() {
    let (site, digest) = sold();
    tear(&site);
    let grown = comes_back(&site, digest);
    assert!(grown > 40, "the changelog was written anew");
    // And what it holds now restores to the same.
    lose_the_store(&site);
    let app = App::start(&site.options).expect("it restores");
    let position = last_position(&site, 0).expect("a position");
    app.close();
    assert!(position.next_offset > 40);
    assert_ne!(site.digest(), digest, "two commands later");
}

#[test]
fn a_torn_changelog_never_reaches_an_empty_store() {
    let (site, digest) = sold();
    tear(&site);
    lose_the_store(&site);
    comes_back(&site, digest);
}

#[test]
fn an_emptied_changelog_is_written_anew_from_the_command_log() {
    let (site, digest) = sold();
    let (_, end) = site.watermarks(&site.changelog());
    Admin::of(&site).delete_records(&site.changelog(), end);
    lose_the_store(&site);
    comes_back(&site, digest);
}

#[test]
fn a_changelog_that_lost_its_first_half_is_not_trusted() {
    let (site, digest) = sold();
    let (_, end) = site.watermarks(&site.changelog());
    Admin::of(&site).delete_records(&site.changelog(), end / 2);
    lose_the_store(&site);
    comes_back(&site, digest);
}

#[test]
fn a_restore_that_was_killed_is_continued() {
    let (site, digest) = sold();
    lose_the_store(&site);
    for pass in ["1", "2"] {
        let crash = format!("during-restore:{pass}");
        let program = env!("CARGO_BIN_EXE_streams-under-test");
        let environment = [("STAGEDOOR_CRASH_AT", crash.as_str())];
        let mut process = AppProcess::start(program, &site.options, &environment);
        let status = process.ended(SOON).expect("it dies");
        assert_eq!(status.signal(), Some(9), "{:?}", process.said());
    }
    let grown = comes_back(&site, digest);
    assert!(
        grown < 20,
        "nothing was rebuilt, but the changelog grew by {grown} records"
    );
}

/// Appends rows without a position, as a late end of a transaction would leave them.
fn tear(site: &Site) {
    let rows = site.read(&site.changelog());
    let row = rows
        .iter()
        .rev()
        .find(|row| row.key.as_deref() != Some(POSITION_KEY));
    let row = row.expect("the changelog has rows");
    let changed = rows.iter().find(|other| {
        let same_store = other.key.as_ref().and_then(|key| key.first())
            == row.key.as_ref().and_then(|key| key.first());
        same_store && other.key != row.key
    });
    let value = changed.and_then(|other| other.value.clone());
    let key = row.key.clone();
    site.append(&site.changelog(), key.as_deref(), value.as_deref())
        .expect("a torn row");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file is copied");
        }
    }
}
