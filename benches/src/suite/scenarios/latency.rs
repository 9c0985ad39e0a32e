//! Latency against load, as a plot: holds by a clock straight to Kafka, at growing rates.

use stagedoor_bench::measure::plot::{Curve, Plot, Scale};
use stagedoor_bench::mix::Kind;

use crate::suite::Bench;
use crate::suite::kafka_load::Pace;
use crate::suite::options::{Name, Peer};
use crate::suite::round::{Plan, measure};
use crate::suite::sides::Side;

/// Holds a second.
const RATES: [u32; 7] = [500, 2_000, 4_000, 8_000, 16_000, 32_000, 48_000];
/// The peer's largest rate: beyond it only its queue is measured.
const MOST_OF_PEERS: u32 = 32_000;
/// A side is not asked for more once its median is above this.
const OVERLOADED_MS: f64 = 1_000.0;

pub(super) fn latency(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Latency.text();
    let load = "places of general admission at one concert in one partition by a clock, straight \
                to Kafka, at growing rates; one round each";
    bench.describe(&name, load);
    let mut sides = vec![Side::Stagedoor];
    if bench.options.has(Peer::KafkaStreams) {
        sides.push(Side::KafkaStreams("20ms"));
    }
    let mut curves = Vec::new();
    for side in sides {
        let (mut medians, mut tails) = (Vec::new(), Vec::new());
        // A quick look takes three of them.
        let step = if bench.options.quick { 3 } else { 1 };
        for rate in RATES.into_iter().step_by(step) {
            let ours = side == Side::Stagedoor;
            if !ours && rate > MOST_OF_PEERS {
                break;
            }
            let (p50, p99) = point(bench, &side, rate)?;
            medians.push((f64::from(rate), p50));
            tails.push((f64::from(rate), p99));
            if p50 > OVERLOADED_MS {
                break;
            }
        }
        for (quantile, points) in [("p50", medians), ("p99", tails)] {
            curves.push(Curve {
                name: format!("{} {quantile}", side.name()),
                points,
            });
        }
    }
    let plot = Plot {
        title: "Latency against load, one partition, straight to Kafka".to_owned(),
        x: ("holds a second".to_owned(), Scale::Logarithmic),
        y: ("latency in ms".to_owned(), Scale::Logarithmic),
        curves,
    };
    bench.plot("latency-against-load", &plot)
}

fn point(bench: &mut Bench, side: &Side, rate: u32) -> anyhow::Result<(f64, f64)> {
    let name = Name::Latency.text();
    let plan = Plan {
        scenario: name.clone(),
        kind: Kind::General,
        partitions: 1,
        requests: u64::from(rate) * bench.sizes.seconds.min(8),
        pace: Pace::Rate(f64::from(rate)),
    };
    let at = format!("{name} at {rate}/s");
    let seen = measure(bench, &plan, side, &at)?;
    let at = format!("{}-at-{rate}", side.name());
    bench.push(&name, &at, &seen.figures());
    let quantile = |figure| {
        let found = bench.results.rounds(&name, &at, figure);
        found.map_or(0.0, stagedoor_bench::measure::rounds::Rounds::median)
    };
    Ok((quantile("p50_ms"), quantile("p99_ms")))
}
