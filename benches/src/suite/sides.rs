//! The systems under measure that read commands from Kafka: started, and ended.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Bench;
use super::broker::Extent;
use super::children::{Process, clean, script};
use super::kafka_load::{Site, Wire};
use super::service::{Service, ServiceOptions};

const STARTED: Duration = Duration::from_secs(120);
const BUILT: Duration = Duration::from_secs(900);

/// The product's own limits of a batch, which the ceiling has, too.
const MAX_BATCH_RECORDS: &str = "10000";
const COMMIT_INTERVAL_MS: &str = "100";

/// One of those that are compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    /// The product.
    Stagedoor,
    /// The bare loop, which writes these outputs for every command.
    Ceiling(Vec<Output>),
    /// The peer, with one of its profiles: `20ms` or `100ms`.
    KafkaStreams(&'static str),
}

/// What is written to a topic for every command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Output {
    /// The topic, without dots of its own.
    pub(super) topic: String,
    /// Records.
    pub(super) records: f64,
    /// Bytes of a value.
    pub(super) bytes: u64,
}

/// A side that runs.
pub(super) struct Running {
    /// The process, which is the whole of the application.
    pub(super) process: Process,
    /// Its topics.
    pub(super) site: Site,
    /// How it was started, where it is the product.
    pub(super) service: Option<ServiceOptions>,
}

impl Side {
    /// Its name in results.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stagedoor => "stagedoor".to_owned(),
            Self::Ceiling(_) => "ceiling".to_owned(),
            Self::KafkaStreams(profile) => format!("kafka-streams-{profile}"),
        }
    }

    /// Starts it with topics of its own, and waits until it takes commands.
    pub(super) fn start(
        &self,
        bench: &Bench,
        application: &str,
        partitions: i32,
    ) -> anyhow::Result<Running> {
        match self {
            Self::Stagedoor => stagedoor(bench, application, partitions),
            Self::Ceiling(outputs) => ceiling(bench, application, partitions, outputs),
            Self::KafkaStreams(profile) => streams(bench, application, partitions, profile),
        }
    }
}

fn stagedoor(bench: &Bench, application: &str, partitions: i32) -> anyhow::Result<Running> {
    let options = bench.service(application, partitions);
    let Service { process, .. } = options.start(&bench.stop)?;
    Ok(Running {
        process,
        site: options.site(),
        service: Some(options),
    })
}

fn ceiling(
    bench: &Bench,
    application: &str,
    partitions: i32,
    outputs: &[Output],
) -> anyhow::Result<Running> {
    let mut command = clean(std::env::current_exe()?);
    command
        .arg("ceiling")
        .args(["--bootstrap-servers", &bench.broker.bootstrap_servers])
        .args(["--application", application])
        .args(["--partitions", &partitions.to_string()])
        .args(["--max-batch-records", MAX_BATCH_RECORDS])
        .args(["--commit-interval-ms", COMMIT_INTERVAL_MS]);
    for output in outputs {
        let Output {
            topic,
            records,
            bytes,
        } = output;
        command.args(["--output", &format!("{topic}:{records:.4}:{bytes}")]);
    }
    let mut process = Process::start("ceiling", &bench.work, &command)?;
    process.line("ready", STARTED, &bench.stop)?;
    Ok(Running {
        process,
        site: site(bench, application, partitions, Wire::Counted),
        service: None,
    })
}

fn streams(
    bench: &Bench,
    application: &str,
    partitions: i32,
    profile: &str,
) -> anyhow::Result<Running> {
    let site = site(bench, application, partitions, Wire::Binary);
    let of = [
        "--bootstrap-servers",
        &site.bootstrap_servers,
        "--application",
        application,
    ];
    let mut topics = peer(&bench.root);
    topics.arg("topics").args(of);
    topics.args(["--partitions", &partitions.to_string()]);
    script("streams-topics", &bench.work, &topics, STARTED, &bench.stop)?;
    let mut run = peer(&bench.root);
    run.arg("run").args(of).args(["--profile", profile]);
    run.arg("--state")
        .arg(bench.work.join(format!("{application}-state")));
    let mut process = Process::start("streams", &bench.work, &run)?;
    process.line("running", STARTED, &bench.stop)?;
    Ok(Running {
        process,
        site,
        service: None,
    })
}

fn site(bench: &Bench, application: &str, partitions: i32, wire: Wire) -> Site {
    Site {
        bootstrap_servers: bench.broker.bootstrap_servers.clone(),
        commands: format!("{application}.commands"),
        results: format!("{application}.results"),
        partitions,
        wire,
    }
}

fn peer(root: &Path) -> Command {
    clean(root.join("benches/peers/kafka-streams/peer.sh"))
}

/// Compiles the Kafka Streams peer where its sources have changed.
pub(super) fn build_streams(bench: &Bench) -> anyhow::Result<()> {
    let mut command = peer(&bench.root);
    command.arg("build");
    script("streams-build", &bench.work, &command, BUILT, &bench.stop).map(drop)
}

/// What the ceiling has to write to do as the product did: as many records to each topic, as large.
/// `written` is by the topic's name behind the application's, `commands` is how many caused it.
pub(super) fn outputs<'a>(
    written: impl Iterator<Item = (&'a String, &'a Extent)>,
    commands: u64,
    key_bytes: u64,
) -> Vec<Output> {
    // Length, attributes, both deltas, lengths of key and value, count of headers.
    const RECORD: u64 = 10;
    let output = |(topic, extent): (&String, &Extent)| Output {
        topic: topic.trim_start_matches(['.', '-']).replace('.', "-"),
        records: extent.records as f64 / commands as f64,
        bytes: (extent.bytes / extent.records).saturating_sub(RECORD + key_bytes),
    };
    written
        .filter(|(topic, extent)| !topic.ends_with("concert.commands") && extent.records > 0)
        .map(output)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_writes_as_many_records_as_large() {
        let extent = |records, bytes| Extent { records, bytes };
        let written = [
            (".concert.commands".to_owned(), extent(1_000, 90_000)),
            (".dlq".to_owned(), extent(0, 0)),
            (".results".to_owned(), extent(1_000, 200_000)),
            ("-concert-changelog".to_owned(), extent(1_500, 150_000)),
        ];
        let pairs = written.iter().map(|(topic, extent)| (topic, extent));
        let outputs = outputs(pairs, 1_000, 9);
        let output = |topic: &str, records, bytes| Output {
            topic: topic.to_owned(),
            records,
            bytes,
        };
        assert_eq!(
            outputs,
            [
                output("results", 1.0, 181),
                output("concert-changelog", 1.5, 81)
            ]
        );
    }
}
