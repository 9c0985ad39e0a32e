//! What the checkers see: one input of a command partition with everything that came of it.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use stagedoor_avro::{AvroRecord as _, AvroView};
use stagedoor_processors::concert::records::CommandResult;
use stagedoor_topology::Stamp;
use stagedoor_topology::log::InputPosition;

use crate::facts::{self, What};
use crate::inputs::{self, Input, Scope};
use crate::report::Place;

/// 128 bits that stand for bytes.
pub(crate) type Hash = [u8; 16];

/// One command partition.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// The last committed position: nothing is expected from there on.
    pub(crate) until: InputPosition,
}

impl Lane {
    /// The place of an input.
    pub(crate) fn at(&self, offset: i64) -> Place {
        Place::new(Arc::clone(&self.topic), self.partition, offset)
    }

    /// The place of the next input.
    pub(crate) fn end(&self) -> Place {
        self.at(self.until.next_offset)
    }
}

/// One input with what came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) input: Input,
    /// In the order of their stamps.
    pub(crate) outputs: &'a [Output],
    /// Every unit of it is committed. Only the last turn of a partition may not be over.
    pub(crate) over: bool,
}

impl<'a> Turn<'a> {
    /// What happened, in order.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (&'a Output, &'a What)> {
        let outputs = self.outputs.iter();
        outputs.filter_map(|output| Some((output, output.fact.as_ref()?)))
    }

    /// The outputs of one kind of topic.
    pub(crate) fn of(&self, channel: Channel) -> impl Iterator<Item = &'a Output> {
        let outputs = self.outputs.iter();
        outputs.filter(move |output| output.channel == channel)
    }
}

/// Which kind of topic an output stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// Answers.
    Results,
    /// Facts about reservations.
    Events,
    /// What concerts publish about themselves.
    Catalogue,
    /// Dead letters.
    DeadLetters,
}

/// A record that a task wrote to another topic than its changelogs.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) stamp: Stamp,
    pub(crate) place: Place,
    pub(crate) channel: Channel,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// Of a result: what it says.
    pub(crate) answer: Option<Answer>,
    /// Of an event or a listing: what happened.
    pub(crate) fact: Option<What>,
}

impl Output {
    /// An output as it stands in its topic.
    pub(crate) fn read(
        stamp: Stamp,
        place: Place,
        channel: Channel,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Self {
        let fact = match channel {
            Channel::Events => facts::of_event(&value),
            Channel::Catalogue => facts::of_listing(&key, &value),
            Channel::Results | Channel::DeadLetters => None,
        };
        let answer = match channel {
            Channel::Results => Answer::read(&value),
            Channel::Events | Channel::Catalogue | Channel::DeadLetters => None,
        };
        Self {
            stamp,
            place,
            channel,
            key,
            value,
            answer,
            fact,
        }
    }
}

/// What a result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// To which command.
    pub(crate) scope: Scope,
    /// Its value's bytes.
    pub(crate) bytes: Hash,
    pub(crate) verdict: Verdict,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Something happened.
    Effect,
    /// What was asked for is so already.
    Stands,
    /// Refused, because its key was used for another body.
    Mismatch,
    /// Refused for another reason.
    Refused,
}

impl Answer {
    fn read(value: &[u8]) -> Option<Self> {
        let result: ResultView<'_> = stagedoor_avro::view(value).ok()?;
        let verdict = match (&result.rejection, result.concert_created) {
            (Some(rejection), _) if rejection.code == "idempotency_mismatch" => Verdict::Mismatch,
            (Some(_), _) => Verdict::Refused,
            (None, Some(false)) => Verdict::Stands,
            (None, _) => Verdict::Effect,
        };
        Some(Self {
            scope: inputs::scope(result.concert, result.user, result.command_id),
            bytes: digest(&[value]),
            verdict,
        })
    }
}

/// [`CommandResult`] where it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "CommandResult")]
struct ResultView<'a> {
    id: IgnoredAny,
    user: &'a str,
    command_id: &'a str,
    concert: &'a str,
    #[serde(borrow)]
    rejection: Option<RejectionView<'a>>,
    reservation: IgnoredAny,
    concert_created: Option<bool>,
}

/// [`Rejection`] where it stands.
///
/// [`Rejection`]: stagedoor_processors::concert::records::Rejection
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "Rejection")]
struct RejectionView<'a> {
    code: &'a str,
    detail: IgnoredAny,
    taken: IgnoredAny,
    alternatives: IgnoredAny,
    errors: IgnoredAny,
}

impl<'a> AvroView<'a> for ResultView<'a> {
    const NAME: &'static str = CommandResult::NAME;
}

/// A digest of several texts, each with its length in front.
pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut short = Hash::default();
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use stagedoor_processors::concert::records::{Rejection, ReservationView};

    use super::*;

    #[test]
    fn an_answer_is_read_where_it_stands_with_its_sender_and_its_verdict() {
        let rejection = |code: &str| Rejection {
            code: code.to_owned(),
            detail: "why".to_owned(),
            taken: vec!["A-1-1".to_owned()],
            alternatives: vec!["A-1-2".to_owned(), "A-1-3".to_owned()],
            ..Rejection::default()
        };
        let cases = [
            (Some(rejection("seat_taken")), None, Verdict::Refused),
            (
                Some(rejection("idempotency_mismatch")),
                None,
                Verdict::Mismatch,
            ),
            (None, Some(false), Verdict::Stands),
            (None, Some(true), Verdict::Effect),
            (None, None, Verdict::Effect),
        ];
        for (rejection, concert_created, verdict) in cases {
            let result = CommandResult {
                id: [7; 16],
                user: "ann".to_owned(),
                command_id: "k1".to_owned(),
                concert: "c".to_owned(),
                rejection,
                reservation: Some(ReservationView::default()),
                concert_created,
            };
            let mut bytes = Vec::new();
            stagedoor_avro::encode(&result, &mut bytes).unwrap();
            let answer = Answer::read(&bytes).unwrap();
            let expected = (inputs::scope("c", "ann", "k1"), verdict, digest(&[&bytes]));
            assert_eq!((answer.scope, answer.verdict, answer.bytes), expected);
        }
        assert_eq!(Answer::read(b"garbage"), None);
    }
}
