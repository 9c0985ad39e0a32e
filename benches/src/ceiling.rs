//! `stagedoor-bench ceiling`: the bare loop as a process of its own, so that its CPU time is its
//! own.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};

use crate::bare_loop::{self, Output, Shape};

/// Options of `ceiling`.
#[derive(Debug, Args)]
pub(crate) struct CeilingArgs {
    /// A running broker.
    #[arg(long)]
    bootstrap_servers: String,
    /// Prefix of its topics, and its consumer group.
    #[arg(long)]
    application: String,
    /// Partitions of its topics.
    #[arg(long)]
    partitions: i32,
    /// What is written for every command: topic without prefix, records for a command, bytes of
    /// each value. May be repeated.
    #[arg(long = "output", value_name = "TOPIC:RECORDS:BYTES", required = true)]
    outputs: Vec<OutputArg>,
    /// Most records of a batch.
    #[arg(long)]
    max_batch_records: usize,
    /// Longest time a batch collects, in milliseconds.
    #[arg(long)]
    commit_interval_ms: u64,
}

/// One `TOPIC:RECORDS:BYTES`.
#[derive(Clone, Debug, PartialEq)]
struct OutputArg {
    topic: String,
    records: f64,
    bytes: usize,
}

impl FromStr for OutputArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not TOPIC:RECORDS:BYTES, such as results:1.0:200");
        let mut parts = text.split(':');
        let (Some(topic), Some(records), Some(bytes), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let records = records.parse::<f64>().map_err(|_| wrong())?;
        if !(records.is_finite() && records >= 0.0) {
            return Err(wrong());
        }
        Ok(Self {
            topic: topic.to_owned(),
            records,
            bytes: bytes.parse().map_err(|_| wrong())?,
        })
    }
}

/// Creates the topics, says `ready`, and loops until the process is ended.
#[expect(clippy::print_stdout, reason = "whoever starts it waits for the line")]
pub(crate) fn run(arguments: &CeilingArgs) -> anyhow::Result<()> {
    let config = KafkaConfig::new(&arguments.bootstrap_servers, &arguments.application);
    let log = KafkaLog::new(config);
    let name = |topic: &str| format!("{}.{topic}", arguments.application);
    let shape = Shape {
        input: name("commands"),
        outputs: arguments
            .outputs
            .iter()
            .map(|output| Output {
                topic: name(&output.topic),
                records: output.records,
                bytes: output.bytes,
            })
            .collect(),
        max_batch: arguments.max_batch_records,
        max_wait: Duration::from_millis(arguments.commit_interval_ms),
    };
    shape.create_topics(&log, arguments.partitions)?;
    println!("ready");
    bare_loop::run(&log, &shape, usize::MAX).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_read_and_a_malformed_one_says_what_it_must_be() {
        let output: OutputArg = "results:1.25:200".parse().unwrap();
        assert_eq!(
            (output.topic.as_str(), output.records, output.bytes),
            ("results", 1.25, 200)
        );
        for wrong in [
            "results",
            "results:x:1",
            "results:1:-1",
            "results:-1:1",
            "a:1:1:1",
        ] {
            let error = wrong.parse::<OutputArg>().unwrap_err();
            assert!(error.contains("TOPIC:RECORDS:BYTES"), "{error}");
        }
    }
}
