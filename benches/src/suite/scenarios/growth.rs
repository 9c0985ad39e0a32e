//! What a command costs as things grow: partitions, concerts, instances, state. Plots, one round
//! each.

use stagedoor_bench::measure::plot::{Curve, Plot, Scale};
use stagedoor_bench::measure::process::{Usage, Watch};

use crate::suite::Bench;
use crate::suite::kafka_load::{Commands, KafkaLoad, Pace};
use crate::suite::options::Name;
use crate::suite::service::{Service, ServiceOptions};

const PARTITIONS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const CONCERTS: [u32; 5] = [1, 10, 100, 1_000, 10_000];
const INSTANCES: [u32; 3] = [1, 2, 4];
/// Holds in the store when a command's cost is measured.
const STATES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// Points of each series that a quick look takes.
const FIRST: usize = 2;
/// Holds that are made between two looks at the state.
const CHUNK: u64 = 1_000_000;

/// One point: what is running, and over how much it is spread.
#[derive(Clone, Copy)]
struct Point {
    partitions: u32,
    concerts: u32,
    instances: u32,
}

/// What a point costs.
struct Cost {
    answers_per_second: f64,
    cpu_us_per_answer: f64,
}

pub(super) fn growth(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Growth.text();
    let load = format!(
        "{} places of general admission in all concerts in turn, straight to Kafka, as fast as \
         can be; one round each",
        bench.sizes.point
    );
    bench.describe(&name, &load);
    let of_partitions = PARTITIONS.map(|partitions| Point {
        partitions,
        concerts: partitions,
        instances: 1,
    });
    let of_concerts = CONCERTS.map(|concerts| Point {
        partitions: 5,
        concerts,
        instances: 1,
    });
    let of_instances = INSTANCES.map(|instances| Point {
        partitions: 16,
        concerts: 16,
        instances,
    });
    series(bench, "partitions", &of_partitions, |point| {
        point.partitions
    })?;
    series(bench, "concerts", &of_concerts, |point| point.concerts)?;
    series(bench, "instances", &of_instances, |point| point.instances)?;
    of_state(bench)
}

/// Measures points one after the other, and draws them against what grows.
fn series(
    bench: &mut Bench,
    grows: &str,
    points: &[Point],
    of: fn(&Point) -> u32,
) -> anyhow::Result<()> {
    let mut costs = Vec::new();
    for point in points.iter().take(most_points(bench)) {
        let at = format!("growth: {} {grows}", of(point));
        let cost = once(bench, &at, *point)?;
        note(bench, &format!("{grows}-{}", of(point)), &cost);
        costs.push((f64::from(of(point)), cost));
    }
    draw(bench, grows, &costs)
}

fn most_points(bench: &Bench) -> usize {
    if bench.options.quick {
        FIRST
    } else {
        usize::MAX
    }
}

fn draw(bench: &Bench, grows: &str, costs: &[(f64, Cost)]) -> anyhow::Result<()> {
    let plot = |file: &str, what: &str, unit: &str, of: fn(&Cost) -> f64| {
        let curve = Curve {
            name: "stagedoor".to_owned(),
            points: costs.iter().map(|(at, cost)| (*at, of(cost))).collect(),
        };
        let plot = Plot {
            title: format!("{what} against {grows}"),
            x: (grows.to_owned(), Scale::Logarithmic),
            y: (unit.to_owned(), Scale::Linear),
            curves: vec![curve],
        };
        bench.plot(
            &format!("{file}-against-{}", grows.replace(' ', "-")),
            &plot,
        )
    };
    plot("throughput", "Throughput", "holds a second", |cost| {
        cost.answers_per_second
    })?;
    plot(
        "cost",
        "Processor time of the service",
        "µs a hold",
        |cost| cost.cpu_us_per_answer,
    )
}

fn note(bench: &mut Bench, side: &str, cost: &Cost) {
    let Cost {
        answers_per_second,
        cpu_us_per_answer,
    } = *cost;
    bench.progress.say(&format!(
        "growth {side}: {answers_per_second:.0} holds/s, {cpu_us_per_answer:.1} µs each"
    ));
    let figures = [
        ("answers_per_second", answers_per_second),
        ("cpu_us_per_answer", cpu_us_per_answer),
    ];
    bench.push(&Name::Growth.text(), side, &figures);
}

fn once(bench: &Bench, at: &str, point: Point) -> anyhow::Result<Cost> {
    bench.progress.step(at);
    let mut instances = Instances::start(bench, point)?;
    let (concerts, partitions) = (u64::from(point.concerts), instances.options.partitions);
    let mut load = KafkaLoad::open(&instances.options.site(), &bench.stop)?;
    let count = bench.sizes.point;
    let warm_up = bench.sizes.warm_up.min(count);
    let warming = Commands::spread(concerts, warm_up, "w", partitions)?;
    load.put_on_sale(&warming)?;
    load.play(&warming, warm_up, Pace::AsFast, &|done| {
        bench.progress.at(done)
    })?;
    let commands = Commands::spread(concerts, count, "r", partitions)?;
    load.put_on_sale(&commands)?;
    let cost = instances.cost(bench, &mut load, &commands, count)?;
    drop(load);
    instances.finish(bench)?;
    Ok(cost)
}

/// One service whose store grows, looked at as it does.
fn of_state(bench: &mut Bench) -> anyhow::Result<()> {
    let point = Point {
        partitions: 5,
        concerts: 5,
        instances: 1,
    };
    let mut instances = Instances::start(bench, point)?;
    let partitions = instances.options.partitions;
    let mut load = KafkaLoad::open(&instances.options.site(), &bench.stop)?;
    let looked = bench.sizes.point / 4;
    let (mut held, mut costs) = (0, Vec::new());
    for state in STATES.into_iter().take(most_points(bench)) {
        while held < state {
            let chunk = CHUNK.min(state - held);
            bench
                .progress
                .step(&format!("growth: {held} holds in the store"));
            let commands = Commands::spread(5, chunk, &format!("g{held}"), partitions)?;
            load.put_on_sale(&commands)?;
            load.play(&commands, chunk, Pace::AsFast, &|done| {
                bench.progress.at(done)
            })?;
            held += chunk;
        }
        let commands = Commands::spread(5, looked, &format!("s{held}"), partitions)?;
        load.put_on_sale(&commands)?;
        let cost = instances.cost(bench, &mut load, &commands, looked)?;
        note(bench, &format!("holds-{state}"), &cost);
        costs.push((state as f64, cost));
        held += looked;
    }
    drop(load);
    instances.finish(bench)?;
    draw(bench, "holds in the store", &costs)
}

/// The processes of one application.
struct Instances {
    options: ServiceOptions,
    services: Vec<Service>,
}

impl Instances {
    fn start(bench: &Bench, point: Point) -> anyhow::Result<Self> {
        let application = bench.fresh("growth");
        let options = bench.service(&application, i32::try_from(point.partitions)?);
        let mut services = Vec::new();
        for number in 0..point.instances {
            let one = ServiceOptions {
                instance: format!("i{number}"),
                ..options.clone()
            };
            services.push(one.start(&bench.stop)?);
        }
        Ok(Self { options, services })
    }

    fn cost(
        &mut self,
        bench: &Bench,
        load: &mut KafkaLoad,
        commands: &Commands,
        count: u64,
    ) -> anyhow::Result<Cost> {
        let pids = self.services.iter().map(|service| service.process.pid());
        let watches: Vec<Watch> = pids.map(Watch::start).collect::<Result<_, _>>()?;
        let played = load.play(commands, count, Pace::AsFast, &|done| {
            bench.progress.at(done)
        })?;
        let used = watches.into_iter().map(Watch::stop);
        let used: Vec<Usage> = used.collect::<Result<_, _>>()?;
        let cpu_seconds: f64 = used.iter().map(|usage| usage.cpu_seconds).sum();
        anyhow::ensure!(
            played.held == count,
            "{} of {count} holds succeeded, and all should have",
            played.held
        );
        Ok(Cost {
            answers_per_second: count as f64 / played.seconds,
            cpu_us_per_answer: cpu_seconds * 1e6 / count as f64,
        })
    }

    fn finish(self, bench: &Bench) -> anyhow::Result<()> {
        for service in self.services {
            service.process.end()?;
        }
        bench.audit(&self.options)?;
        bench.broker.clear()
    }
}
