//! A history of one partition, told step by step and broken where a test wants it.

use std::collections::{BTreeMap, BTreeSet};

use stagedoor_processors::concert::records::{ConcertListing, GeneralPlaces};
use stagedoor_topology::Stamp;
use stagedoor_topology::log::InputPosition;

use super::sections;
use crate::facts::{HoldTimes, Taken, What};
use crate::inputs::{Input, InputKind, scope};
use crate::report::{Place, Report};
use crate::turn::{Answer, Channel, Lane, Output, Turn, Verdict, digest};

/// A history of one partition, told step by step. The concert `c` allows two seats a user and
/// holds them for ten seconds.
pub(crate) struct Story {
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    time_ms: i64,
    held: BTreeMap<String, Taken>,
    done: BTreeSet<String>,
}

/// The unit of a record in a story; timers come before it.
const RECORD: u32 = 1;

impl Story {
    pub(crate) fn new() -> Self {
        let story = Self {
            inputs: Vec::new(),
            outputs: Vec::new(),
            time_ms: 0,
            held: BTreeMap::new(),
            done: BTreeSet::new(),
        };
        story.command("put", "plan", Verdict::Effect, "created")
    }

    /// Outputs in the order in which they were written.
    pub(crate) fn written(&self) -> &[Output] {
        &self.outputs
    }

    /// Shows every turn in order.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&Lane, &Turn<'_>, &mut Report)) -> Report {
        let mut report = Report::default();
        let until = InputPosition {
            next_offset: self.next(),
            unit: 0,
        };
        let lane = Lane {
            topic: "concert.commands".into(),
            partition: 0,
            until,
        };
        let mut outputs = self.outputs.clone();
        outputs.sort_by_key(|output| output.stamp);
        for input in &self.inputs {
            let of = |output: &Output| output.stamp.offset.cmp(&input.offset);
            let from = outputs.partition_point(|output| of(output).is_lt());
            let until = outputs.partition_point(|output| of(output).is_le());
            let turn = Turn {
                input: *input,
                outputs: &outputs[from..until],
                over: true,
            };
            visit(&lane, &turn, &mut report);
        }
        report
    }

    fn next(&self) -> i64 {
        i64::try_from(self.inputs.len()).unwrap()
    }

    fn input(&mut self, time_ms: i64, kind: InputKind) -> i64 {
        let offset = self.next();
        self.time_ms = time_ms;
        self.inputs.push(Input {
            offset,
            time_ms,
            kind,
        });
        offset
    }

    fn command_input(&mut self, time_ms: i64, key: &str, body: &str) -> i64 {
        let (scope, body) = (scope("c", "u", key), digest(&[body.as_bytes()]));
        self.input(time_ms, InputKind::Command { scope, body })
    }

    fn output(
        &mut self,
        channel: Channel,
        stamp: Stamp,
        answer: Option<Answer>,
        fact: Option<What>,
    ) {
        let offset = i64::try_from(self.outputs.len()).unwrap();
        self.outputs.push(Output {
            stamp,
            place: Place::new("out", 0, offset),
            channel,
            key: Vec::new(),
            value: Vec::new(),
            answer,
            fact,
        });
    }

    /// One unit with an answer, a fact, or both.
    fn unit(&mut self, at: (i64, u32), answer: Option<Answer>, what: Option<What>) {
        let count = u32::from(answer.is_some()) + u32::from(what.is_some());
        let stamp = Stamp {
            offset: at.0,
            unit: at.1,
            count,
            ..Stamp::default()
        };
        let index = u32::from(answer.is_some());
        if answer.is_some() {
            self.output(Channel::Results, stamp, answer, None);
        }
        if what.is_some() {
            self.output(Channel::Events, Stamp { index, ..stamp }, None, what);
        }
    }

    fn answer(key: &str, verdict: Verdict, bytes: &str) -> Option<Answer> {
        Some(Answer {
            scope: scope("c", "u", key),
            bytes: digest(&[bytes.as_bytes()]),
            verdict,
        })
    }

    fn happen(mut self, time_ms: i64, key: &str, what: What) -> Self {
        let offset = self.command_input(time_ms, key, "body");
        self.unit(
            (offset, RECORD),
            Self::answer(key, Verdict::Effect, key),
            Some(what),
        );
        self
    }

    fn take(self, time_ms: i64, taken: Taken, until_ms: i64) -> Self {
        let times = HoldTimes {
            held_at_ms: time_ms,
            expires_at_ms: until_ms,
        };
        let mut story = self;
        story
            .held
            .insert(taken.reservation.to_string(), taken.clone());
        story.happen(
            time_ms,
            &taken.reservation.clone(),
            What::Held(taken.into(), times),
        )
    }

    fn taken(reservation: &str, user: &str) -> Taken {
        Taken {
            reservation: reservation.into(),
            concert: "c".into(),
            user: user.into(),
            ..Taken::default()
        }
    }

    pub(crate) fn hold(self, time_ms: i64, reservation: &str, user: &str, seats: &[&str]) -> Self {
        self.hold_until(time_ms, reservation, user, seats, time_ms + 10_000)
    }

    pub(crate) fn hold_until(
        self,
        time_ms: i64,
        reservation: &str,
        user: &str,
        seats: &[&str],
        until_ms: i64,
    ) -> Self {
        let seats = seats.iter().map(|seat| (*seat).into()).collect();
        self.take(
            time_ms,
            Taken {
                seats,
                ..Self::taken(reservation, user)
            },
            until_ms,
        )
    }

    pub(crate) fn hold_places(self, time_ms: i64, reservation: &str, user: &str, n: i32) -> Self {
        let general = vec![GeneralPlaces {
            section: "G".to_owned(),
            quantity: n,
        }];
        self.take(
            time_ms,
            Taken {
                general,
                ..Self::taken(reservation, user)
            },
            time_ms + 10_000,
        )
    }

    pub(crate) fn release(self, time_ms: i64, reservation: &str) -> Self {
        let taken = self.held[reservation].clone();
        self.happen(
            time_ms,
            &format!("release-{time_ms}"),
            What::Released(taken.into(), time_ms),
        )
    }

    pub(crate) fn end_again(self, time_ms: i64, reservation: &str) -> Self {
        self.release(time_ms, reservation)
    }

    /// A Tick before which a hold expires.
    pub(crate) fn expire(self, time_ms: i64, reservation: &str) -> Self {
        self.tick(time_ms).expire_before(reservation)
    }

    /// A hold expires in a unit before the last record.
    pub(crate) fn expire_before(mut self, reservation: &str) -> Self {
        let taken = self.held[reservation].clone();
        let (offset, time_ms) = (self.next() - 1, self.time_ms);
        self.unit(
            (offset, 0),
            None,
            Some(What::Expired(taken.into(), time_ms)),
        );
        self
    }

    pub(crate) fn tick(mut self, time_ms: i64) -> Self {
        self.input(time_ms, InputKind::Tick);
        self
    }

    pub(crate) fn answered_tick(mut self, time_ms: i64) -> Self {
        let offset = self.input(time_ms, InputKind::Tick);
        self.unit(
            (offset, RECORD),
            Self::answer("tick", Verdict::Refused, "no"),
            None,
        );
        self
    }

    pub(crate) fn poison(mut self) -> Self {
        let offset = self.input(self.time_ms, InputKind::Poison);
        let stamp = Stamp {
            offset,
            unit: RECORD,
            count: 1,
            ..Stamp::default()
        };
        self.output(Channel::DeadLetters, stamp, None, None);
        self
    }

    pub(crate) fn lost_poison(mut self) -> Self {
        self.input(self.time_ms, InputKind::Poison);
        self
    }

    /// A command with its answer. The first effect of a key puts something on sale.
    pub(crate) fn command(mut self, key: &str, body: &str, verdict: Verdict, bytes: &str) -> Self {
        let first = verdict == Verdict::Effect && self.done.insert(key.to_owned());
        let offset = self.command_input(self.time_ms + 1, key, body);
        let answer = Self::answer(key, verdict, bytes);
        self.unit((offset, RECORD), answer, first.then(listed));
        self
    }

    pub(crate) fn effect_again(mut self, key: &str, body: &str, bytes: &str) -> Self {
        let offset = self.command_input(self.time_ms + 1, key, body);
        let answer = Self::answer(key, Verdict::Effect, bytes);
        self.unit((offset, RECORD), answer, Some(listed()));
        self
    }

    pub(crate) fn unanswered(mut self, key: &str) -> Self {
        self.command_input(self.time_ms + 1, key, "body");
        self
    }

    pub(crate) fn answered_twice(mut self, key: &str) -> Self {
        self = self.command(key, "body", Verdict::Refused, "no");
        let again = self.outputs.last().unwrap().clone();
        self.outputs.push(again);
        self
    }

    pub(crate) fn swap_last_answers(mut self) -> Self {
        let is_result = |output: &Output| output.channel == Channel::Results;
        let outputs = &mut self.outputs;
        let last = outputs.iter().rposition(is_result).unwrap();
        let before = outputs[..last].iter().rposition(is_result).unwrap();
        outputs.swap(before, last);
        self
    }

    /// Loses the last record.
    pub(crate) fn tear(mut self) -> Self {
        self.outputs.pop();
        self
    }
}

fn listed() -> What {
    let listing = ConcertListing {
        max_seats_per_user: 2,
        hold_seconds: 10,
        sections: sections(),
        ..ConcertListing::default()
    };
    What::Listed("c".into(), Box::new(listing))
}
