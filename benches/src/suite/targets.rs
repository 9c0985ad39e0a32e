//! What is claimed: each target beside the figure that it is about.

use stagedoor_bench::measure::results::Results;
use stagedoor_bench::measure::rounds::Rounds;

/// The side that every target is about.
const OURS: &str = "stagedoor";

/// How a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A count or a rate.
    Number,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Memory.
    Megabytes,
    /// A part of a whole.
    Percent,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// So many times as much as another side has, or more.
    Times(f64, &'static str),
}

/// One target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) scenario: &'static str,
    pub(super) figure: &'static str,
    pub(super) unit: Unit,
    pub(super) wanted: Wanted,
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is.
    Met,
    /// It is not: what was measured is this part of what was wanted, or this many times it where
    /// less is better.
    Missed(f64),
    /// Nothing was measured.
    Unknown,
}

const fn target(
    scenario: &'static str,
    figure: &'static str,
    unit: Unit,
    wanted: Wanted,
) -> Target {
    Target {
        scenario,
        figure,
        unit,
        wanted,
    }
}

/// All targets, in the order of the table.
pub(super) const TARGETS: &[Target] = {
    use Unit::{Megabytes, Milliseconds, Number, Percent, Seconds};
    use Wanted::{AtLeast, AtMost, Times};
    const RATE: &str = "answers_per_second";
    const PER_CPU: &str = "answers_per_cpu_second";
    const PEAK: &str = "peak_bytes";
    &[
        target("headline", "seconds", Seconds, AtMost(4.0)),
        target("headline", RATE, Number, Times(0.6, "ceiling")),
        target("headline", RATE, Number, Times(1.8, "kafka-streams-100ms")),
        target(
            "headline",
            PER_CPU,
            Number,
            Times(3.0, "kafka-streams-100ms"),
        ),
        target("headline", PEAK, Megabytes, AtMost(150e6)),
        target("hot", RATE, Number, AtLeast(80_000.0)),
        target("hot", RATE, Number, Times(0.5, "ceiling")),
        target("hot", RATE, Number, Times(2.0, "kafka-streams-100ms")),
        target("hot", PER_CPU, Number, Times(3.0, "kafka-streams-100ms")),
        target("hot-seats", RATE, Number, AtLeast(80_000.0)),
        target("hot-seats", RATE, Number, Times(0.5, "ceiling")),
        target("hot-seats", RATE, Number, Times(2.0, "kafka-streams-100ms")),
        target(
            "hot-seats",
            PER_CPU,
            Number,
            Times(3.0, "kafka-streams-100ms"),
        ),
        target("open-loop", "p50_ms", Milliseconds, AtMost(12.0)),
        target("open-loop", "p99_ms", Milliseconds, AtMost(60.0)),
        target("http", RATE, Number, AtLeast(20_000.0)),
        target("http-open-half", "p50_ms", Milliseconds, AtMost(25.0)),
        target("http-open-half", "p99_ms", Milliseconds, AtMost(100.0)),
        target("http-open-100", "p50_ms", Milliseconds, AtMost(8.0)),
        target(
            "redis-postgres",
            PER_CPU,
            Number,
            Times(5.0, "redis-postgres"),
        ),
        target("restart", "restored_per_second", Number, AtLeast(500_000.0)),
        target("restart", "first_commit_seconds", Seconds, AtMost(1.0)),
        target("overload", "goodput", Percent, AtLeast(0.9)),
        target("overload", PEAK, Megabytes, AtMost(512e6)),
        target("overload", "recovery_seconds", Seconds, AtMost(10.0)),
        target("embedded", "holds_per_second", Number, AtLeast(100_000.0)),
    ]
};

impl Target {
    /// The rounds of the figure.
    pub(super) fn rounds<'a>(&self, results: &'a Results) -> Option<&'a Rounds> {
        let found = results.rounds(self.scenario, OURS, self.figure);
        found.filter(|rounds| !rounds.is_empty())
    }

    /// The same figure of the side that it is compared with.
    pub(super) fn beside<'a>(&self, results: &'a Results) -> Option<&'a Rounds> {
        let Wanted::Times(_, side) = self.wanted else {
            return None;
        };
        let found = results.rounds(self.scenario, side, self.figure);
        found.filter(|rounds| !rounds.is_empty())
    }

    /// Whether it is met.
    pub(super) fn verdict(&self, results: &Results) -> Verdict {
        let Some(rounds) = self.rounds(results) else {
            return Verdict::Unknown;
        };
        let median = rounds.median();
        match self.wanted {
            Wanted::AtLeast(least) if median >= least => Verdict::Met,
            Wanted::AtLeast(least) => Verdict::Missed(median / least),
            Wanted::AtMost(most) if median <= most => Verdict::Met,
            Wanted::AtMost(most) => Verdict::Missed(median / most),
            Wanted::Times(times, _) => match self.beside(results) {
                None => Verdict::Unknown,
                Some(beside) if rounds.ratio(beside) >= times => Verdict::Met,
                Some(beside) => Verdict::Missed(rounds.ratio(beside) / times),
            },
        }
    }
}

impl Unit {
    /// A figure for people.
    pub(super) fn show(self, figure: f64) -> String {
        match self {
            Self::Number => thousands(figure),
            Self::Seconds => format!("{figure:.2} s"),
            Self::Milliseconds => format!("{figure:.1} ms"),
            Self::Megabytes => format!("{:.0} MB", figure / 1e6),
            Self::Percent => format!("{:.0} %", figure * 100.0),
        }
    }
}

/// 1234567 is 1,234,567.
fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn results(figures: &[(&str, &str, f64)]) -> Results {
        let mut results = Results::new(Path::new("/"));
        for (side, figure, value) in figures {
            results.push("s", side, figure, *value);
        }
        results
    }

    fn verdict(wanted: Wanted, figures: &[(&str, &str, f64)]) -> Verdict {
        target("s", "f", Unit::Number, wanted).verdict(&results(figures))
    }

    #[test]
    fn a_bound_is_met_at_the_bound_and_missed_by_a_part() {
        let ours = [(OURS, "f", 80.0)];
        assert_eq!(verdict(Wanted::AtLeast(80.0), &ours), Verdict::Met);
        assert_eq!(verdict(Wanted::AtLeast(100.0), &ours), Verdict::Missed(0.8));
        assert_eq!(verdict(Wanted::AtMost(80.0), &ours), Verdict::Met);
        assert_eq!(verdict(Wanted::AtMost(40.0), &ours), Verdict::Missed(2.0));
    }

    #[test]
    fn a_ratio_needs_both_sides() {
        let wanted = Wanted::Times(2.0, "peer");
        let (ours, peer) = ((OURS, "f", 80.0), ("peer", "f", 40.0));
        assert_eq!(verdict(wanted, &[ours, peer]), Verdict::Met);
        assert_eq!(
            verdict(wanted, &[ours, ("peer", "f", 80.0)]),
            Verdict::Missed(0.5)
        );
        assert_eq!(verdict(wanted, &[ours]), Verdict::Unknown);
        assert_eq!(verdict(wanted, &[peer]), Verdict::Unknown);
    }

    #[test]
    fn figures_are_shown_for_people() {
        assert_eq!(Unit::Number.show(1_234_567.4), "1,234,567");
        assert_eq!(Unit::Number.show(999.0), "999");
        assert_eq!(Unit::Megabytes.show(150e6), "150 MB");
        assert_eq!(Unit::Percent.show(0.9), "90 %");
    }
}
