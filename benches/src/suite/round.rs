//! One round of one side that reads commands from Kafka: fresh topics, a warm-up, the measurement,
//! the audit.

use std::collections::BTreeMap;

use stagedoor_bench::measure::machine::busy_cpu_seconds;
use stagedoor_bench::measure::process::{Usage, Watch, own_cpu_seconds, own_peak_bytes};
use stagedoor_bench::mix::Kind;

use super::Bench;
use super::broker::Extent;
use super::kafka_load::{Commands, KafkaLoad, Pace, Played};
use super::profile::{Profile, Samples};
use super::sides::{self, Output, Running, Side};

/// A load that all sides get alike.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Name of the scenario in the results.
    pub(super) scenario: String,
    /// Which requests.
    pub(super) kind: Kind,
    /// Partitions.
    pub(super) partitions: i32,
    /// How many.
    pub(super) requests: u64,
    /// How fast.
    pub(super) pace: Pace,
}

/// What one round saw.
pub(super) struct Seen {
    played: Played,
    application: Usage,
    broker: Usage,
    load_cpu_seconds: f64,
    /// Of everything else on the machine: without it the figures would be better.
    other_cpu_seconds: f64,
    written: BTreeMap<String, Extent>,
}

/// Runs the sides in turn on the warm broker, as many rounds as are asked for.
pub(super) fn compare(bench: &mut Bench, plan: &Plan, peers: &[Side]) -> anyhow::Result<()> {
    let rounds = bench.options.rounds;
    let mut cpu_us_per_answer = 0.0;
    for round in 1..=rounds {
        let at = format!("{} round {round} of {rounds}", plan.scenario);
        let ours = measure(bench, plan, &Side::Stagedoor, &at)?;
        cpu_us_per_answer = ours.cpu_us_per_answer();
        // It writes what the product has just written.
        let outputs = ours.outputs();
        bench.push(&plan.scenario, &Side::Stagedoor.name(), &ours.figures());
        for peer in peers {
            let side = match peer {
                Side::Ceiling(_) => Side::Ceiling(outputs.clone()),
                Side::Stagedoor | Side::KafkaStreams(_) => peer.clone(),
            };
            let seen = measure(bench, plan, &side, &at)?;
            bench.push(&plan.scenario, &side.name(), &seen.figures());
        }
    }
    if bench.options.profile {
        profile(bench, plan, cpu_us_per_answer)?;
    }
    Ok(())
}

/// A round of its own, because sampling takes its share of the machine: it tells shares of what an
/// answer costs without it.
fn profile(bench: &Bench, plan: &Plan, cpu_us_per_answer: f64) -> anyhow::Result<()> {
    let at = format!("{} profiled", plan.scenario);
    let (_, samples) = round(bench, plan, &Side::Stagedoor, &at, true)?;
    bench.progress.step(&format!("{at}: flame graph"));
    let title = format!("stagedoor serve, {}", plan.scenario);
    let file = format!("{}-flame.svg", plan.scenario);
    let file = bench.options.out().join(file);
    samples.map_or(Ok(()), |samples| {
        samples.draw(&title, &file, cpu_us_per_answer)
    })
}

/// One round of one side. Where promises were broken there is no figure but an error.
pub(super) fn measure(bench: &Bench, plan: &Plan, side: &Side, at: &str) -> anyhow::Result<Seen> {
    round(bench, plan, side, at, false).map(|(seen, _)| seen)
}

fn round(
    bench: &Bench,
    plan: &Plan,
    side: &Side,
    at: &str,
    profiled: bool,
) -> anyhow::Result<(Seen, Option<Samples>)> {
    let name = side.name();
    bench.progress.step(&format!("{at}: {name} starts"));
    let application = bench.fresh(&name);
    let mut running = side.start(bench, &application, plan.partitions)?;
    let mut load = KafkaLoad::open(&running.site, &bench.stop)?;
    let commands = Commands::of_mix(plan.kind, plan.requests, "r", plan.partitions)?;
    warm(bench, plan, &mut load, &format!("{at}: {name} warms up"))
        .and_then(|()| load.put_on_sale(&commands))
        .inspect_err(|_| bench.progress.say(&running.process.last_words()))?;
    bench.progress.step(&format!("{at}: {name}"));
    let seen = watched(bench, plan, &application, &running, |progress| {
        let profile = profiled.then(|| Profile::start(running.process.pid(), &bench.work));
        let profile = profile.transpose()?;
        let played = load.play(&commands, plan.requests, plan.pace, progress)?;
        let samples = profile
            .map(|profile| profile.stop(&bench.stop))
            .transpose()?;
        Ok((played, samples))
    });
    let (seen, samples) =
        seen.inspect_err(|_| bench.progress.say(&running.process.last_words()))?;
    running.process.check()?;
    // A reader of topics that are removed complains.
    drop(load);
    finish(bench, running, at)?;
    bench
        .progress
        .say(&format!("{at}: {name} {}", seen.summary()));
    Ok((seen, samples))
}

/// Warms up on concerts of its own: as fast as can be, and then as fast as will be measured,
/// because many small transactions go other ways through a broker than a few large ones.
fn warm(bench: &Bench, plan: &Plan, load: &mut KafkaLoad, step: &str) -> anyhow::Result<()> {
    bench.progress.step(step);
    // Places succeed as often as a hot mix' seats, and there are enough of them.
    let kind = match plan.kind {
        Kind::Headline => Kind::Headline,
        Kind::Hot | Kind::General => Kind::General,
    };
    let mut play = |run, requests, pace| {
        let commands = Commands::of_mix(kind, requests, run, plan.partitions)?;
        load.put_on_sale(&commands)?;
        load.play(&commands, requests, pace, &|done| bench.progress.at(done))?;
        anyhow::Ok(())
    };
    play("w", bench.sizes.warm_up, Pace::AsFast)?;
    if matches!(plan.pace, Pace::Rate(_)) {
        play("v", plan.requests.div_ceil(2), plan.pace)?;
    }
    Ok(())
}

/// Runs the measured part under the eyes of the watches.
fn watched<T>(
    bench: &Bench,
    plan: &Plan,
    application: &str,
    running: &Running,
    play: impl FnOnce(&dyn Fn(u64)) -> anyhow::Result<(Played, T)>,
) -> anyhow::Result<(Seen, T)> {
    let before = bench.broker.extents(application)?;
    let watch = Watch::start(running.process.pid())?;
    let broker = Watch::start(bench.broker.pid)?;
    let (load_before, all_before) = (own_cpu_seconds(), busy_cpu_seconds());
    let (played, more) = play(&|done| bench.progress.at(done))?;
    let load_cpu_seconds = own_cpu_seconds() - load_before;
    let all = busy_cpu_seconds() - all_before;
    let (application_usage, broker) = (watch.stop()?, broker.stop()?);
    let measured = application_usage.cpu_seconds + broker.cpu_seconds + load_cpu_seconds;
    let mut written = bench.broker.extents(application)?;
    for (topic, extent) in &mut written {
        let earlier = before.get(topic).copied().unwrap_or_default();
        extent.records -= earlier.records.min(extent.records);
        extent.bytes -= earlier.bytes.min(extent.bytes);
    }
    anyhow::ensure!(
        plan.kind == Kind::Headline || played.held == played.answers || played.held == 0,
        "{} of {} holds succeeded, and all should have",
        played.held,
        played.answers
    );
    let seen = Seen {
        played,
        application: application_usage,
        broker,
        load_cpu_seconds,
        other_cpu_seconds: (all - measured).max(0.0),
        written,
    };
    Ok((seen, more))
}

/// Ends the side, audits the product's topics, and removes all topics.
fn finish(bench: &Bench, running: Running, at: &str) -> anyhow::Result<()> {
    running.process.end()?;
    if let Some(service) = running.service {
        bench.progress.step(&format!("{at}: audit"));
        bench.audit(&service)?;
    }
    bench.broker.clear()
}

impl Seen {
    fn cpu_us_per_answer(&self) -> f64 {
        self.us_per_answer(&self.application)
    }

    /// What an answer costs the broker.
    pub(super) fn broker_us_per_answer(&self) -> f64 {
        self.us_per_answer(&self.broker)
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 answers")]
    fn us_per_answer(&self, usage: &Usage) -> f64 {
        1e6 * usage.cpu_seconds / self.played.answers.max(1) as f64
    }

    /// The outputs of the product, for the ceiling to write the same.
    pub(super) fn outputs(&self) -> Vec<Output> {
        /// Ids of these concerts are about so long.
        const KEY_BYTES: u64 = 5;
        sides::outputs(self.written.iter(), self.played.answers, KEY_BYTES)
    }

    /// All figures by name.
    pub(super) fn figures(&self) -> Vec<(&'static str, f64)> {
        let played = &self.played;
        let answers = played.answers as f64;
        let outputs = || {
            let others = self.written.iter();
            others.filter(|(topic, _)| !topic.ends_with("commands"))
        };
        let records: u64 = outputs().map(|(_, extent)| extent.records).sum();
        let bytes: u64 = outputs().map(|(_, extent)| extent.bytes).sum();
        let mut figures = vec![
            ("answers", answers),
            ("held", played.held as f64),
            ("seconds", played.seconds),
            ("answers_per_second", answers / played.seconds),
            ("cpu_seconds", self.application.cpu_seconds),
            (
                "answers_per_cpu_second",
                answers / self.application.cpu_seconds.max(0.01),
            ),
            ("peak_bytes", self.application.peak_bytes as f64),
            ("broker_cpu_seconds", self.broker.cpu_seconds),
            ("broker_peak_bytes", self.broker.peak_bytes as f64),
            ("load_cpu_seconds", self.load_cpu_seconds),
            ("other_cpu_seconds", self.other_cpu_seconds),
            ("load_peak_bytes", own_peak_bytes() as f64),
            ("records_per_answer", records as f64 / answers),
            ("bytes_per_answer", bytes as f64 / answers),
        ];
        figures.extend(played.latency_ms.into_iter().flatten());
        figures
    }

    fn summary(&self) -> String {
        let Played {
            answers, seconds, ..
        } = &self.played;
        let latency = self.played.latency_ms.map_or_else(String::new, |latency| {
            let shown = latency.map(|(name, ms)| format!("{name} {ms:.1}"));
            format!(", {}", shown.join(" "))
        });
        format!(
            "{:.0} answers/s in {seconds:.2} s, {:.2} CPU s (broker {:.2}, load {:.2}, others \
             {:.2}), {:.0} MB{latency}",
            *answers as f64 / seconds,
            self.application.cpu_seconds,
            self.broker.cpu_seconds,
            self.load_cpu_seconds,
            self.other_cpu_seconds,
            self.application.peak_bytes as f64 / 1e6
        )
    }
}
