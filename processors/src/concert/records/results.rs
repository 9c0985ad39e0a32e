//! Results: the one answer to a command.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

use super::{GeneralPlaces, ReservationState};

/// The answer to one command record. A repeated command gets the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandResult {
    /// The command's id, scoped to its user (see [`crate::id::scoped_hash`]).
    #[serde(with = "stagedoor_avro::bytes")]
    pub id: [u8; 16],
    /// Who sent the command.
    pub user: String,
    /// The command's id as it was sent.
    pub command_id: String,
    /// The concert that decided.
    pub concert: String,
    /// Why nothing happened; none: it happened.
    pub rejection: Option<Rejection>,
    /// The reservation after the command.
    pub reservation: Option<ReservationView>,
    /// Answer to `PutConcert`: whether this command made the concert.
    pub concert_created: Option<bool>,
}

/// A refusal: an answer, never an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rejection {
    /// One of [`crate::concert::Code`], as text so that older readers understand newer writers.
    pub code: String,
    /// What happened and what to do, for people.
    pub detail: String,
    /// `seat_taken`: labels of the wanted seats that are taken.
    pub taken: Vec<String>,
    /// `seat_taken`: the nearest seats that are free.
    pub alternatives: Vec<String>,
    /// `invalid_request`: what is wrong with which field.
    pub errors: Vec<FieldError>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// Path of the field in the request's body, such as `sections[2].rows`.
    pub field: String,
    /// What it must be.
    pub detail: String,
}

/// A reservation as its owner sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReservationView {
    /// Opaque id.
    pub id: String,
    /// The concert's id.
    pub concert: String,
    /// The owner.
    pub user: String,
    /// Where in its life it is.
    pub state: ReservationState,
    /// Labels of its seats.
    pub seats: Vec<String>,
    /// Its places in general-admission sections.
    pub general: Vec<GeneralPlaces>,
    /// Price of everything in it.
    pub amount_minor: i64,
    /// ISO 4217 code of the price.
    pub currency: String,
    /// The hold is unusable from the first record at or after this log time.
    pub expires_at_ms: i64,
}

impl AvroRecord for CommandResult {
    const SCHEMA_ID: u32 = 30;
    const NAME: &'static str = "stagedoor.concert.CommandResult";
}
