//! Straight to Kafka: headline, hot, and holds by a clock.

use stagedoor_bench::mix::Kind;

use crate::suite::Bench;
use crate::suite::kafka_load::Pace;
use crate::suite::options::{Name, Peer};
use crate::suite::round::{Plan, compare, measure};
use crate::suite::sides::Side;

/// Partitions of the headline mix: one for each of its concerts.
pub(super) const PARTITIONS: i32 = 5;
/// Holds a second of the open loop.
const RATE: u32 = 16_000;

/// The broker is warm once a round costs it this part or more of what the one before did: the first
/// million answers cost it twice what the fifth does, while its code is being compiled.
const WARM: f64 = 0.9;

/// Rounds that nobody counts, until the broker is warm.
pub(crate) fn warm_up(bench: &Bench) -> anyhow::Result<()> {
    let plan = Plan {
        scenario: "warm-up".to_owned(),
        kind: Kind::Headline,
        partitions: PARTITIONS,
        requests: bench.sizes.requests,
        pace: Pace::AsFast,
    };
    let mut before = f64::INFINITY;
    for round in 1..=bench.sizes.warm_up_rounds {
        let at = format!("the broker warms up, round {round}");
        let seen = measure(bench, &plan, &Side::Stagedoor, &at)?;
        let cost = seen.broker_us_per_answer();
        if cost >= WARM * before {
            break;
        }
        before = cost;
    }
    Ok(())
}

pub(super) fn headline(bench: &mut Bench) -> anyhow::Result<()> {
    let requests = bench.sizes.requests;
    let load = format!(
        "{requests} requests for 1 to 4 neighbouring seats at random; 5 concerts of 80 sections \
         of 400 seats, each in a partition of its own; straight to Kafka, as fast as can be"
    );
    as_fast(
        bench,
        Name::Headline,
        &load,
        Kind::Headline,
        PARTITIONS,
        requests,
    )
}

pub(super) fn hot(bench: &mut Bench) -> anyhow::Result<()> {
    let requests = bench.sizes.requests;
    let load = format!(
        "{requests} places of general admission at one concert in one partition, all of which \
         succeed; straight to Kafka, as fast as can be"
    );
    as_fast(bench, Name::Hot, &load, Kind::General, 1, requests)
}

pub(super) fn hot_seats(bench: &mut Bench) -> anyhow::Result<()> {
    let requests = bench.sizes.seats;
    let load = format!(
        "{requests} chosen seats at one concert in one partition, all of which succeed; straight \
         to Kafka, as fast as can be"
    );
    as_fast(bench, Name::HotSeats, &load, Kind::Hot, 1, requests)
}

fn as_fast(
    bench: &mut Bench,
    name: Name,
    load: &str,
    kind: Kind,
    partitions: i32,
    requests: u64,
) -> anyhow::Result<()> {
    let plan = Plan {
        scenario: name.text(),
        kind,
        partitions,
        requests,
        pace: Pace::AsFast,
    };
    bench.describe(&plan.scenario, load);
    let mut peers = Vec::new();
    if bench.options.has(Peer::Ceiling) {
        peers.push(Side::Ceiling(Vec::new()));
    }
    if bench.options.has(Peer::KafkaStreams) {
        peers.push(Side::KafkaStreams("100ms"));
    }
    compare(bench, &plan, &peers)
}

/// Its peers are both profiles of Kafka Streams: one commits seldom, the other often.
pub(super) fn open_loop(bench: &mut Bench) -> anyhow::Result<()> {
    let requests = bench.sizes.seats.min(u64::from(RATE) * bench.sizes.seconds);
    let plan = Plan {
        scenario: Name::OpenLoop.text(),
        kind: Kind::Hot,
        partitions: 1,
        requests,
        pace: Pace::Rate(f64::from(RATE)),
    };
    let load = format!(
        "{requests} chosen seats at one concert in one partition, {RATE} a second by a clock, \
         straight to Kafka; latency from when a command was due to its committed answer"
    );
    bench.describe(&plan.scenario, &load);
    let mut peers = Vec::new();
    if bench.options.has(Peer::KafkaStreams) {
        peers.extend([Side::KafkaStreams("20ms"), Side::KafkaStreams("100ms")]);
    }
    compare(bench, &plan, &peers)
}
