//! Events: facts for other systems, keyed by the user.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

use super::GeneralPlaces;

/// A hold began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeatsHeld {
    /// Opaque id of the reservation.
    pub reservation: String,
    /// The concert's id.
    pub concert: String,
    /// The owner.
    pub user: String,
    /// Labels of the seats.
    pub seats: Vec<String>,
    /// Places in general-admission sections.
    pub general: Vec<GeneralPlaces>,
    /// Price of everything in it.
    pub amount_minor: i64,
    /// ISO 4217 code of the price.
    pub currency: String,
    /// Log time of the hold.
    pub held_at_ms: i64,
    /// Log time of its deadline.
    pub expires_at_ms: i64,
}

/// Its owner gave a hold back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoldReleased {
    /// Opaque id of the reservation.
    pub reservation: String,
    /// The concert's id.
    pub concert: String,
    /// The owner.
    pub user: String,
    /// Labels of the seats.
    pub seats: Vec<String>,
    /// Places in general-admission sections.
    pub general: Vec<GeneralPlaces>,
    /// Log time of the release.
    pub released_at_ms: i64,
}

/// A hold reached its deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoldExpired {
    /// Opaque id of the reservation.
    pub reservation: String,
    /// The concert's id.
    pub concert: String,
    /// The owner.
    pub user: String,
    /// Labels of the seats.
    pub seats: Vec<String>,
    /// Places in general-admission sections.
    pub general: Vec<GeneralPlaces>,
    /// Log time of the record before which it was found due.
    pub expired_at_ms: i64,
}

impl AvroRecord for SeatsHeld {
    const SCHEMA_ID: u32 = 40;
    const NAME: &'static str = "stagedoor.concert.SeatsHeld";
}

impl AvroRecord for HoldReleased {
    const SCHEMA_ID: u32 = 41;
    const NAME: &'static str = "stagedoor.concert.HoldReleased";
}

impl AvroRecord for HoldExpired {
    const SCHEMA_ID: u32 = 42;
    const NAME: &'static str = "stagedoor.concert.HoldExpired";
}
