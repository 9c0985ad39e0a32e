//! Which log everything is written to, and when it is on the disk.

use std::time::Duration;

use serde::Deserialize;
use stagedoor_topology::log::embedded::Durability;

/// What everything is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogKind {
    /// A Kafka; several instances form one application.
    #[default]
    Kafka,
    /// A log in the data directory, for a single instance.
    Embedded,
}

/// When a commit of the embedded log is on the disk: `commit`, `never`, or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LogSync(pub(crate) Durability);

impl Default for LogSync {
    fn default() -> Self {
        Self(Durability::EachCommit)
    }
}

impl TryFrom<String> for LogSync {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let durability = match (text.as_str(), text.parse()) {
            ("commit", _) => Durability::EachCommit,
            ("never", _) => Durability::Never,
            (_, Ok(interval_ms @ 1..=60_000)) => {
                Durability::Every(Duration::from_millis(interval_ms))
            }
            _ => {
                return Err(format!(
                    "log_sync is {text:?}; give `commit`, `never` or 1 to 60000 milliseconds"
                ));
            }
        };
        Ok(Self(durability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_word_or_milliseconds_and_anything_else_is_refused_by_name() {
        let parsed = |text: &str| LogSync::try_from(text.to_owned()).map(|it| it.0);
        assert_eq!(parsed("commit"), Ok(Durability::EachCommit));
        assert_eq!(parsed("never"), Ok(Durability::Never));
        let every = Durability::Every(Duration::from_millis(20));
        assert_eq!(parsed("20"), Ok(every));
        for wrong in ["", "0", "60001", "often", "-5"] {
            assert!(parsed(wrong).unwrap_err().contains("log_sync"), "{wrong}");
        }
    }
}
