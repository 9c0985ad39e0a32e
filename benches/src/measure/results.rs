//! The document of a measurement: everything that was seen, as JSON.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::machine::Machine;
use super::revision::Revision;
use super::rounds::Rounds;

/// A whole measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// What was measured.
    pub revision: Revision,
    /// Where.
    pub machine: Machine,
    /// Whether it came to its end. An interrupted one is no evidence.
    pub complete: bool,
    /// Whether counts were small. Such a one is a look, and no evidence either.
    pub quick: bool,
    /// By name of the scenario.
    pub scenarios: BTreeMap<String, Scenario>,
}

/// One scenario: all its sides under the same load, in turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scenario {
    /// The load in a sentence.
    pub load: String,
    /// By name of the side, such as `stagedoor` or `kafka-streams`.
    pub sides: BTreeMap<String, Side>,
}

/// One side of a scenario: by name of the figure with its unit, such as `answers_per_second`.
pub type Side = BTreeMap<String, Rounds>;

impl Results {
    /// An empty document of this machine and a work tree, incomplete until its writer says
    /// otherwise.
    #[must_use]
    pub fn new(work_tree: &Path) -> Self {
        Self {
            revision: Revision::of(work_tree),
            machine: Machine::this(),
            complete: false,
            quick: false,
            scenarios: BTreeMap::new(),
        }
    }

    /// Adds one round of a figure.
    pub fn push(&mut self, scenario: &str, side: &str, figure: &str, value: f64) {
        let scenario = self.scenarios.entry(scenario.to_owned()).or_default();
        let side = scenario.sides.entry(side.to_owned()).or_default();
        side.entry(figure.to_owned()).or_default().push(value);
    }

    /// The rounds of a figure.
    #[must_use]
    pub fn rounds(&self, scenario: &str, side: &str, figure: &str) -> Option<&Rounds> {
        self.scenarios.get(scenario)?.sides.get(side)?.get(figure)
    }

    /// Writes the document. A file is there whole or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let partial = file.with_extension("partial");
        std::fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(partial, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_where_what_and_whether_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut results = Results::new(directory.path());
        for figure in [3.0, 1.0, 2.0] {
            results.push("hot", "stagedoor", "answers_per_second", figure);
        }
        assert_eq!(
            results
                .rounds("hot", "stagedoor", "answers_per_second")
                .unwrap()
                .median(),
            2.0
        );
        assert!(
            results
                .rounds("hot", "nobody", "answers_per_second")
                .is_none()
        );
        let file = directory.path().join("results.json");
        results.write(&file).unwrap();
        let read: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(read["complete"], false);
        assert_eq!(read["machine"]["cores"], results.machine.cores);
        let figure = &read["scenarios"]["hot"]["sides"]["stagedoor"]["answers_per_second"];
        assert_eq!(figure["median"], 2.0);
        assert_eq!(figure["rounds"], serde_json::json!([3.0, 1.0, 2.0]));
    }
}
