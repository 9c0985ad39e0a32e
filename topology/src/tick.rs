//! `Tick`: the record by which time that passes without commands gets into the log.

use serde::{Deserialize, Serialize};
use stagedoor_avro::{AvroError, AvroRecord};

use crate::log::TopicPartition;
use crate::secret::Secret;

/// Appended by a task's owner when a timer is due and no record comes. Its log-append time is
/// what fires the timer; what it carries is only what the rules may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tick {
    /// Records between the owner's position and the end of the partition, as it saw them.
    pub observed_lag: i32,
    /// MAC under the application's secret, so that nobody else can write one.
    #[serde(with = "stagedoor_avro::bytes")]
    pub mac: Vec<u8>,
}

impl AvroRecord for Tick {
    const SCHEMA_ID: u32 = 2;
    const NAME: &'static str = "stagedoor.topology.Tick";
}

impl Tick {
    /// A signed Tick for one partition.
    #[must_use]
    pub fn signed(secret: &Secret, partition: &TopicPartition, observed_lag: i32) -> Self {
        let mac = secret.mac(&Self::parts(partition, &observed_lag.to_be_bytes()));
        Self {
            observed_lag,
            mac: mac.to_vec(),
        }
    }

    /// Whether an owner that knows the secret made it for this partition.
    #[must_use]
    pub fn is_genuine(&self, secret: &Secret, partition: &TopicPartition) -> bool {
        let lag = self.observed_lag.to_be_bytes();
        secret.verify(&Self::parts(partition, &lag), &self.mac)
    }

    /// The bytes of a signed Tick as they stand in the log.
    ///
    /// # Errors
    /// None in practice: the schema is compiled in.
    pub fn encode(&self) -> Result<Vec<u8>, AvroError> {
        let mut bytes = Vec::with_capacity(32);
        stagedoor_avro::encode(self, &mut bytes)?;
        Ok(bytes)
    }

    fn parts<'a>(partition: &'a TopicPartition, lag: &'a [u8; 4]) -> [&'a [u8]; 3] {
        [b"tick", partition.topic.as_bytes(), lag]
    }
}

/// Whether a value is framed as a Tick; cheap enough to ask for every record.
pub(crate) fn is_tick(value: &[u8]) -> bool {
    value.starts_with(&[0, 0, 0, 0, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_without_the_secret_is_not_genuine() {
        let partition = TopicPartition::new("concert.commands", 3);
        let secret = Secret::new(*b"right");
        let tick = Tick::signed(&secret, &partition, 7);
        assert!(tick.is_genuine(&secret, &partition));
        assert!(!tick.is_genuine(&Secret::new(*b"wrong"), &partition));
        assert!(
            !Tick {
                observed_lag: 8,
                ..tick
            }
            .is_genuine(&secret, &partition)
        );
    }
}
