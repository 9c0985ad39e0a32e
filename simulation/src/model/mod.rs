//! The naive model: what a partition of the command topic should come to, written for
//! obviousness. It shares nothing with the processors but record types and the form of ids.
//!
//! A hall is rows of seats, and each seat says who has it. A calendar says what happens when. A
//! record comes: first everything happens that is due, then the record itself.

mod best;
mod calendar;
mod concert;
mod expected;
mod hall;
mod hold;
mod near;
mod picture;
mod plan;
mod release;

use std::collections::BTreeMap;

use stagedoor_processors::concert::records::{CommandResult, HoldSeats, PutConcert, ReleaseHold};
use stagedoor_processors::id::{Hash, scoped_hash};
use stagedoor_topology::log::TopicPartition;
use stagedoor_topology::{Record, Secret, Tick};

use calendar::Calendar;
use concert::Concert;
pub(crate) use expected::{Channel, Expected, Refusal, Said};

/// How long an ended reservation, and a receipt, is remembered.
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Most timers of one unit.
const TIMERS_PER_UNIT: usize = 256;

/// What the model has to know of the world besides the records.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Partition count of every topic but that of events.
    pub(crate) partitions: i32,
    /// Partition count of the topic of events.
    pub(crate) event_partitions: i32,
    /// Largest key and value that may be forwarded, in bytes.
    pub(crate) max_record_bytes: usize,
    /// The partition whose records are told.
    pub(crate) input: TopicPartition,
    /// Key of the MAC on Ticks.
    pub(crate) secret: Secret,
}

/// The sender of a command, and the id that it chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) user: String,
    pub(crate) command_id: String,
    /// Both of them as one name.
    pub(crate) name: Hash,
}

/// A command that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Put(PutConcert),
    Hold(HoldSeats),
    Release(ReleaseHold),
}

/// Everything the sender of a command can say about how it wants to be answered.
struct Letterhead {
    valid_until_ms: Option<i64>,
    /// The partition that its sender listens to.
    reply_to: Option<i32>,
}

/// One partition, up to some offset.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    facts: Facts,
    now_ms: i64,
    next_offset: i64,
    concerts: BTreeMap<String, Concert>,
    calendar: Calendar,
    /// Reservations and concerts that changed since somebody last looked.
    changed: Vec<(String, Hash)>,
    /// How often each answer was given.
    pub(crate) answers: BTreeMap<String, u64>,
}

impl Sender {
    /// An answer to this sender that says nothing yet.
    fn result(&self, concert: &str) -> CommandResult {
        CommandResult {
            id: self.name,
            user: self.user.clone(),
            command_id: self.command_id.clone(),
            concert: concert.to_owned(),
            ..CommandResult::default()
        }
    }
}

impl Model {
    /// A partition in which nothing has happened.
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            facts,
            now_ms: 0,
            next_offset: 0,
            concerts: BTreeMap::new(),
            calendar: Calendar::default(),
            changed: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// The offset after the last record that was told.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Tells the model the next record. Returns what should come of it, unit by unit.
    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Vec<Vec<Expected>> {
        self.now_ms = self.now_ms.max(record.timestamp_ms);
        self.next_offset = record.offset + 1;
        let mut units = self.everything_due();
        units.push(self.record(record));
        units
    }

    /// Everything that time alone does.
    fn everything_due(&mut self) -> Vec<Vec<Expected>> {
        let mut units = Vec::new();
        loop {
            let due = self.calendar.take_due(self.now_ms, TIMERS_PER_UNIT);
            if due.is_empty() {
                return units;
            }
            let mut unit = Vec::new();
            for (concert, hold) in due {
                let Some(found) = self.concerts.get_mut(&concert) else {
                    continue;
                };
                unit.extend(found.time_is_up(&hold, self.now_ms, &mut self.calendar));
                self.changed.push((concert, hold));
            }
            for expected in &mut unit {
                expected.settle(&self.facts);
            }
            units.push(unit);
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Vec<Expected> {
        let mut said = if is_tick(record) {
            self.tick(record)
        } else {
            match command_of(record) {
                Some((concert, asked)) => self.command(record, &concert, asked),
                None => vec![self.letter("undecodable", record)],
            }
        };
        for expected in &mut said {
            expected.settle(&self.facts);
        }
        said
    }

    fn letter(&self, code: &'static str, record: &Record<'_>) -> Expected {
        Expected::dead_letter(code, record, self.facts.max_record_bytes)
    }

    fn tick(&self, record: &Record<'_>) -> Vec<Expected> {
        let tick = stagedoor_avro::decode::<Tick>(record.value.unwrap_or_default());
        let genuine = tick.is_ok_and(|t| t.is_genuine(&self.facts.secret, &self.facts.input));
        match genuine {
            true => Vec::new(),
            false => vec![self.letter("forged_tick", record)],
        }
    }

    fn command(&mut self, record: &Record<'_>, id: &str, asked: Asked) -> Vec<Expected> {
        let letterhead = Letterhead {
            valid_until_ms: header_number(record, "valid-until"),
            reply_to: header_number(record, "reply-to").and_then(|n| i32::try_from(n).ok()),
        };
        let sender = sender_of(&asked);
        let answer = self.decide(id, &sender, asked, &letterhead);
        let word = answer.last().map_or("nothing", Expected::word).to_owned();
        *self.answers.entry(word).or_default() += 1;
        let mut said = self.published_or_too_large(record, id, &sender, answer);
        if let Some(answer) = said
            .iter_mut()
            .find(|said| said.channel == Channel::Results)
        {
            answer.reply_to(letterhead.reply_to, self.facts.partitions);
        }
        said
    }

    fn decide(
        &mut self,
        id: &str,
        sender: &Sender,
        asked: Asked,
        letterhead: &Letterhead,
    ) -> Vec<Expected> {
        let known = self.concerts.get(id);
        match known.and_then(|concert| concert.answered_before(sender, &asked, self.now_ms)) {
            Some(Ok(again)) => return vec![Expected::answer(sender, Said::Exactly(again))],
            Some(Err(code)) => return refused(id, sender, Refusal::code(code)),
            None => {}
        }
        if letterhead
            .valid_until_ms
            .is_some_and(|until| until < self.now_ms)
        {
            return refused(id, sender, Refusal::code("command_expired"));
        }
        let outcome =
            match asked {
                Asked::Put(command) => self.put(id, sender, command),
                Asked::Hold(command) => match self.concerts.get_mut(id) {
                    // What is wrong with a hold by itself is said even if there is no concert.
                    None => Err(hold::malformed(&command)
                        .unwrap_or_else(|| Refusal::code("concert_not_found"))),
                    Some(concert) => {
                        let made = concert.hold(sender, command, self.now_ms, &mut self.calendar);
                        self.noted(id, sender.name, made)
                    }
                },
                Asked::Release(command) => match self.concerts.get_mut(id) {
                    None => Err(Refusal::code("concert_not_found")),
                    Some(concert) => {
                        let calendar = &mut self.calendar;
                        match concert.release(sender, command, self.now_ms, calendar) {
                            Ok((hold, said)) => self.noted(id, hold, Ok(said)),
                            Err(refusal) => Err(refusal),
                        }
                    }
                },
            };
        outcome.unwrap_or_else(|refusal| refused(id, sender, refusal))
    }

    fn noted(
        &mut self,
        concert: &str,
        hold: Hash,
        outcome: Result<Vec<Expected>, Refusal>,
    ) -> Result<Vec<Expected>, Refusal> {
        if outcome.is_ok() {
            self.changed.push((concert.to_owned(), hold));
        }
        outcome
    }

    fn put(
        &mut self,
        id: &str,
        sender: &Sender,
        command: PutConcert,
    ) -> Result<Vec<Expected>, Refusal> {
        if let Some(concert) = self.concerts.get(id) {
            return concert.put_again(sender, &command);
        }
        plan::check(id, &command)?;
        let concert = Concert::new(id, sender.name, command, self.now_ms);
        let said = concert.made(sender);
        self.changed.push((id.to_owned(), sender.name));
        self.concerts.insert(id.to_owned(), concert);
        Ok(said)
    }

    /// A record that may not be written undoes everything, and its command is answered so.
    fn published_or_too_large(
        &mut self,
        record: &Record<'_>,
        id: &str,
        sender: &Sender,
        said: Vec<Expected>,
    ) -> Vec<Expected> {
        let limit = self.facts.max_record_bytes;
        if said.iter().all(|expected| expected.size() <= limit) {
            return said;
        }
        self.concerts.remove(id);
        let mut instead = refused(id, sender, Refusal::code("internal"));
        instead.push(self.letter("oversize", record));
        *self.answers.entry("oversize".to_owned()).or_default() += 1;
        instead
    }
}

fn refused(id: &str, sender: &Sender, refusal: Refusal) -> Vec<Expected> {
    vec![Expected::answer(
        sender,
        Said::Refused(refusal.to(id, sender)),
    )]
}

fn is_tick(record: &Record<'_>) -> bool {
    record
        .value
        .is_some_and(|value| value.starts_with(&[0, 0, 0, 0, 2]))
}

fn header_number(record: &Record<'_>, name: &str) -> Option<i64> {
    record.header_text(name)?.parse().ok()
}

/// The concert and the command of a record that says enough to be answered.
fn command_of(record: &Record<'_>) -> Option<(String, Asked)> {
    let key = std::str::from_utf8(record.key?).ok()?;
    if key.is_empty() || key.len() > 64 {
        return None;
    }
    let value = record.value?;
    let asked = match stagedoor_avro::schema_of(value).ok()?.name {
        "stagedoor.concert.PutConcert" => Asked::Put(stagedoor_avro::decode(value).ok()?),
        "stagedoor.concert.HoldSeats" => Asked::Hold(stagedoor_avro::decode(value).ok()?),
        "stagedoor.concert.ReleaseHold" => Asked::Release(stagedoor_avro::decode(value).ok()?),
        _ => return None,
    };
    let (user, command_id) = names_of(&asked);
    let fits = |name: &str| (1..=255).contains(&name.chars().count());
    (fits(user) && fits(command_id)).then(|| (key.to_owned(), asked))
}

fn names_of(asked: &Asked) -> (&str, &str) {
    match asked {
        Asked::Put(command) => (&command.user, &command.command_id),
        Asked::Hold(command) => (&command.user, &command.command_id),
        Asked::Release(command) => (&command.user, &command.command_id),
    }
}

fn sender_of(asked: &Asked) -> Sender {
    let (user, command_id) = names_of(asked);
    Sender {
        user: user.to_owned(),
        command_id: command_id.to_owned(),
        name: scoped_hash(user, command_id),
    }
}
