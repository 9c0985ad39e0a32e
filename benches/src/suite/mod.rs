//! `stagedoor-bench suite`, which `./bench` runs: everything that is claimed, measured beside what
//! it is compared with, on one warm broker.
//!
//! Reading order: `options`, `scenarios` (what is measured), `round` (one side, once), `kafka_load`
//! and `sides` (who sends, who decides), `targets` and `table` (what it means). Below them:
//! `children` and `broker` (processes), `checks` and `stop` (how it begins and ends).

mod broker;
mod budget;
mod checks;
mod children;
mod http;
mod kafka_load;
mod options;
mod profile;
mod progress;
mod round;
mod scenarios;
mod service;
mod sides;
mod stop;
mod table;
mod targets;

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use stagedoor_bench::measure::plot::Plot;
use stagedoor_bench::measure::results::Results;

pub(crate) use options::SuiteArgs;

use broker::Broker;
use checks::Work;
use options::{Peer, Sizes};
use progress::Progress;
use service::ServiceOptions;
use stop::{Interrupted, Stop};

/// Of shells, for a process that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// What every scenario works with.
struct Bench {
    options: SuiteArgs,
    sizes: Sizes,
    root: PathBuf,
    work: PathBuf,
    stop: Stop,
    progress: Progress,
    broker: Broker,
    results: Results,
    applications: Cell<u32>,
}

/// Measures, and tells in a sentence why it does not.
pub(crate) fn run(options: &SuiteArgs) -> ExitCode {
    measured(options).unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        if error.is::<Interrupted>() {
            ExitCode::from(INTERRUPTED)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Checks, measures, and writes down what was seen. The table goes to standard output.
fn measured(options: &SuiteArgs) -> anyhow::Result<ExitCode> {
    let stop = Stop::listen()?;
    let root = fs::canonicalize(&options.root)
        .with_context(|| format!("--root {}", options.root.display()))?;
    let shared = std::env::temp_dir().join("stagedoor-bench");
    checks::check(&shared, &options.out(), options.disk_gib())?;
    if options.profile {
        profile::check()?;
    }
    let work = Work::take(&root, &shared)?;
    if !options.beside_others {
        checks::check_alone()?;
    }
    let progress = Progress::new();
    progress.step("the broker starts");
    let broker = match Broker::start(&root, &work.directory, &stop) {
        Err(_) if stop.is_set() => return Err(Interrupted.into()),
        started => started?,
    };
    let mut results = Results::new(&root);
    results.quick = options.quick;
    let mut bench = Bench {
        sizes: options.sizes(),
        options: options.clone(),
        root,
        work: work.directory.clone(),
        stop,
        progress,
        broker,
        results,
        applications: Cell::new(0),
    };
    let failures = bench.measure()?;
    Ok(bench.close(&failures))
}

impl Bench {
    /// Runs the scenarios that were chosen. One that fails has no figures, and the others go on.
    fn measure(&mut self) -> anyhow::Result<Vec<String>> {
        let mut failures = Vec::new();
        if let Err(error) = self.prepare() {
            failures.push(format!("{error:#}"));
            return Ok(failures);
        }
        for name in self.options.chosen() {
            if self.stop.is_set() {
                break;
            }
            if let Err(error) = scenarios::run(self, name) {
                if self.stop.is_set() {
                    break;
                }
                let failure = format!("{}: {error:#}", name.text());
                self.progress.say(&failure);
                self.results.scenarios.remove(&name.text());
                failures.push(failure);
                self.broker.clear()?;
            }
            self.write()?;
        }
        Ok(failures)
    }

    /// Compiles the peers, and warms the broker: its age alone moves figures threefold.
    fn prepare(&self) -> anyhow::Result<()> {
        if self.options.has(Peer::KafkaStreams) {
            self.progress.step("the Kafka Streams peer is compiled");
            sides::build_streams(self)?;
        }
        scenarios::warm_up(self)
    }

    /// Writes the document last, prints the table, and tells how it went.
    #[expect(clippy::print_stdout, reason = "the table is what the command is for")]
    fn close(mut self, failures: &[String]) -> ExitCode {
        self.progress.clear();
        let interrupted = self.stop.is_set();
        self.results.complete = failures.is_empty() && !interrupted;
        let table = table::table(&self.results, interrupted);
        println!("{table}");
        for failure in failures {
            println!("\nNO FIGURES: {failure}");
        }
        let file = self.options.out().join("table.md");
        let written = self.write().and_then(|()| Ok(fs::write(&file, table)?));
        if let Err(error) = written {
            eprintln!("bench: the results cannot be written: {error:#}");
            return ExitCode::FAILURE;
        }
        match (interrupted, failures.is_empty()) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        }
    }

    fn write(&self) -> anyhow::Result<()> {
        let file = self.options.out().join("results.json");
        self.results
            .write(&file)
            .with_context(|| file.display().to_string())
    }

    /// An application id that no other round has.
    fn fresh(&self, side: &str) -> String {
        let number = self.applications.get() + 1;
        self.applications.set(number);
        format!("{side}-r{number}x")
    }

    /// The product as the only instance of an application.
    fn service(&self, application: &str, partitions: i32) -> ServiceOptions {
        let built = std::env::current_exe().unwrap_or_default();
        ServiceOptions {
            program: built.with_file_name("stagedoor"),
            bootstrap_servers: self.broker.bootstrap_servers.clone(),
            application: application.to_owned(),
            instance: "one".to_owned(),
            partitions,
            directory: self.work.join(application),
            core: None,
        }
    }

    /// Proves that a service kept its promises, and removes what it has left on the disk.
    fn audit(&self, service: &ServiceOptions) -> anyhow::Result<()> {
        service
            .audit(&self.stop)
            .context("the audit found broken promises, so there is no figure")?;
        Ok(fs::remove_dir_all(&service.directory)?)
    }

    /// Adds a round.
    fn push(&mut self, scenario: &str, side: &str, figures: &[(&'static str, f64)]) {
        for (figure, value) in figures {
            self.results.push(scenario, side, figure, *value);
        }
    }

    /// Says what the load of a scenario is.
    fn describe(&mut self, scenario: &str, load: &str) {
        let scenario = self.results.scenarios.entry(scenario.to_owned());
        load.clone_into(&mut scenario.or_default().load);
    }

    /// Draws a plot beside the results.
    fn plot(&self, name: &str, plot: &Plot) -> anyhow::Result<()> {
        let file = self.options.out().join(format!("{name}.svg"));
        plot.write(&file)
            .with_context(|| file.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::options::Name;
    use super::*;

    #[test]
    fn every_target_is_about_a_scenario_that_is_run() {
        use clap::ValueEnum as _;
        let names: Vec<String> = Name::value_variants().iter().map(|it| it.text()).collect();
        for target in targets::TARGETS {
            let run = names.iter().any(|name| target.scenario.starts_with(name));
            assert!(run, "{}", target.scenario);
        }
    }
}
