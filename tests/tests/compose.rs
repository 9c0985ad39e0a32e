//! The Compose file's broker has the settings of the broker without Docker.

use std::collections::BTreeMap;
use std::fs;

use stagedoor_tests::workspace;
use yaml_rust2::{Yaml, YamlLoader};

/// What belongs to one node or its process, and not to every broker.
const OF_THE_NODE: [&str; 6] = [
    "advertised.listeners",
    "controller.quorum.voters",
    "heap.opts",
    "listeners",
    "log.dirs",
    "node.id",
];

#[test]
fn the_compose_file_has_the_settings_of_the_broker_without_docker() {
    assert_eq!(compose_settings(), template_settings());
}

fn template_settings() -> BTreeMap<String, String> {
    let text = read("docker/kafka/broker.properties");
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').expect("a setting is key=value"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The image reads `KAFKA_A_B` as `a.b`.
fn compose_settings() -> BTreeMap<String, String> {
    let files =
        YamlLoader::load_from_str(&read("docker/compose.yaml")).expect("compose.yaml is YAML");
    let environment = &files[0]["services"]["kafka"]["environment"];
    environment
        .as_hash()
        .expect("the broker has an environment")
        .iter()
        .map(|(name, value)| (setting_name(name), text_of(value)))
        .filter(|(name, _)| !OF_THE_NODE.contains(&name.as_str()))
        .collect()
}

fn setting_name(name: &Yaml) -> String {
    let name = text_of(name);
    let name = name
        .strip_prefix("KAFKA_")
        .expect("only settings of the broker");
    name.to_lowercase().replace('_', ".")
}

fn text_of(value: &Yaml) -> String {
    // Unquoted numbers and booleans may change their spelling on the way through a YAML parser.
    value
        .as_str()
        .expect("every value is a quoted string")
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).expect(path)
}
