//! One partition of the command topic: its records, the model of it, and what should come of it.

use std::collections::BTreeMap;

use stagedoor_topology::log::simulated::{OwnedRecord, SimulatedCluster};
use stagedoor_topology::log::{InputPosition, Isolation, TopicPartition};
use stagedoor_topology::{NoHeaders, Output, Record, Stamp};

use super::Violation;
use crate::model::{Channel, Expected, Facts, Model};

/// A partition.
pub(super) struct Lane {
    facts: Facts,
    /// Its records; offsets of a partition without transactions have no gaps.
    inputs: Vec<OwnedRecord>,
    pub(super) model: Model,
    /// What should come of each record, unit by unit.
    turns: Vec<Vec<Vec<Expected>>>,
    /// Who committed last.
    pub(super) last_owner: usize,
}

impl Lane {
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            model: Model::new(facts.clone()),
            facts,
            inputs: Vec::new(),
            turns: Vec::new(),
            last_owner: 0,
        }
    }

    pub(super) fn input(&self) -> TopicPartition {
        self.facts.input.clone()
    }

    pub(super) fn partition(&self) -> i32 {
        self.facts.input.partition
    }

    /// How often each answer was given.
    pub(super) fn answers(&self) -> &BTreeMap<String, u64> {
        &self.model.answers
    }

    /// The records of its partition.
    pub(super) fn turns(&self) -> &[Vec<Vec<Expected>>] {
        &self.turns
    }

    /// Tells the model everything before an offset.
    pub(super) fn catch_up(&mut self, cluster: &SimulatedCluster, until: i64) {
        let next = self.inputs.len() as i64;
        if next < until {
            let TopicPartition { topic, partition } = &self.facts.input;
            let new = cluster.read(topic, *partition, Isolation::ReadCommitted, next);
            self.inputs.extend(new);
        }
        let first = usize::try_from(self.model.next_offset()).unwrap_or(0);
        let new = self.inputs[first.min(self.inputs.len())..].iter();
        for input in new.take_while(|input| input.offset < until) {
            self.turns.push(self.model.apply(&input.as_record()));
        }
    }

    /// A model that stands at an older offset than the lane's own.
    pub(super) fn model_at(&self, offset: i64) -> Model {
        let mut model = Model::new(self.facts.clone());
        for input in self.inputs.iter().take_while(|input| input.offset < offset) {
            model.apply(&input.as_record());
        }
        model
    }

    /// What should stand at a stamp.
    pub(super) fn expected(&self, stamp: &Stamp) -> Option<&[Expected]> {
        let turn = self.turns.get(usize::try_from(stamp.offset).ok()?)?;
        let unit = turn.get(usize::try_from(stamp.unit).ok()?)?;
        Some(unit)
    }

    /// What a commit tells must be what the model says, and of nothing that is not in it.
    pub(super) fn told(
        &mut self,
        cluster: &SimulatedCluster,
        position: InputPosition,
        outputs: &[Output],
    ) -> Option<Violation> {
        let known = outputs.iter().map(|output| output.stamp.offset + 1).max();
        self.catch_up(cluster, position.next_offset.max(known.unwrap_or(0)));
        let objection = |output: &Output| {
            let Stamp { offset, unit, .. } = output.stamp;
            if (offset, unit) >= (position.next_offset, position.unit) {
                let from = format!("{} {offset} unit {unit}", self.facts.input);
                return Some(format!(
                    "{from} is not in it, only what is before {position:?}"
                ));
            }
            let channel = channel_of(output.sink)?;
            let headers: Vec<(String, Vec<u8>)> = match channel {
                Channel::DeadLetters => {
                    let headers = output.message.headers.iter();
                    headers
                        .map(|(name, value)| ((*name).to_owned(), value.clone()))
                        .collect()
                }
                Channel::Results | Channel::Events | Channel::Catalogue => Vec::new(),
            };
            let record = Record {
                topic: &output.topic,
                partition: output.partition,
                offset: 0,
                timestamp_ms: 0,
                key: Some(&output.message.key),
                value: output.message.value.as_deref(),
                headers: if headers.is_empty() {
                    &NoHeaders
                } else {
                    &headers
                },
            };
            self.objection(&output.stamp, channel, &record)
        };
        let found = outputs.iter().find_map(objection);
        found.map(|text| Violation::new("C1", format!("a commit tells otherwise: {text}")))
    }

    /// What is wrong with a record that stands in the log, or was told of.
    pub(super) fn objection(
        &self,
        stamp: &Stamp,
        channel: Channel,
        record: &Record<'_>,
    ) -> Option<String> {
        let from = || {
            let Stamp {
                offset,
                unit,
                index,
                ..
            } = stamp;
            format!(
                "{channel:?} from {} {offset} unit {unit} index {index}",
                self.facts.input
            )
        };
        let Some(unit) = self.expected(stamp) else {
            return Some(format!("{}: nothing should come of that", from()));
        };
        let expected = usize::try_from(stamp.index)
            .ok()
            .and_then(|index| unit.get(index));
        let Some(expected) = expected else {
            return Some(format!("{}: only {} records should", from(), unit.len()));
        };
        if usize::try_from(stamp.count) != Ok(unit.len()) {
            return Some(format!(
                "{}: it is one of {}, not {}",
                from(),
                unit.len(),
                stamp.count
            ));
        }
        let objection = expected.objection(channel, record.partition, record)?;
        let input = usize::try_from(stamp.offset)
            .ok()
            .and_then(|at| self.inputs.get(at));
        let time_ms = input.map_or(0, |input| input.timestamp_ms);
        Some(format!("{} at {time_ms}: {objection}", from()))
    }
}

/// The channel of a topic by its name without prefix.
pub(super) fn channel_of(sink: &str) -> Option<Channel> {
    match sink {
        "results" => Some(Channel::Results),
        "reservation.events" => Some(Channel::Events),
        "catalogue" => Some(Channel::Catalogue),
        "dlq" => Some(Channel::DeadLetters),
        _ => None,
    }
}
