//! What an audit found, and how much it looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The promises that are checked, by their names in the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// A seat has one live owner over all time.
    S1,
    /// Free, held and sold add up to the capacity after every offset.
    S2,
    /// No user has more live seats of a concert than it allows.
    S3,
    /// A hold ends at the first record at or after its deadline: never early, never used late.
    S5,
    /// One answer per accepted command, one effect per key, from then on the same bytes.
    C1,
    /// Stamps: every input has its answer once and in order.
    C3,
    /// No torn set: of what one unit wrote, everything is there.
    C4,
    /// Stored, committed and changelogged positions agree.
    C5,
    /// Replay from offset 0 gives the same bytes.
    D1,
    /// The restored changelog is the live store.
    D2,
    /// After a crash, the store is the replay up to its checkpoint.
    D3,
}

impl Checker {
    /// The promise, in a few words.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::S1 => "a seat has one live owner",
            Self::S2 => "seats add up to the capacity",
            Self::S3 => "limits per user hold",
            Self::S5 => "holds end at their deadline",
            Self::C1 => "one answer, one effect per key",
            Self::C3 => "no input skipped or repeated",
            Self::C4 => "no torn set",
            Self::C5 => "positions agree",
            Self::D1 => "replay gives the same bytes",
            Self::D2 => "the changelog restores the state",
            Self::D3 => "a crashed store is its replay",
        }
    }

    /// The checkers that [`crate::run()`] runs; [`Checker::D3`] is for [`crate::after_crash()`].
    pub const AT_REST: [Self; 10] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S5,
        Self::C1,
        Self::C3,
        Self::C4,
        Self::C5,
        Self::D1,
        Self::D2,
    ];
}

/// Where something stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Full name of the topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl Place {
    /// A place in the log.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32, offset: i64) -> Self {
        Self {
            topic: topic.into(),
            partition,
            offset,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub checker: Checker,
    /// The record that breaks it, or the input it belongs to.
    pub place: Place,
    /// What is wrong, with names and numbers.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.checker, self.place, self.text)
    }
}

/// Most violations of one checker that are kept; the rest is counted.
const KEPT: u64 = 50;

/// The outcome of an audit. A checker that looked at nothing is void, not passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Violations in the order in which they were found.
    pub violations: Vec<Violation>,
    /// Log time up to which results, events or dead letters may have left their topics by
    /// retention: completeness is checked from there on. `None`: from the first command on.
    pub complete_after_ms: Option<i64>,
    /// Command partitions that were looked at.
    pub partitions: usize,
    /// Records that were read.
    pub records: u64,
    found: BTreeMap<Checker, u64>,
    looked_at: BTreeMap<(Checker, &'static str), u64>,
}

impl Report {
    /// Counts what a checker looked at.
    pub(crate) fn look(&mut self, checker: Checker, what: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        *self.looked_at.entry((checker, what)).or_default() += count;
    }

    /// Notes a violation.
    pub(crate) fn find(&mut self, checker: Checker, place: &Place, text: impl Into<String>) {
        let found = self.found.entry(checker).or_default();
        *found += 1;
        if *found <= KEPT {
            self.violations.push(Violation {
                checker,
                place: place.clone(),
                text: text.into(),
            });
        }
    }

    /// Adds another report to this one.
    pub fn merge(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.complete_after_ms = self.complete_after_ms.max(other.complete_after_ms);
        self.partitions += other.partitions;
        self.records += other.records;
        for (checker, count) in other.found {
            *self.found.entry(checker).or_default() += count;
        }
        for (what, count) in other.looked_at {
            *self.looked_at.entry(what).or_default() += count;
        }
    }

    /// How many violations of a checker there are, kept or not.
    #[must_use]
    pub fn found(&self, checker: Checker) -> u64 {
        self.found.get(&checker).copied().unwrap_or_default()
    }

    /// How much of something a checker looked at.
    #[must_use]
    pub fn looked_at(&self, checker: Checker, what: &str) -> u64 {
        let counts = self.looked_at.iter();
        counts
            .filter(|((of, name), _)| *of == checker && *name == what)
            .map(|(_, n)| n)
            .sum()
    }

    /// Everything that a checker looked at, with counts.
    pub fn looked(&self, checker: Checker) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.looked_at.iter();
        let of = counts.filter(move |((of, _), _)| *of == checker);
        of.map(|((_, what), count)| (*what, *count))
    }

    /// The first violation that a checker found.
    #[must_use]
    pub fn first(&self, checker: Checker) -> Option<&Violation> {
        let mut violations = self.violations.iter();
        violations.find(|violation| violation.checker == checker)
    }

    /// Which of these checkers prove nothing: one of the things they look at was not there.
    #[must_use]
    pub fn void(&self, checkers: &[Checker]) -> Vec<Checker> {
        let seen = |checker: &Checker| {
            let mut counts = self
                .looked_at
                .iter()
                .filter(|((of, _), _)| of == checker)
                .peekable();
            counts.peek().is_some() && counts.all(|(_, count)| *count > 0)
        };
        checkers
            .iter()
            .filter(|checker| !seen(checker))
            .copied()
            .collect()
    }

    /// Nothing was found, and every one of these checkers looked at something.
    #[must_use]
    pub fn is_clean(&self, checkers: &[Checker]) -> bool {
        self.violations.is_empty() && self.void(checkers).is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for ((checker, what), count) in &self.looked_at {
            if last != Some(*checker) {
                let separator = if last.is_some() { "\n" } else { "" };
                write!(
                    f,
                    "{separator}{checker:?} {} found; looked at",
                    self.found(*checker)
                )?;
            } else {
                write!(f, ",")?;
            }
            write!(f, " {count} {what}")?;
            last = Some(*checker);
        }
        for void in self.looked_at.iter().filter(|(_, count)| **count == 0) {
            write!(f, "\n{:?} is void: it saw no {}", void.0.0, void.0.1)?;
        }
        for violation in &self.violations {
            write!(f, "\n{violation}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_that_looked_at_nothing_is_void_and_the_report_says_so() {
        let mut report = Report::default();
        report.look(Checker::S1, "seats", 3);
        report.look(Checker::S2, "seats", 0);
        assert_eq!(
            report.void(&[Checker::S1, Checker::S2, Checker::S3]),
            [Checker::S2, Checker::S3]
        );
        assert!(report.to_string().contains("S2 is void: it saw no seats"));
        assert!(!report.is_clean(&[Checker::S2]) && report.is_clean(&[Checker::S1]));
    }

    #[test]
    fn violations_are_counted_even_where_they_are_no_longer_kept() {
        let mut report = Report::default();
        for offset in 0..80 {
            report.find(Checker::C3, &Place::new("t", 0, offset), "gap");
        }
        assert_eq!(
            (report.found(Checker::C3), report.violations.len()),
            (80, 50)
        );
    }
}
