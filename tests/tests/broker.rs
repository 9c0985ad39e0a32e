//! The tests' own Kafka does what its documentation says, under kill, pause and restart.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{io, thread};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use stagedoor_tests::kafka::{Broker, BrokerOptions, Nodes, unique};
use stagedoor_tests::{wait, workspace};

/// What the broker at `address` says about the cluster: ports, without following them.
fn ports(address: &str, limit: Duration) -> Option<Vec<i32>> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .expect("the client's configuration is right");
    let metadata = client.fetch_metadata(None, limit).ok()?;
    Some(
        metadata
            .brokers()
            .iter()
            .map(rdkafka::metadata::MetadataBroker::port)
            .collect(),
    )
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn all_tests_of_a_run_share_one_broker() {
    let first = Broker::shared().expect("Kafka starts");
    let second = Broker::shared().expect("Kafka still runs");
    assert_eq!(first.bootstrap_servers(), second.bootstrap_servers());
    assert_eq!(
        ports(first.bootstrap_servers(), SOON).map(|ports| ports.len()),
        Some(1)
    );
}

#[test]
fn a_broker_of_ones_own_can_be_paused_killed_and_started_again_on_its_port() {
    let broker = Broker::own(&BrokerOptions::default()).expect("Kafka starts");
    let address = broker.bootstrap_servers().to_owned();
    let before = ports(&address, SOON);

    broker.pause(Nodes::All).expect("it can be paused");
    assert_eq!(
        ports(&address, Duration::from_secs(1)),
        None,
        "a paused broker is silent"
    );
    broker.resume(Nodes::All).expect("it can be resumed");
    assert_eq!(ports(&address, SOON), before);

    broker.kill(Nodes::All).expect("it can be killed");
    assert_eq!(
        ports(&address, Duration::from_secs(1)),
        None,
        "a dead broker is silent"
    );
    broker.start().expect("it starts again");
    assert_eq!(ports(&address, SOON), before);

    broker.stop().expect("it ends in good order");
    broker.start().expect("it starts once more");
    assert_eq!(ports(&address, SOON), before);

    let directory = broker.directory().to_owned();
    drop(broker);
    assert!(!directory.exists(), "nothing is left of it");
}

#[test]
fn a_cluster_of_three_answers_without_one_of_them() {
    let options = BrokerOptions {
        three: true,
        ..BrokerOptions::default()
    };
    let cluster = Broker::own(&options).expect("Kafka starts");
    let addresses: Vec<&str> = cluster.bootstrap_servers().split(',').collect();
    assert_eq!(addresses.len(), 3);
    for address in &addresses {
        assert_eq!(
            ports(address, SOON).map(|ports| ports.len()),
            Some(3),
            "{address} knows all"
        );
    }

    cluster.kill(Nodes::One(3)).expect("one can be killed");
    let two = || ports(addresses[0], SOON).is_some_and(|ports| ports.len() == 2);
    assert!(
        wait::until(Duration::from_secs(30), two),
        "the others notice and go on"
    );
    cluster.start().expect("it comes back");
    assert_eq!(ports(addresses[2], SOON).map(|ports| ports.len()), Some(3));
}

#[test]
fn clients_are_told_the_advertised_port_for_a_proxy_in_between() {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = proxy.local_addr().expect("it has an address").port();
    let options = BrokerOptions {
        advertise: vec![port],
        ..BrokerOptions::default()
    };
    let broker = Broker::own(&options).expect("Kafka starts");
    let address = broker.bootstrap_servers().to_owned();
    thread::spawn(move || forward(&proxy, &address));
    assert_eq!(
        ports(broker.bootstrap_servers(), SOON),
        Some(vec![i32::from(port)])
    );
    assert_eq!(
        ports(&format!("127.0.0.1:{port}"), SOON),
        Some(vec![i32::from(port)])
    );
}

/// Carries bytes both ways between who comes to `proxy` and `address`, until the test ends.
fn forward(proxy: &TcpListener, address: &str) {
    for client in proxy.incoming() {
        let client = client.expect("a client comes");
        let server = TcpStream::connect(address).expect("the broker listens");
        for (mut from, mut to) in [(&client, &server), (&server, &client)]
            .map(|(from, to)| (from.try_clone(), to.try_clone()))
            .map(|(from, to)| (from.expect("a socket"), to.expect("a socket")))
        {
            thread::spawn(move || io::copy(&mut from, &mut to));
        }
    }
}

#[test]
fn a_broker_dies_with_the_process_that_it_was_started_for() {
    let directory = std::env::temp_dir().join(unique("stagedoor-kafka-orphan"));
    let mut parent = Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("sleep runs");
    let started = Command::new(workspace().join("docker/kafka/kafka.sh"))
        .args([
            "start",
            "--light",
            "--parent",
            &parent.id().to_string(),
            "--dir",
        ])
        .arg(&directory)
        .stdout(Stdio::null())
        .status();
    assert!(started.is_ok_and(|status| status.success()), "Kafka starts");
    assert!(directory.join("node-1/pid").exists());

    parent.kill().expect("the parent can be killed");
    parent.wait().expect("it is gone");
    assert!(
        wait::until(SOON, || !directory.exists()),
        "nothing is left of its broker"
    );
}

#[test]
fn a_broker_that_cannot_start_says_why() {
    let options = BrokerOptions {
        settings: vec!["broker.id=-7".into()],
        ..BrokerOptions::default()
    };
    let error = Broker::own(&options)
        .expect_err("the setting is wrong")
        .to_string();
    assert!(
        error.contains("broker.id"),
        "the log's end names the setting: {error}"
    );
}
