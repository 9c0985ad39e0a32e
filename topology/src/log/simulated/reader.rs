//! A reader outside of the group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::SimulatedLog;
use super::fault::Call;
use super::partition::Content;
use super::state::unknown;
use crate::log::{Isolation, LogError, Reader, TopicPartition};
use crate::record::Record;

/// Reads some partitions of a topic.
pub(super) struct SimulatedReader {
    log: SimulatedLog,
    isolation: Isolation,
    topic: Arc<str>,
    next: BTreeMap<i32, i64>,
}

/// A record on its way to the visitor.
type Fetched = (i32, i64, i64, Arc<Content>);

impl SimulatedReader {
    pub(super) fn new(log: SimulatedLog, isolation: Isolation) -> Self {
        Self {
            log,
            isolation,
            topic: "".into(),
            next: BTreeMap::new(),
        }
    }

    /// Takes what there is, moves the positions on, and says whether that was all.
    fn fetch(&mut self, most: usize) -> Result<(Vec<Fetched>, bool), LogError> {
        let (topic, isolation, next) = (&self.topic, self.isolation, &mut self.next);
        self.log.call(Call::Read, |state, _| {
            let mut fetched = Vec::new();
            let mut ended = true;
            for (partition, next) in next {
                let log = state
                    .partition(topic, *partition)
                    .ok_or_else(|| unknown(topic, *partition))?;
                if *next == 0 {
                    *next = log.start();
                }
                if *next < log.start() || *next > log.high() {
                    let partition = TopicPartition::new(Arc::clone(topic), *partition);
                    return Err(LogError::OutOfRange(partition));
                }
                let bound = log.bound(isolation);
                let room = most - fetched.len();
                let visible = log.visible(isolation, *next, bound).take(room);
                let before = fetched.len();
                fetched.extend(visible.map(|(offset, at_ms, content)| {
                    (*partition, offset, at_ms, Arc::clone(content))
                }));
                let is_full = fetched.len() - before == room;
                *next = match fetched.last().filter(|_| is_full && room > 0) {
                    Some((_, last, _, _)) => last + 1,
                    None if is_full => *next,
                    None => bound.max(*next),
                };
                ended &= *next >= bound;
            }
            Ok((fetched, ended))
        })
    }
}

impl Reader for SimulatedReader {
    fn open(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<(), LogError> {
        self.log.call(Call::Reader, |_, _| Ok(()))?;
        self.topic = topic.into();
        self.next = from.iter().copied().collect();
        Ok(())
    }

    fn poll(
        &mut self,
        _wait: Duration,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<bool, LogError> {
        let (fetched, ended) = self.fetch(most)?;
        for (partition, offset, at_ms, content) in fetched {
            visit(&content.record(&self.topic, partition, offset, at_ms));
        }
        Ok(ended)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        let isolation = self.isolation;
        self.log.call(Call::Watermarks, |state, _| {
            let TopicPartition { topic, partition } = partition;
            let log = state
                .partition(topic, *partition)
                .ok_or_else(|| unknown(topic, *partition))?;
            Ok((log.start(), log.bound(isolation)))
        })
    }
}
