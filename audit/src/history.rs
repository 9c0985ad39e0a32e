//! What the checkers need to know of a run: inputs, outputs and facts of each command partition.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stagedoor_topology::Stamp;

use crate::facts::Fact;
use crate::inputs::{Input, Scope};
use crate::report::Place;

/// 128 bits that stand for bytes.
pub(crate) type Hash = [u8; 16];

/// Everything about a run, by partition of the command topic.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) lanes: Vec<Lane>,
    /// Records of output topics that carry no readable stamp.
    pub(crate) unstamped: Vec<Place>,
}

/// One command partition and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// Inputs in the order of their offsets.
    pub(crate) inputs: Vec<Input>,
    /// The next input offset by the last committed position: nothing is expected from there on.
    pub(crate) processed: i64,
    /// Units of that input's turn that are done.
    pub(crate) units: u32,
    /// Outputs as they were read: in order inside of each output partition.
    pub(crate) outputs: Vec<Output>,
    /// What was published about concerts and reservations, in the order of the stamps.
    pub(crate) facts: Vec<Fact>,
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
    /// Of partition, key and value; of a dead letter, of key and value.
    pub(crate) digest: Hash,
    /// Of a result: what it says.
    pub(crate) answer: Option<Answer>,
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

impl Lane {
    /// The place of an input.
    pub(crate) fn at(&self, offset: i64) -> Place {
        Place::new(Arc::clone(&self.topic), self.partition, offset)
    }

    /// Inputs whose turn is over.
    pub(crate) fn decided(&self) -> &[Input] {
        let end = self
            .inputs
            .partition_point(|input| input.offset < self.processed);
        &self.inputs[..end]
    }

    /// The input at an offset.
    pub(crate) fn input(&self, offset: i64) -> Option<&Input> {
        let found = self
            .inputs
            .binary_search_by_key(&offset, |input| input.offset);
        found.ok().and_then(|index| self.inputs.get(index))
    }

    /// The results, in the order of the inputs they answer.
    pub(crate) fn results(&self) -> Vec<&Output> {
        let is_result = |output: &&Output| output.channel == Channel::Results;
        let mut results: Vec<&Output> = self.outputs.iter().filter(is_result).collect();
        results.sort_by_key(|output| output.stamp);
        results
    }
}

/// The slice of a sorted list whose items have this key.
pub(crate) fn with_key<T>(sorted: &[T], key: i64, of: impl Fn(&T) -> i64) -> &[T] {
    let start = sorted.partition_point(|item| of(item) < key);
    let end = sorted.partition_point(|item| of(item) <= key);
    &sorted[start..end]
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
