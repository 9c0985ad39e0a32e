//! What visitors send: every command and every kind of rubbish, as one line of text.

use std::fmt;

use stagedoor_processors::concert::records::{
    BestAvailable, GeneralPlaces, HoldSeats, PutConcert, ReleaseHold,
};
use stagedoor_processors::id::{Id, scoped_hash};

use super::plan::Plan;

/// A record of the command topic before it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) user: String,
    /// The command's id, as its sender chose it.
    pub(crate) key: String,
    pub(crate) concert: String,
    pub(crate) ask: Ask,
    /// Its sender waits so many milliseconds from now; negative: it has given up already.
    pub(crate) patience_ms: Option<i64>,
    /// The partition of the results topic that its sender listens to, whether there is one or not.
    pub(crate) reply_to: Option<i32>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Put(Plan),
    Holds(Vec<String>),
    Best {
        quantity: i32,
        section: Option<String>,
        split: bool,
    },
    General {
        section: String,
        quantity: i32,
    },
    /// Chosen seats and the best ones in one command, which is no command.
    Both(Vec<String>),
    /// Gives back what a user's command has made, whoever asks.
    Releases {
        owner: String,
        of: String,
    },
    /// Gives back something that is no reservation.
    ReleasesText(String),
    Poison(Poison),
}

/// Records that are no commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    Rubbish,
    Empty,
    Tombstone,
    UnknownSchema,
    CutShort,
    AnEvent,
    NoKey,
    LongKey,
    NoUser,
    LongCommandId,
    ForgedTick,
}

impl Poison {
    /// All of them, by the words that scripts use.
    pub(crate) const ALL: [(Self, &'static str); 11] = [
        (Self::Rubbish, "rubbish"),
        (Self::Empty, "nothing"),
        (Self::Tombstone, "a-tombstone"),
        (Self::UnknownSchema, "an-unknown-schema"),
        (Self::CutShort, "half-a-command"),
        (Self::AnEvent, "an-event"),
        (Self::NoKey, "no-key"),
        (Self::LongKey, "a-long-key"),
        (Self::NoUser, "no-user"),
        (Self::LongCommandId, "a-long-command-id"),
        (Self::ForgedTick, "a-forged-tick"),
    ];

    fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(poison, _)| *poison == self);
        found.map_or("rubbish", |(_, word)| word)
    }
}

/// Key and value as they are appended.
pub(crate) type Bytes = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Command {
    /// Key and value of its record.
    pub(crate) fn bytes(&self) -> Bytes {
        let key = self.concert.clone().into_bytes();
        let value = match &self.ask {
            Ask::Put(plan) => encoded(&PutConcert {
                user: self.user.clone(),
                command_id: self.key.clone(),
                ..plan.command(&self.concert)
            }),
            Ask::Releases { owner, of } => {
                let id = Id::reservation(&self.concert, scoped_hash(owner, of));
                self.release(id.to_string())
            }
            Ask::ReleasesText(text) => self.release(text.clone()),
            Ask::Poison(poison) => return self.poison(*poison),
            Ask::Holds(_) | Ask::Best { .. } | Ask::General { .. } | Ask::Both(_) => {
                encoded(&self.hold())
            }
        };
        (Some(key), Some(value))
    }

    fn hold(&self) -> HoldSeats {
        let mut hold = HoldSeats {
            user: self.user.clone(),
            command_id: self.key.clone(),
            ..HoldSeats::default()
        };
        match &self.ask {
            Ask::Holds(seats) => hold.seats.clone_from(seats),
            Ask::Best {
                quantity,
                section,
                split,
            } => {
                hold.best = Some(BestAvailable {
                    quantity: *quantity,
                    section: section.clone(),
                    split: *split,
                });
            }
            Ask::General { section, quantity } => {
                hold.general = Some(GeneralPlaces {
                    section: section.clone(),
                    quantity: *quantity,
                });
            }
            Ask::Both(seats) => {
                hold.seats.clone_from(seats);
                hold.best = Some(BestAvailable {
                    quantity: 1,
                    ..BestAvailable::default()
                });
            }
            Ask::Put(_) | Ask::Releases { .. } | Ask::ReleasesText(_) | Ask::Poison(_) => {}
        }
        hold
    }

    fn release(&self, reservation: String) -> Vec<u8> {
        encoded(&ReleaseHold {
            user: self.user.clone(),
            command_id: self.key.clone(),
            reservation,
        })
    }

    fn poison(&self, poison: Poison) -> Bytes {
        let key = Some(self.concert.clone().into_bytes());
        let hold = |user: &str, command_id: &str| {
            encoded(&HoldSeats {
                user: user.to_owned(),
                command_id: command_id.to_owned(),
                seats: vec!["A-1-1".to_owned()],
                ..HoldSeats::default()
            })
        };
        let sound = hold(&self.user, &self.key);
        let value = match poison {
            Poison::Rubbish => b"rubbish".to_vec(),
            Poison::Empty => Vec::new(),
            Poison::Tombstone => return (key, None),
            Poison::UnknownSchema => vec![0, 0, 1, 0, 0, 1],
            Poison::CutShort => sound[..sound.len() / 2].to_vec(),
            Poison::AnEvent => {
                encoded(&stagedoor_processors::concert::records::SeatsHeld::default())
            }
            Poison::NoKey => return (None, Some(sound)),
            Poison::LongKey => return (Some(vec![b'x'; 65]), Some(sound)),
            Poison::NoUser => hold("", &self.key),
            Poison::LongCommandId => hold(&self.user, &"k".repeat(256)),
            Poison::ForgedTick => encoded(&stagedoor_topology::Tick {
                observed_lag: 0,
                mac: vec![7; stagedoor_topology::MAC_LENGTH],
            }),
        };
        (key, Some(value))
    }
}

/// The framed bytes of a record. Schemas are compiled in, so there is always an encoding.
pub(crate) fn encoded<R: stagedoor_avro::AvroRecord>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let written = stagedoor_avro::encode(record, &mut bytes);
    debug_assert!(written.is_ok(), "a record has no encoding: {written:?}");
    bytes
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.user, self.key, self.concert)?;
        match &self.ask {
            Ask::Put(plan) => write!(f, "puts {plan}")?,
            Ask::Holds(seats) => words(f, "holds", seats)?,
            Ask::Best {
                quantity,
                section,
                split,
            } => {
                let section = section.as_deref().unwrap_or("anywhere");
                let split = if *split { " split" } else { "" };
                write!(f, "best {quantity} {section}{split}")?;
            }
            Ask::General { section, quantity } => write!(f, "general {quantity} {section}")?,
            Ask::Both(seats) => words(f, "both", seats)?,
            Ask::Releases { owner, of } => write!(f, "releases {owner} {of}")?,
            Ask::ReleasesText(text) => write!(f, "releases-text {text}")?,
            Ask::Poison(poison) => write!(f, "poison {}", poison.word())?,
        }
        if let Some(ms) = self.patience_ms {
            write!(f, " patience {ms}")?;
        }
        if let Some(partition) = self.reply_to {
            write!(f, " reply-to {partition}")?;
        }
        Ok(())
    }
}

fn words(f: &mut fmt::Formatter<'_>, verb: &str, words: &[String]) -> fmt::Result {
    f.write_str(verb)?;
    words.iter().try_for_each(|word| write!(f, " {word}"))
}
