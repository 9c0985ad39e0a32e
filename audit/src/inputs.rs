//! What stands in a command partition, read by the audit itself and not by the rules.

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{HoldSeats, PutConcert, ReleaseHold};
use stagedoor_topology::log::TopicPartition;
use stagedoor_topology::{Record, Secret, Tick};

use crate::turn::digest;

/// A command's id inside its user and concert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Scope(pub(crate) crate::turn::Hash);

/// One record of a command partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) offset: i64,
    /// Log time, made monotone.
    pub(crate) time_ms: i64,
    pub(crate) kind: InputKind,
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// A command that can be answered.
    Command {
        /// Its id.
        scope: Scope,
        /// Of what it asks for.
        body: crate::turn::Hash,
    },
    /// The runtime's own record of time that passes.
    Tick,
    /// A Tick without a valid MAC, or something that is no command: it becomes a dead letter.
    Poison,
}

/// The scope of a command id.
pub(crate) fn scope(concert: &str, user: &str, command_id: &str) -> Scope {
    Scope(digest(&[
        concert.as_bytes(),
        user.as_bytes(),
        command_id.as_bytes(),
    ]))
}

/// Says what a record of the command topic is.
pub(crate) fn kind_of(record: &Record<'_>, secret: &Secret) -> InputKind {
    let value = record.value.unwrap_or_default();
    if value.starts_with(&[0, 0, 0, 0, 2]) {
        let partition = TopicPartition::new(record.topic, record.partition);
        let genuine = stagedoor_avro::decode::<Tick>(value)
            .is_ok_and(|tick| tick.is_genuine(secret, &partition));
        return if genuine {
            InputKind::Tick
        } else {
            InputKind::Poison
        };
    }
    command(record.key, value).unwrap_or(InputKind::Poison)
}

fn command(key: Option<&[u8]>, value: &[u8]) -> Option<InputKind> {
    let concert = std::str::from_utf8(key?).ok()?;
    if !(1..=64).contains(&concert.len()) {
        return None;
    }
    let name = stagedoor_avro::schema_of(value).ok()?.name;
    if name == HoldSeats::NAME {
        of(concert, value, |command: &HoldSeats| {
            (&command.user, &command.command_id)
        })
    } else if name == ReleaseHold::NAME {
        of(concert, value, |command: &ReleaseHold| {
            (&command.user, &command.command_id)
        })
    } else if name == PutConcert::NAME {
        of(concert, value, |command: &PutConcert| {
            (&command.user, &command.command_id)
        })
    } else {
        None
    }
}

fn of<C: AvroRecord>(
    concert: &str,
    value: &[u8],
    sender: impl Fn(&C) -> (&String, &String),
) -> Option<InputKind> {
    let command: C = stagedoor_avro::decode(value).ok()?;
    let (user, command_id) = sender(&command);
    let fits = |id: &String| (1..=255).contains(&id.chars().count());
    if !fits(user) || !fits(command_id) {
        return None;
    }
    // Written again by this version, so that an older writer's bytes compare; sender and id are
    // the same wherever two bodies are compared.
    let mut body = Vec::with_capacity(value.len() + 16);
    stagedoor_avro::encode(&command, &mut body).ok()?;
    let body = digest(&[C::NAME.as_bytes(), &body]);
    Some(InputKind::Command {
        scope: scope(concert, user, command_id),
        body,
    })
}
