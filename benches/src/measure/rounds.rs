//! Rounds of one figure: the middle one counts, and the spread says how much.

use serde::{Serialize, Serializer};

/// Figures of the same thing, in the order of their rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Number of rounds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle figure; of an even number the mean of the two middle ones; 0 of none.
    #[must_use]
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        let half = sorted.len() / 2;
        match sorted.get(half) {
            None => 0.0,
            Some(upper) if sorted.len() % 2 == 1 => *upper,
            Some(upper) => f64::midpoint(sorted[half - 1], *upper),
        }
    }

    /// The smallest; 0 of none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.sorted().first().copied().unwrap_or(0.0)
    }

    /// The largest; 0 of none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(0.0)
    }

    /// Largest less smallest as a share of the median; 0 of none.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let median = self.median();
        if median == 0.0 {
            0.0
        } else {
            (self.max() - self.min()) / median
        }
    }

    /// The median of this against that of `other`, such as `1.8` for 1.8 times as much; 0 against
    /// nothing.
    #[must_use]
    pub fn ratio(&self, other: &Self) -> f64 {
        let other = other.median();
        if other == 0.0 {
            0.0
        } else {
            self.median() / other
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Rounds {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

impl Serialize for Rounds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            median: f64,
            min: f64,
            max: f64,
            spread: f64,
            rounds: &'a [f64],
        }
        let shown = Shown {
            median: self.median(),
            min: self.min(),
            max: self.max(),
            spread: self.spread(),
            rounds: &self.0,
        };
        shown.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts_and_an_outlier_does_not() {
        let rounds: Rounds = [10.0, 1_000.0, 12.0].into_iter().collect();
        assert_eq!(
            (rounds.median(), rounds.min(), rounds.max()),
            (12.0, 10.0, 1_000.0)
        );
        let even: Rounds = [1.0, 4.0, 2.0, 100.0].into_iter().collect();
        assert_eq!(even.median(), 3.0);
        assert_eq!(even.spread(), 33.0);
        assert_eq!(even.ratio(&rounds), 0.25);
    }

    #[test]
    fn nothing_measured_is_zero_and_no_division() {
        let none = Rounds::default();
        assert_eq!(
            (none.median(), none.spread(), none.ratio(&none)),
            (0.0, 0.0, 0.0)
        );
    }
}
