//! The one broker of a measurement: started, kept clean, and asked how much was written to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::{Isolation, Log as _, Pace, TopicPartition};

use super::children::{self, clean, script};
use super::stop::Stop;

/// The script's own limit is below.
const PATIENCE: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(30);

/// A running broker. Dropped, it is ended and its data are removed; a watcher of the script does
/// the same once this process is gone.
#[derive(Debug)]
pub(super) struct Broker {
    script: PathBuf,
    directory: PathBuf,
    /// `host:port`.
    pub(super) bootstrap_servers: String,
    /// The broker's process.
    pub(super) pid: u32,
}

/// What a topic holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Offsets that are taken, markers of transactions included.
    pub(super) records: u64,
    /// Bytes on the disk.
    pub(super) bytes: u64,
}

impl Broker {
    /// Starts it in `work`.
    pub(super) fn start(root: &Path, work: &Path, stop: &Stop) -> anyhow::Result<Self> {
        let (path, directory) = (root.join("docker/kafka/kafka.sh"), work.join("kafka"));
        let mut command = clean(&path);
        command.arg("start").arg("--dir").arg(&directory);
        command.args(["--parent", &std::process::id().to_string()]);
        // What a round has left is gone before the next one is measured; the default is a minute.
        command.args(["--set", "file.delete.delay.ms=500"]);
        let mut broker = Self {
            script: path,
            directory,
            bootstrap_servers: String::new(),
            pid: 0,
        };
        let started = script("kafka-start", work, &command, PATIENCE, stop)?;
        children::value(&started, "bootstrap_servers")?.clone_into(&mut broker.bootstrap_servers);
        broker.pid = broker.find_pid(work, stop)?;
        Ok(broker)
    }

    fn find_pid(&self, work: &Path, stop: &Stop) -> anyhow::Result<u32> {
        let mut command = clean(&self.script);
        command.arg("status").arg("--dir").arg(&self.directory);
        let lines = script("kafka-status", work, &command, PATIENCE, stop)?;
        let status = children::value(&lines, "broker")?;
        let pid = status
            .split(" pid=")
            .nth(1)
            .and_then(|pid| pid.parse().ok());
        pid.with_context(|| format!("kafka.sh status names no pid: {status}"))
    }

    /// Records and bytes of the topics whose full names begin with `prefix`, by the rest of their
    /// names.
    pub(super) fn extents(&self, prefix: &str) -> anyhow::Result<BTreeMap<String, Extent>> {
        let log = KafkaLog::new(KafkaConfig::new(&self.bootstrap_servers, "bench-extents"));
        let mut reader = log.reader(Isolation::ReadUncommitted, Pace::CatchUp)?;
        let mut extents = BTreeMap::<String, Extent>::new();
        for (topic, partition, directory) in self.partitions()? {
            let Some(rest) = topic.strip_prefix(prefix) else {
                continue;
            };
            let place = TopicPartition::new(topic.as_str(), partition);
            let (begin, end) = reader.watermarks(&place)?;
            let extent = extents.entry(rest.to_owned()).or_default();
            extent.records += u64::try_from(end - begin).unwrap_or(0);
            extent.bytes += segments(&directory)?;
        }
        Ok(extents)
    }

    /// Removes every topic but Kafka's own. The broker stays warm.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let mut topics: Vec<String> = self.partitions()?.into_iter().map(|it| it.0).collect();
        topics.dedup();
        if topics.is_empty() {
            return Ok(());
        }
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "bench-admin")
            .create()?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let options = AdminOptions::new()
            .request_timeout(Some(ANSWER))
            .operation_timeout(Some(ANSWER));
        for outcome in pollster::block_on(admin.delete_topics(&names, &options))? {
            if let Err((topic, error)) = outcome {
                anyhow::bail!("the broker does not delete {topic}: {error}");
            }
        }
        Ok(())
    }

    /// Topic, partition and directory of everything that is not Kafka's own, by name.
    fn partitions(&self) -> anyhow::Result<Vec<(String, i32, PathBuf)>> {
        let data = self.directory.join("node-1/data");
        let mut found = Vec::new();
        for entry in fs::read_dir(&data).with_context(|| data.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some((topic, partition)) = partition_of(&name) {
                found.push((topic.to_owned(), partition, path.clone()));
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let stopped = Command::new(&self.script)
            .arg("stop")
            .arg("--dir")
            .arg(&self.directory)
            .output();
        if let Err(error) = stopped {
            tracing::warn!(%error, "kafka.sh stop; its watcher ends the broker with this process");
        }
    }
}

/// Topic and partition of a directory of the broker; none where it is something else. Those that
/// are being deleted have a dot and a hash behind their number.
fn partition_of(directory: &str) -> Option<(&str, i32)> {
    let (topic, partition) = directory.rsplit_once('-')?;
    let own = topic.starts_with("__");
    Some((topic, partition.parse().ok()?)).filter(|_| !own)
}

fn segments(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|kind| kind == "log") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_the_broker_are_told_apart() {
        assert_eq!(
            partition_of("a1-concert-changelog-12"),
            Some(("a1-concert-changelog", 12))
        );
        assert_eq!(partition_of("a1.results-0"), Some(("a1.results", 0)));
        for other in [
            "__transaction_state-1",
            "meta.properties",
            "a1.results-0.5f3c9d-delete",
        ] {
            assert_eq!(partition_of(other), None, "{other}");
        }
    }
}
