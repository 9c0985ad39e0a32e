//! The topics: which ones there must be, with which settings, and what is refused.

use std::collections::BTreeMap;

use crate::log::{TopicInfo, TopicSpec};
use crate::topology::Topology;

/// `delete.retention.ms` of the changelogs: how long a tombstone is kept for restores.
pub(crate) const TOMBSTONE_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// The setting that counts the partitions of most topics.
const PARTITIONS_SETTING: &str = "partitions";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Names and sizes of an application's topics.
#[derive(Debug, Clone)]
pub struct TopicNaming {
    /// Start of the names of internal topics, and the group id.
    pub application_id: String,
    /// Start of the names of all others, such as `stagedoor.`.
    pub prefix: String,
    /// Partition count of all topics but those of `sink_partitions`.
    pub partitions: i32,
    /// Topics with a partition count of their own, by their names without prefix.
    pub sink_partitions: BTreeMap<&'static str, SinkPartitions>,
}

/// The partition count of a topic that tasks forward to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkPartitions {
    /// How many there are.
    pub count: i32,
    /// The setting that says so.
    pub setting: &'static str,
}

impl TopicNaming {
    /// Names with one partition count for every topic.
    #[must_use]
    pub fn new(
        application_id: impl Into<String>,
        prefix: impl Into<String>,
        partitions: i32,
    ) -> Self {
        Self {
            application_id: application_id.into(),
            prefix: prefix.into(),
            partitions,
            sink_partitions: BTreeMap::new(),
        }
    }

    /// Partition count of a topic by its name without prefix.
    #[must_use]
    pub fn partitions_of(&self, name: &str) -> i32 {
        self.counted(name).count
    }

    /// Partition count of a topic by its name without prefix, and the setting that it comes from.
    #[must_use]
    pub fn counted(&self, name: &str) -> SinkPartitions {
        let own = self.sink_partitions.get(name).copied();
        own.unwrap_or(SinkPartitions {
            count: self.partitions,
            setting: PARTITIONS_SETTING,
        })
    }

    /// Full name of a topic that the outside knows.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The compacted changelog of a sub-topology.
    #[must_use]
    pub fn changelog(&self, sub_topology: &str) -> String {
        format!("{}-{sub_topology}-changelog", self.application_id)
    }

    /// The changelog of a sub-topology's windowed stores.
    #[must_use]
    pub fn window_changelog(&self, sub_topology: &str) -> String {
        format!("{}-{sub_topology}-window-changelog", self.application_id)
    }

    /// The dead-letter topic.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        format!("{}.dlq", self.application_id)
    }

    /// The table of instances.
    #[must_use]
    pub fn instances(&self) -> String {
        format!("{}-instances", self.application_id)
    }
}

/// Every topic of a topology. `windows_ms` is the longest life of a windowed row.
#[must_use]
pub fn required(topology: &Topology, naming: &TopicNaming, windows_ms: i64) -> Vec<TopicSpec> {
    let mut specs = Vec::new();
    for part in topology.sub_topologies() {
        specs.push(commands(naming.topic(part.source.topic), naming.partitions));
        specs.push(compacted(naming.changelog(part.name), naming.partitions));
        let name = naming.window_changelog(part.name);
        specs.push(windowed(name, naming.partitions, windows_ms));
        for sink in &part.sinks {
            let is_table = topology
                .global_tables()
                .iter()
                .any(|table| table.topic == sink.topic);
            let (name, partitions) = (naming.topic(sink.topic), naming.counted(sink.topic));
            let spec = match (is_table, sink.topic) {
                (true, _) => compacted(name, partitions.count),
                (false, "results") => kept(name, partitions.count, 7 * DAY_MS),
                (false, _) => kept(name, partitions.count, 30 * DAY_MS),
            };
            specs.push(TopicSpec {
                counted_by: partitions.setting,
                ..spec
            });
        }
    }
    specs.push(kept(naming.dead_letters(), naming.partitions, 30 * DAY_MS));
    specs.push(compacted(naming.instances(), 1));
    specs.sort_by(|one, other| one.name.cmp(&other.name));
    specs.dedup_by(|one, other| one.name == other.name);
    specs
}

/// Checks what exists against what must be. The message names the topic and the remedy.
///
/// # Errors
/// The first difference.
pub fn check(specs: &[TopicSpec], infos: &[TopicInfo]) -> Result<(), String> {
    let co_partitioned: BTreeMap<&str, &TopicInfo> = infos
        .iter()
        .map(|info| (info.name.as_str(), info))
        .collect();
    for spec in specs {
        let Some(info) = co_partitioned.get(spec.name.as_str()) else {
            return Err(format!(
                "the topic {} is missing; create it and restart",
                spec.name
            ));
        };
        if info.partitions != spec.partitions {
            return Err(format!(
                "the topic {} has {} partitions and not {}; set `{}` to what it has, or copy it \
                 into a topic with {} partitions",
                spec.name, info.partitions, spec.partitions, spec.counted_by, spec.partitions
            ));
        }
        check_config(spec, info)?;
    }
    Ok(())
}

fn check_config(spec: &TopicSpec, info: &TopicInfo) -> Result<(), String> {
    for name in &spec.checked {
        let wanted = spec.config.get(*name).map_or("", String::as_str);
        let found = info.config.get(*name).map_or("", String::as_str);
        let parts = |text: &str| {
            let mut parts: Vec<String> = text.split(',').map(str::to_owned).collect();
            parts.sort();
            parts
        };
        if parts(wanted) != parts(found) {
            return Err(format!(
                "the topic {} has {name}={found} and not {wanted}; alter it with kafka-configs.sh \
                 --alter --add-config {name}=[{wanted}] and restart",
                spec.name
            ));
        }
    }
    Ok(())
}

fn commands(name: String, partitions: i32) -> TopicSpec {
    let config = [
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
    ];
    let checked = vec!["cleanup.policy", "message.timestamp.type"];
    spec(name, partitions, config, checked)
}

fn compacted(name: String, partitions: i32) -> TopicSpec {
    let config = [
        ("cleanup.policy", "compact".to_owned()),
        ("delete.retention.ms", TOMBSTONE_RETENTION_MS.to_string()),
    ];
    spec(name, partitions, config, vec!["cleanup.policy"])
}

fn windowed(name: String, partitions: i32, windows_ms: i64) -> TopicSpec {
    let config = [
        ("cleanup.policy", "compact,delete".to_owned()),
        ("delete.retention.ms", TOMBSTONE_RETENTION_MS.to_string()),
        // A day more than the rows live, as Kafka Streams adds to its windows.
        ("retention.ms", (windows_ms + DAY_MS).to_string()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
    ];
    spec(name, partitions, config, vec!["cleanup.policy"])
}

fn kept(name: String, partitions: i32, retention_ms: i64) -> TopicSpec {
    let config = [
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", retention_ms.to_string()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
    ];
    spec(name, partitions, config, vec!["cleanup.policy"])
}

fn spec<const N: usize>(
    name: String,
    partitions: i32,
    config: [(&str, String); N],
    checked: Vec<&'static str>,
) -> TopicSpec {
    let config = config
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    TopicSpec {
        name,
        partitions,
        counted_by: PARTITIONS_SETTING,
        config,
        checked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(spec: &TopicSpec) -> TopicInfo {
        TopicInfo {
            name: spec.name.clone(),
            id: "id".to_owned(),
            partitions: spec.partitions,
            config: spec.config.clone(),
        }
    }

    #[test]
    fn a_wrong_partition_count_is_refused_by_name_and_with_a_remedy() {
        let spec = commands("stagedoor.concert.commands".to_owned(), 32);
        let found = TopicInfo {
            partitions: 8,
            ..info(&spec)
        };
        let message = check(&[spec], &[found]).expect_err("refused");
        assert!(message.contains("stagedoor.concert.commands has 8 partitions and not 32"));
        assert!(message.contains("set `partitions`"));
    }

    #[test]
    fn a_count_of_its_own_is_refused_with_the_setting_that_it_comes_from() {
        let own = SinkPartitions {
            count: 8,
            setting: "event_partitions",
        };
        let naming = TopicNaming {
            sink_partitions: [("events", own)].into(),
            ..TopicNaming::new("app", "", 32)
        };
        assert_eq!(naming.partitions_of("events"), 8);
        assert_eq!(naming.partitions_of("results"), 32);
        let spec = TopicSpec {
            counted_by: naming.counted("events").setting,
            ..kept("events".to_owned(), naming.partitions_of("events"), 1)
        };
        let found = TopicInfo {
            partitions: 32,
            ..info(&spec)
        };
        let message = check(&[spec], &[found]).expect_err("refused");
        assert!(message.contains("events has 32 partitions and not 8; set `event_partitions`"));
    }

    #[test]
    fn a_wrong_cleanup_policy_is_refused_and_the_order_of_policies_does_not_matter() {
        let spec = windowed("w".to_owned(), 1, 1);
        let mut found = info(&spec);
        found
            .config
            .insert("cleanup.policy".to_owned(), "delete,compact".to_owned());
        assert_eq!(
            check(std::slice::from_ref(&spec), std::slice::from_ref(&found)),
            Ok(())
        );
        found
            .config
            .insert("cleanup.policy".to_owned(), "delete".to_owned());
        let message = check(&[spec], &[found]).expect_err("refused");
        assert!(message.contains("cleanup.policy=delete and not compact,delete"));
    }
}
