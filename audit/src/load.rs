//! Reading: topics to their end, and what the checkers need to know of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stagedoor_processors::concert::records::CommandResult;
use stagedoor_processors::concert::{CATALOGUE, EVENTS, RESULTS};
use stagedoor_topology::log::{InputPosition, Isolation, Log, Pace};
use stagedoor_topology::{Record, STAMP_HEADER, Secret, Stamp, TopicNaming};

use crate::error::AuditError;
use crate::facts::{self, Fact, What};
use crate::history::{Answer, Channel, History, Lane, Output, Verdict, digest};
use crate::inputs::{self, Input};
use crate::report::Place;

const PATIENCE: Duration = Duration::from_secs(120);
const RECORDS_PER_POLL: usize = 10_000;

/// Visits the committed records of some partitions of a topic, from the first to the one that is
/// the last at the moment.
pub(crate) fn read_to_end(
    log: &dyn Log,
    topic: &str,
    partitions: &[i32],
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<(), AuditError> {
    let mut reader = log.reader(Isolation::ReadCommitted, Pace::CatchUp)?;
    let from: Vec<(i32, i64)> = partitions.iter().map(|partition| (*partition, 0)).collect();
    reader.open(topic, &from)?;
    let started = Instant::now();
    while !reader.poll(Duration::from_millis(50), RECORDS_PER_POLL, visit)? {
        if started.elapsed() > PATIENCE {
            return Err(AuditError::TooSlow {
                topic: topic.to_owned(),
            });
        }
    }
    Ok(())
}

/// What tells the inputs and outputs of one command topic from those of others.
pub(crate) struct Origin<'a> {
    /// Names of the topics.
    pub(crate) naming: &'a TopicNaming,
    /// The command topic's name without its prefix.
    pub(crate) source: &'a str,
    /// Its part of the stamps, where it is known.
    pub(crate) log_id: Option<u64>,
    /// Key of the MAC on Ticks.
    pub(crate) secret: &'a Secret,
}

/// Reads the run of concerts. `processed` has the next input offset of each partition.
pub(crate) fn history(
    log: &dyn Log,
    origin: &Origin<'_>,
    processed: &[InputPosition],
) -> Result<History, AuditError> {
    let topic: Arc<str> = origin.naming.topic(origin.source).into();
    let lane = |(partition, processed): (i32, &InputPosition)| Lane {
        topic: Arc::clone(&topic),
        partition,
        processed: processed.next_offset,
        units: processed.unit,
        ..Lane::default()
    };
    let lanes = (0..).zip(processed).map(lane).collect();
    let mut history = History {
        lanes,
        unstamped: Vec::new(),
    };
    let partitions: Vec<i32> = (0..origin.naming.partitions).collect();
    read_to_end(log, &topic, &partitions, &mut |record| {
        history.input(record, origin.secret)
    })?;
    let outputs = [
        (origin.naming.topic(RESULTS.topic), Channel::Results),
        (origin.naming.topic(EVENTS.topic), Channel::Events),
        (origin.naming.topic(CATALOGUE.topic), Channel::Catalogue),
        (origin.naming.dead_letters(), Channel::DeadLetters),
    ];
    for (topic, channel) in outputs {
        let topic: Arc<str> = topic.into();
        read_to_end(log, &topic, &partitions, &mut |record| {
            history.output(record, &topic, channel, origin.log_id);
        })?;
    }
    for lane in &mut history.lanes {
        lane.facts.sort_by_key(|fact| fact.stamp);
    }
    Ok(history)
}

impl History {
    fn lane(&mut self, partition: i32) -> Option<&mut Lane> {
        usize::try_from(partition)
            .ok()
            .and_then(|index| self.lanes.get_mut(index))
    }

    fn input(&mut self, record: &Record<'_>, secret: &Secret) {
        let kind = inputs::kind_of(record, secret);
        let Some(lane) = self.lane(record.partition) else {
            return;
        };
        let before = lane.inputs.last().map_or(0, |input| input.time_ms);
        let time_ms = before.max(record.timestamp_ms);
        lane.inputs.push(Input {
            offset: record.offset,
            time_ms,
            kind,
        });
    }

    fn output(
        &mut self,
        record: &Record<'_>,
        topic: &Arc<str>,
        channel: Channel,
        log_id: Option<u64>,
    ) {
        let place = Place::new(Arc::clone(topic), record.partition, record.offset);
        let Some(stamp) = record.header(STAMP_HEADER).and_then(Stamp::decode) else {
            self.unstamped.push(place);
            return;
        };
        // Other command topics have other logs; their outputs are audited with them.
        if log_id.is_some_and(|log_id| log_id != stamp.log_id) {
            return;
        }
        let Some(lane) = self.lane(stamp.partition) else {
            self.unstamped.push(place);
            return;
        };
        let (key, value) = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        if let Some(what) = fact(channel, key, value) {
            lane.facts.push(Fact {
                stamp,
                place: place.clone(),
                what,
            });
        }
        let digest = output_digest(channel, record.partition, key, value);
        lane.outputs.push(Output {
            stamp,
            place,
            channel,
            digest,
            answer: answer(channel, value),
        });
    }
}

/// What replay must give again: dead letters stand in the partition of their input.
pub(crate) fn output_digest(
    channel: Channel,
    partition: i32,
    key: &[u8],
    value: &[u8],
) -> [u8; 16] {
    match channel {
        Channel::DeadLetters => digest(&[key, value]),
        Channel::Results | Channel::Events | Channel::Catalogue => {
            digest(&[&partition.to_be_bytes(), key, value])
        }
    }
}

fn fact(channel: Channel, key: &[u8], value: &[u8]) -> Option<What> {
    match channel {
        Channel::Events => facts::of_event(value),
        Channel::Catalogue => facts::of_listing(key, value),
        Channel::Results | Channel::DeadLetters => None,
    }
}

fn answer(channel: Channel, value: &[u8]) -> Option<Answer> {
    if channel != Channel::Results {
        return None;
    }
    let result: CommandResult = stagedoor_avro::decode(value).ok()?;
    let verdict = match (&result.rejection, result.concert_created) {
        (Some(rejection), _) if rejection.code == "idempotency_mismatch" => Verdict::Mismatch,
        (Some(_), _) => Verdict::Refused,
        (None, Some(false)) => Verdict::Stands,
        (None, _) => Verdict::Effect,
    };
    let scope = inputs::scope(&result.concert, &result.user, &result.command_id);
    Some(Answer {
        scope,
        bytes: digest(&[value]),
        verdict,
    })
}
