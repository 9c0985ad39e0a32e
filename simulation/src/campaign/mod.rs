//! A campaign: the same seed twice, the kept scripts, then one seed after the other.

mod report;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

pub use report::{CampaignReport, Failure};

use crate::regressions;
use crate::run::{Outcome, Wanted, run};
use crate::schedule;
use crate::script::Script;
use crate::shrink::shrink;

/// Seeds that are played twice before everything else.
const TWICE: u64 = 6;

/// What to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Campaign {
    /// The first seed; the others follow it.
    pub first_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// When to stop even if seeds are left.
    pub at_most: Option<Duration>,
}

impl Campaign {
    /// Plays it, with a progress bar on a terminal. It stops at the first broken promise.
    #[must_use]
    pub fn play(&self) -> CampaignReport {
        let began = Instant::now();
        let mut report = CampaignReport::new(self.first_seed);
        self.play_twice(&mut report);
        if report.failure.is_none() {
            play_kept(&mut report);
        }
        let bar = progress(self.seeds);
        for seed in self.first_seed..self.first_seed.saturating_add(self.seeds) {
            let late = self.at_most.is_some_and(|most| began.elapsed() >= most);
            if report.failure.is_some() || late {
                break;
            }
            let script = schedule::script(seed);
            let outcome = run(&script, Wanted::default());
            report.add(&outcome);
            bar.inc(1);
            if outcome.violation.is_some() {
                bar.suspend(|| report.fail(failure(format!("seed {seed}"), &script, &outcome)));
            }
        }
        bar.finish_and_clear();
        report.took = began.elapsed();
        report
    }

    /// The same seed twice must give the same bytes, or no other result could be repeated.
    fn play_twice(&self, report: &mut CampaignReport) {
        for seed in self.first_seed..self.first_seed + self.seeds.min(TWICE) {
            let script = schedule::script(seed);
            let wanted = Wanted {
                fingerprint: true,
                trace: true,
            };
            let (first, second) = (run(&script, wanted), run(&script, wanted));
            report.played_twice += 1;
            if first != second {
                report.fail(Failure::of_two_runs(seed, &first.trace, &second.trace));
                return;
            }
        }
    }
}

fn play_kept(report: &mut CampaignReport) {
    let kept = match regressions::all() {
        Ok(kept) => kept,
        Err(why) => return report.fail(Failure::of_the_file(why)),
    };
    for (name, script) in kept {
        let outcome = run(&script, Wanted::default());
        report.kept += 1;
        if outcome.violation.is_some() {
            return report.fail(failure(
                format!("the kept script {name:?}"),
                &script,
                &outcome,
            ));
        }
    }
}

/// A broken promise with the shortest script that breaks it.
fn failure(of: String, script: &Script, outcome: &Outcome) -> Failure {
    let shortest = shrink(script, outcome);
    let again = run(
        &shortest,
        Wanted {
            trace: true,
            ..Wanted::default()
        },
    );
    let violation = again.violation.as_ref().or(outcome.violation.as_ref());
    Failure {
        of,
        seed: Some(script.seed),
        violation: violation.map(ToString::to_string).unwrap_or_default(),
        script: shortest.to_string(),
        trace: again.trace,
    }
}

fn progress(seeds: u64) -> ProgressBar {
    let bar = ProgressBar::new(seeds);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// One seed, told step by step.
#[must_use]
pub fn tell_seed(seed: u64) -> CampaignReport {
    tell(&schedule::script(seed), format!("seed {seed}"))
}

/// One script, told step by step.
///
/// # Errors
/// What is wrong with the script, and in which line.
pub fn tell_script(text: &str) -> Result<CampaignReport, String> {
    let script = crate::script::parse(text)?;
    Ok(tell(&script, "the script".to_owned()))
}

fn tell(script: &Script, of: String) -> CampaignReport {
    let began = Instant::now();
    let outcome = run(
        script,
        Wanted {
            trace: true,
            ..Wanted::default()
        },
    );
    let mut report = CampaignReport::new(script.seed);
    report.add(&outcome);
    report.trace.clone_from(&outcome.trace);
    if outcome.violation.is_some() {
        report.fail(failure(of, script, &outcome));
    }
    report.took = began.elapsed();
    report
}

/// Adds counts by name.
fn add(to: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        *to.entry(name.clone()).or_default() += count;
    }
}
