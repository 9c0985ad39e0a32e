//! The command line of the suite, and the sizes that follow from it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of `suite`, which `./bench` runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct SuiteArgs {
    /// Only this scenario; may be repeated.
    #[arg(long = "scenario", value_enum, value_name = "NAME")]
    pub(super) scenarios: Vec<Name>,
    /// Rounds of each side, of which the middle one counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(super) rounds: u32,
    /// Small counts: a look of some minutes, and no evidence.
    #[arg(long)]
    pub(super) quick: bool,
    /// Where results, table, plots and flame graphs are written; benches/results where none is
    /// given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Sample the service in one more round of each scenario straight to Kafka, which does not
    /// count, and write a flame graph.
    #[arg(long)]
    pub(super) profile: bool,
    /// Leave a peer out; may be repeated.
    #[arg(long, value_enum, value_name = "PEER")]
    pub(super) without: Vec<Peer>,
    /// Measure although another Kafka runs on this machine.
    #[arg(long)]
    pub(super) beside_others: bool,
    /// The work tree, whose scripts are run.
    #[arg(long, hide = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    pub(super) root: PathBuf,
}

/// What Stagedoor is measured beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Peer {
    /// The bare consume-produce-commit loop.
    Ceiling,
    /// Kafka Streams.
    KafkaStreams,
    /// Redis and PostgreSQL.
    RedisPostgres,
}

/// The scenarios, in the order in which they are run: what matters most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Name {
    /// 1,000,000 requests for 1 to 4 seats at 5 concerts, straight to Kafka.
    Headline,
    /// 1,000,000 places of one concert in one partition, all of which succeed.
    Hot,
    /// 200,000 chosen seats of one concert in one partition, all of which succeed.
    HotSeats,
    /// 16,000 holds a second by a clock, straight to Kafka.
    OpenLoop,
    /// The headline mix over HTTP, as fast as can be.
    Http,
    /// The same by a clock, at half of that and at 100 a second.
    HttpOpen,
    /// The headline mix over HTTP, beside Redis and PostgreSQL.
    RedisPostgres,
    /// A killed service until its first commit, and a lost store until it is restored.
    Restart,
    /// Three times as much as can be decided, for a minute.
    Overload,
    /// Durable holds on the embedded log.
    Embedded,
    /// Latency against load.
    Latency,
    /// Throughput against partitions, concerts, instances and the size of the state.
    Growth,
}

impl Name {
    /// As on the command line and in the results.
    pub(super) fn text(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Requests before a measurement, on concerts of their own.
    pub(super) warm_up: u64,
    /// Most rounds for the broker before the first scenario.
    pub(super) warm_up_rounds: usize,
    /// Requests of the headline and hot scenarios.
    pub(super) requests: u64,
    /// Requests for chosen seats of one concert: at most 200,000.
    pub(super) seats: u64,
    /// Holds of one point of a plot.
    pub(super) point: u64,
    /// Seconds of a measurement by the clock.
    pub(super) seconds: u64,
    /// Seconds of overload.
    pub(super) overload_seconds: u64,
    /// Bytes of state that a killed service has.
    pub(super) state_bytes: u64,
}

impl SuiteArgs {
    /// How much is asked for.
    pub(super) fn sizes(&self) -> Sizes {
        if self.quick {
            Sizes {
                warm_up: 5_000,
                warm_up_rounds: 1,
                requests: 40_000,
                seats: 20_000,
                point: 20_000,
                seconds: 2,
                overload_seconds: 3,
                state_bytes: 8 << 20,
            }
        } else {
            Sizes {
                warm_up: 300_000,
                warm_up_rounds: 8,
                requests: 1_000_000,
                seats: 200_000,
                point: 400_000,
                seconds: 12,
                overload_seconds: 60,
                state_bytes: 1 << 30,
            }
        }
    }

    /// Where results are written.
    pub(super) fn out(&self) -> PathBuf {
        let given = self.out.clone();
        given.unwrap_or_else(|| self.root.join("benches/results"))
    }

    /// The scenarios to run, in order.
    pub(super) fn chosen(&self) -> Vec<Name> {
        let all = Name::value_variants().iter().copied();
        all.filter(|name| self.scenarios.is_empty() || self.scenarios.contains(name))
            .collect()
    }

    /// Disk that is needed, in GiB: for a round of a million commands, or for millions of rows of
    /// state with the log that they are made from.
    pub(super) fn disk_gib(&self) -> u64 {
        let chosen = self.chosen();
        let large = chosen.contains(&Name::Restart) || chosen.contains(&Name::Growth);
        match (self.quick, large) {
            (true, _) => 3,
            (false, false) => 6,
            (false, true) => 14,
        }
    }

    /// Whether a peer takes part.
    pub(super) fn has(&self, peer: Peer) -> bool {
        !self.without.contains(&peer)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        suite: SuiteArgs,
    }

    fn suite(line: &[&str]) -> SuiteArgs {
        Line::parse_from(std::iter::once(&"bench").chain(line)).suite
    }

    #[test]
    fn chosen_scenarios_are_run_in_the_order_of_their_importance() {
        let line = ["--scenario", "http", "--scenario", "headline"];
        assert_eq!(suite(&line).chosen(), [Name::Headline, Name::Http]);
        assert_eq!(suite(&[]).chosen().len(), Name::value_variants().len());
        assert_eq!(Name::HotSeats.text(), "hot-seats");
    }

    #[test]
    fn a_peer_can_be_left_out() {
        let suite = suite(&["--without", "kafka-streams"]);
        assert!(!suite.has(Peer::KafkaStreams) && suite.has(Peer::Ceiling));
    }
}
