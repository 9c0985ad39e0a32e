//! What cannot work is refused, with the topic or the directory by name and with what to do.

use std::fs;
use std::time::Duration;

use stagedoor_tests::app::admin::Admin;
use stagedoor_tests::app::commands::{CONCERT, concert, hold};
use stagedoor_tests::app::{App, AppError, Program, Site};
use stagedoor_tests::kafka::Broker;
use stagedoor_topology::StreamsState;

const SOON: Duration = Duration::from_secs(20);

fn broker() -> &'static str {
    Broker::shared().expect("Kafka starts").bootstrap_servers()
}

/// A site that has sold a seat and was closed.
fn sold() -> Site {
    let site = Site::new(broker());
    let app = App::start(&site.options).expect("it runs");
    site.send(CONCERT, &concert());
    let offset = site.send(CONCERT, &hold(0));
    assert_eq!(site.answer(offset, SOON).rejection, None);
    app.close();
    site
}

/// The message with which a start is refused; it names `named` and says what to do.
fn refused(site: &Site, named: &str, remedy: &str) {
    let refusal = App::start(&site.options).err();
    let Some(AppError::Stopped { state, reason }) = &refusal else {
        unreachable!("the start is refused by the runtime, but this happened: {refusal:?}");
    };
    assert_eq!(*state, StreamsState::Error);
    assert!(reason.contains(named), "{reason:?} names {named}");
    assert!(reason.contains(remedy), "{reason:?} says to {remedy}");
}

#[test]
fn a_command_topic_with_another_partition_count() {
    let site = Site::without_topics(broker(), Program::Concerts);
    let config = [("message.timestamp.type", "LogAppendTime")];
    Admin::of(&site).create(&site.commands(), 3, &config);
    refused(&site, &site.commands(), "set `partitions` to what it has");
}

#[test]
fn a_command_topic_with_the_producers_time() {
    let site = Site::without_topics(broker(), Program::Concerts);
    Admin::of(&site).create(
        &site.commands(),
        1,
        &[("message.timestamp.type", "CreateTime")],
    );
    refused(&site, &site.commands(), "alter it with");
}

#[test]
fn a_changelog_that_is_not_compacted() {
    let site = Site::without_topics(broker(), Program::Concerts);
    Admin::of(&site).create(&site.changelog(), 1, &[("cleanup.policy", "delete")]);
    refused(&site, &site.changelog(), "cleanup.policy=[compact]");
}

#[test]
fn a_changelog_made_anew_under_a_full_store_and_the_remedy_works() {
    let site = sold();
    let digest = site.digest();
    Admin::of(&site).delete(&site.changelog());
    refused(&site, &site.changelog(), "remove the data directory");
    // The remedy: the store is computed anew from the command log.
    fs::remove_dir_all(&site.options.directory).expect("the directory is removed");
    App::start(&site.options).expect("it runs again").close();
    assert_eq!(site.digest(), digest);
}

#[test]
fn a_command_topic_made_anew_under_a_full_store() {
    let site = sold();
    Admin::of(&site).delete(&site.commands());
    refused(&site, &site.commands(), "bring the old topic back");
    // Without a store the changelog still knows.
    fs::remove_dir_all(&site.options.directory).expect("the directory is removed");
    refused(&site, &site.commands(), "bring the old topic back");
}

#[test]
fn a_command_topic_deleted_under_a_running_application() {
    let mut site = Site::new(broker());
    // How long the client takes a missing topic for one that has not arrived yet; the default is 30 s.
    let patience = "topic.metadata.propagation.max.ms".to_owned();
    site.options.raw.insert(patience, "3000".to_owned());
    let app = App::start(&site.options).expect("it runs");
    let offset = site.send(CONCERT, &concert());
    assert_eq!(site.answer(offset, SOON).rejection, None);
    Admin::of(&site).delete(&site.commands());
    app.becomes(StreamsState::Error, SOON * 2)
        .expect("it stops");
    let reason = app.streams().failure().expect("a reason");
    assert!(
        reason.contains(&site.commands()),
        "{reason:?} names the topic"
    );
    app.close();
}

#[test]
fn a_command_log_that_lost_its_start_under_a_torn_changelog() {
    let site = sold();
    let (_, end) = site.watermarks(&site.commands());
    Admin::of(&site).delete_records_of(&site.commands(), end - 1);
    let rows = site.read(&site.changelog());
    let row = rows.first().expect("a row");
    site.append(&site.changelog(), row.key.as_deref(), row.value.as_deref())
        .expect("torn");
    refused(&site, &site.commands(), "from a backup");
}

#[test]
fn two_processes_on_one_directory() {
    let site = Site::new(broker());
    let app = App::start(&site.options).expect("the first runs");
    let Err(AppError::State(error)) = App::launch(&site.options) else {
        panic!("the second is refused");
    };
    let text = error.to_string();
    assert!(
        text.contains(&site.options.directory.display().to_string()),
        "{text}"
    );
    assert!(
        text.contains(&std::process::id().to_string()),
        "{text} names the holder"
    );
    assert!(text.contains("choose another directory"), "{text}");
    app.close();
}

#[test]
fn a_directory_of_a_newer_format() {
    let site = sold();
    let data = site.options.directory.join("data");
    fs::write(data.join("FORMAT"), "stagedoor-state 2\n").expect("the format is written");
    let Err(AppError::State(error)) = App::launch(&site.options) else {
        panic!("it is refused");
    };
    let text = error.to_string();
    assert!(text.contains(&data.display().to_string()), "{text}");
    assert!(text.contains("start a newer program"), "{text}");
}
