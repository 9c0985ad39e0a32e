//! What a campaign found, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::add;
use crate::run::Outcome;
use crate::sometimes::{self, RUNS_TO_BE_SURE};

/// What a campaign has seen.
#[derive(Debug, Clone, Default)]
pub struct CampaignReport {
    /// The first seed.
    pub first_seed: u64,
    /// Seeds that were played, without those that were played twice at the start.
    pub seeds: u64,
    /// Seeds that were played twice and gave the same bytes.
    pub played_twice: u64,
    /// Kept scripts that were played.
    pub kept: u64,
    /// How often what happened.
    pub counters: BTreeMap<String, u64>,
    /// The first broken promise.
    pub failure: Option<Failure>,
    /// What happened step by step, of a single run.
    pub trace: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// A broken promise, and how to see it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// What was played.
    pub of: String,
    /// Its seed, if it has one.
    pub seed: Option<u64>,
    /// The checker and what it found.
    pub violation: String,
    /// The shortest script that breaks the same promise.
    pub script: String,
    /// What happens in it, step by step.
    pub trace: Vec<String>,
}

impl Failure {
    /// Two runs of one seed differ.
    pub(super) fn of_two_runs(seed: u64, first: &[String], second: &[String]) -> Self {
        let differs = first.iter().zip(second).find(|(one, other)| one != other);
        let (one, other) = differs.map_or(("", ""), |(one, other)| (one.as_str(), other.as_str()));
        Self {
            of: format!("seed {seed} played twice"),
            seed: Some(seed),
            violation: format!("two runs of one seed differ: {one:?} and {other:?}"),
            ..Self::default()
        }
    }

    pub(super) fn of_the_file(why: String) -> Self {
        Self {
            of: "simulation/regressions.txt".to_owned(),
            violation: why,
            ..Self::default()
        }
    }
}

impl CampaignReport {
    pub(super) fn new(first_seed: u64) -> Self {
        Self {
            first_seed,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        add(&mut self.counters, &outcome.counters);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Records that were sent as commands.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.counters.get("records sent").copied().unwrap_or(0)
    }

    /// What has to happen sometimes and never did. A campaign with any is void, not passed; a
    /// short one may be unlucky.
    #[must_use]
    pub fn never(&self) -> Vec<&'static str> {
        match self.seeds {
            0..RUNS_TO_BE_SURE => Vec::new(),
            _ => sometimes::never(&self.counters),
        }
    }

    /// No promise was broken, and enough happened to say so.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failure.is_none() && self.never().is_empty() && self.commands() > 0
    }
}

impl fmt::Display for CampaignReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        for (name, count) in &self.counters {
            writeln!(f, "{count:>12}  {name}")?;
        }
        let (seeds, commands, seconds) = (self.seeds, self.commands(), self.took.as_secs());
        writeln!(
            f,
            "{seeds} seeds from {} with {commands} commands in {seconds} s; {} played twice, {} kept scripts",
            self.first_seed, self.played_twice, self.kept
        )?;
        for name in self.never() {
            writeln!(f, "VOID: never happened: {name}")?;
        }
        match &self.failure {
            Some(failure) => failure.fmt(f),
            None if self.passed() => writeln!(f, "0 violations"),
            None => writeln!(f, "nothing is proven by this"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.script.is_empty() {
            writeln!(
                f,
                "the shortest script that breaks the same promise:\n\n{}",
                self.script
            )?;
            writeln!(f, "what happens in it:\n")?;
            for line in &self.trace {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "\nVIOLATION in {}: {}", self.of, self.violation)?;
        match self.seed {
            Some(seed) => writeln!(f, "again: stagedoor simulate --seed {seed}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_campaign_in_which_something_never_happened_is_void() {
        let mut report = CampaignReport::new(7);
        report.counters.insert("records sent".to_owned(), 9);
        report.seeds = RUNS_TO_BE_SURE - 1;
        assert!(report.passed());
        report.seeds = RUNS_TO_BE_SURE;
        assert!(!report.passed());
        assert!(
            report
                .to_string()
                .contains("VOID: never happened: answer ok")
        );
    }

    #[test]
    fn a_campaign_without_a_command_proves_nothing() {
        let report = CampaignReport::new(7);
        assert!(!report.passed() && report.to_string().contains("nothing is proven"));
    }

    #[test]
    fn a_failure_says_how_to_see_it_again() {
        let mut report = CampaignReport::new(7);
        report.fail(Failure::of_two_runs(
            9,
            &["a".to_owned()],
            &["b".to_owned()],
        ));
        let text = report.to_string();
        assert!(text.contains("VIOLATION in seed 9 played twice: two runs of one seed differ"));
        assert!(text.contains("stagedoor simulate --seed 9"), "{text}");
    }
}
