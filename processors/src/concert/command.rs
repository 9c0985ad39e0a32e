//! A command record as the rules see it: decoded, scoped, and with the log time that counts.

use stagedoor_topology::{Record, TaskError};

use super::body::body_hash;
use super::records::{HoldSeats, PutConcert, ReleaseHold};
use crate::id::{Hash, scoped_hash};
use stagedoor_avro::AvroRecord as _;

/// Longest user id and command id, in characters.
pub const MAX_ID_CHARS: usize = 255;
/// Longest concert id, in bytes.
pub const MAX_CONCERT_ID_BYTES: usize = 64;

/// Everything that can be asked of a concert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// See [`PutConcert`].
    PutConcert(PutConcert),
    /// See [`HoldSeats`].
    HoldSeats(HoldSeats),
    /// See [`ReleaseHold`].
    ReleaseHold(ReleaseHold),
}

impl Command {
    /// Who sends it.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::PutConcert(command) => &command.user,
            Self::HoldSeats(command) => &command.user,
            Self::ReleaseHold(command) => &command.user,
        }
    }

    /// Its id, which is the sender's and unique only for that user and concert.
    #[must_use]
    pub fn command_id(&self) -> &str {
        match self {
            Self::PutConcert(command) => &command.command_id,
            Self::HoldSeats(command) => &command.command_id,
            Self::ReleaseHold(command) => &command.command_id,
        }
    }

    /// Nothing but its id.
    #[must_use]
    pub fn into_command_id(self) -> String {
        match self {
            Self::PutConcert(command) => command.command_id,
            Self::HoldSeats(command) => command.command_id,
            Self::ReleaseHold(command) => command.command_id,
        }
    }
}

/// A command with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The concert that is asked.
    pub concert: String,
    /// What is asked.
    pub command: Command,
    /// The command's id, scoped to its user.
    pub scope: Hash,
    /// Hash of what is asked.
    pub body_hash: Hash,
    /// Its sender waits until this log time; none: for ever.
    pub valid_until_ms: Option<i64>,
    /// Log time of the record.
    pub now_ms: i64,
}

impl Request {
    /// A command asked of a concert at a log time.
    #[must_use]
    pub fn new(concert: String, command: Command, now_ms: i64) -> Self {
        let scope = scoped_hash(command.user(), command.command_id());
        let body_hash = body_hash(&command);
        Self {
            concert,
            command,
            scope,
            body_hash,
            valid_until_ms: None,
            now_ms,
        }
    }

    /// Reads a record of the command topic.
    ///
    /// # Errors
    /// [`TaskError::Undecodable`] where the record says too little to be answered at all.
    pub fn read(record: &Record<'_>, now_ms: i64) -> Result<Self, TaskError> {
        let concert = concert_of(record)?;
        let command = command_of(record)?;
        check_id("user", command.user())?;
        check_id("command_id", command.command_id())?;
        let valid_until_ms = record
            .header_text("valid-until")
            .and_then(|text| text.parse().ok());
        Ok(Self {
            valid_until_ms,
            ..Self::new(concert, command, now_ms)
        })
    }
}

fn concert_of(record: &Record<'_>) -> Result<String, TaskError> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
    match key.filter(|key| !key.is_empty() && key.len() <= MAX_CONCERT_ID_BYTES) {
        Some(concert) => Ok(concert.to_owned()),
        None => Err(undecodable(
            "the key is no concert id: 1-64 bytes of UTF-8 text",
        )),
    }
}

fn command_of(record: &Record<'_>) -> Result<Command, TaskError> {
    let value = record
        .value
        .ok_or_else(|| undecodable("a tombstone is no command"))?;
    let schema =
        stagedoor_avro::schema_of(value).map_err(|error| undecodable(error.to_string()))?;
    let command = match schema.name {
        HoldSeats::NAME => stagedoor_avro::decode(value).map(Command::HoldSeats),
        ReleaseHold::NAME => stagedoor_avro::decode(value).map(Command::ReleaseHold),
        PutConcert::NAME => stagedoor_avro::decode(value).map(Command::PutConcert),
        other => return Err(undecodable(format!("{other} is no command of a concert"))),
    };
    command.map_err(|error| undecodable(error.to_string()))
}

fn check_id(field: &str, id: &str) -> Result<(), TaskError> {
    if (1..=MAX_ID_CHARS).contains(&id.chars().count()) {
        return Ok(());
    }
    Err(undecodable(format!(
        "{field} must have 1-{MAX_ID_CHARS} characters"
    )))
}

fn undecodable(reason: impl Into<String>) -> TaskError {
    TaskError::Undecodable {
        code: "undecodable",
        reason: reason.into(),
    }
}
