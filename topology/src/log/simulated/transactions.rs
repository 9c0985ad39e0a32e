//! Transactions: epochs that fence, ends that write markers, and ends that come too late.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group::WrittenPosition;
use super::partition::{Content, ProducerId};
use super::state::{State, unknown};
use crate::log::{InputPosition, LogError, Outgoing, TopicPartition};

/// A producer as its session knows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) id: ProducerId,
    pub(super) epoch: u32,
}

/// What the coordinator knows of a transactional id.
pub(super) struct Transactional {
    producer: Producer,
    ongoing: Option<Ongoing>,
    /// Acknowledged, but its markers are not written yet.
    ending: Option<(Ongoing, bool)>,
}

/// An open transaction.
#[derive(Default)]
struct Ongoing {
    since: Option<Duration>,
    partitions: BTreeSet<(String, i32)>,
    offsets: Vec<WrittenPosition>,
}

/// A copy of an EndTxn request that is still in the network.
pub(super) struct LateEnd {
    pub(super) transactional_id: String,
    pub(super) producer: Producer,
}

impl State {
    /// InitProducerId: a new epoch fences everybody before, whose open transaction is aborted.
    pub(super) fn initialise(&mut self, transactional_id: &str) -> Producer {
        self.write_markers();
        if self.is_ongoing(transactional_id) {
            self.count("open transaction ended by a new session");
            self.end(transactional_id, false, false);
        }
        let fresh = self.transactional.len() as u64 + 1;
        let known = self
            .transactional
            .entry(transactional_id.to_owned())
            .or_insert_with(|| Transactional {
                producer: Producer {
                    id: fresh,
                    epoch: 0,
                },
                ongoing: None,
                ending: None,
            });
        known.producer.epoch += 1;
        known.producer
    }

    fn is_ongoing(&self, transactional_id: &str) -> bool {
        let known = self.transactional.get(transactional_id);
        known.is_some_and(|known| known.ongoing.is_some())
    }

    /// The transaction that a producer may write to, opened by its first write.
    fn ongoing(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        now: Duration,
    ) -> Result<&mut Ongoing, LogError> {
        // The coordinator opens none before the last one has its markers (CONCURRENT_TRANSACTIONS):
        // the client waits.
        self.mark(transactional_id);
        match self.transactional.get_mut(transactional_id) {
            Some(known) if known.producer == producer => {
                let ongoing = known.ongoing.get_or_insert_default();
                ongoing.since.get_or_insert(now);
                Ok(ongoing)
            }
            _ => {
                *self.counters.entry("zombie write fenced").or_default() += 1;
                Err(fenced(transactional_id))
            }
        }
    }

    /// Writes a record in a transaction.
    pub(super) fn send(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        record: &Outgoing<'_>,
        (now, wall_ms): (Duration, i64),
    ) -> Result<i64, LogError> {
        self.refuse_too_large(record)?;
        if self.partition(record.topic, record.partition).is_none() {
            return Err(unknown(record.topic, record.partition));
        }
        let ongoing = self.ongoing(transactional_id, producer, now)?;
        let known = ongoing
            .partitions
            .iter()
            .any(|(topic, partition)| topic == record.topic && *partition == record.partition);
        if !known {
            let partition = (record.topic.to_owned(), record.partition);
            ongoing.partitions.insert(partition);
        }
        let partition = self
            .partition_mut(record.topic, record.partition)
            .ok_or_else(|| unknown(record.topic, record.partition))?;
        Ok(partition.append(wall_ms, producer.id, Content::new(record)))
    }

    /// Adds input positions, which stay unstable until the transaction has ended.
    pub(super) fn add_offsets(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        positions: &[(TopicPartition, InputPosition)],
        now: Duration,
    ) -> Result<(), LogError> {
        self.ongoing(transactional_id, producer, now)?;
        let at = self
            .group
            .hold(positions.iter().map(|(partition, _)| partition));
        let written = positions
            .iter()
            .map(|(partition, position)| (at, partition.clone(), *position));
        let ongoing = self.ongoing(transactional_id, producer, now)?;
        ongoing.offsets.extend(written);
        Ok(())
    }

    /// EndTxn with commit, as the coordinator takes it from whoever has the epoch: it cannot tell
    /// a late copy from the request for the transaction that is open now.
    pub(super) fn commit(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        slow: bool,
    ) -> Result<(), LogError> {
        let known = self.transactional.get(transactional_id);
        if known.is_none_or(|known| known.producer != producer) {
            self.count("zombie commit fenced");
            return Err(fenced(transactional_id));
        }
        self.end(transactional_id, true, slow);
        Ok(())
    }

    /// Copies of EndTxn that were held arrive. Returns how many ended something.
    pub(super) fn deliver_late(&mut self) -> usize {
        self.write_markers();
        let mut ended = 0;
        for late in std::mem::take(&mut self.late) {
            let hits = self
                .transactional
                .get(&late.transactional_id)
                .is_some_and(|known| known.producer == late.producer && known.ongoing.is_some());
            if hits {
                self.count("late EndTxn hit an open transaction");
                self.end(&late.transactional_id, true, false);
                ended += 1;
            } else {
                self.count("late EndTxn bounced");
            }
        }
        ended
    }

    fn end(&mut self, transactional_id: &str, commit: bool, slow: bool) {
        let Some(known) = self.transactional.get_mut(transactional_id) else {
            return;
        };
        let Some(ongoing) = known.ongoing.take() else {
            return;
        };
        known.ending = Some((ongoing, commit));
        if slow {
            self.count("markers written late");
        } else {
            self.mark(transactional_id);
        }
    }

    /// Writes the markers of every transaction that has ended.
    pub(super) fn write_markers(&mut self) {
        let ending: Vec<String> = self
            .transactional
            .iter()
            .filter(|(_, known)| known.ending.is_some())
            .map(|(id, _)| id.clone())
            .collect();
        for id in ending {
            self.mark(&id);
        }
    }

    fn mark(&mut self, transactional_id: &str) {
        let Some(known) = self.transactional.get_mut(transactional_id) else {
            return;
        };
        let Some((ended, commit)) = known.ending.take() else {
            return;
        };
        let producer = known.producer.id;
        for (topic, partition) in ended.partitions {
            if let Some(log) = self.partition_mut(&topic, partition) {
                log.end(producer, commit);
            }
        }
        self.group.settle(&ended.offsets, commit);
        self.version += 1;
    }

    /// Aborts what has been open for too long; its producer is fenced.
    pub(super) fn end_old_transactions(&mut self, now: Duration) {
        let patience = self.config.transaction_timeout;
        let old: Vec<String> = self
            .transactional
            .iter()
            .filter(|(_, known)| {
                let since = known.ongoing.as_ref().and_then(|ongoing| ongoing.since);
                since.is_some_and(|since| now.saturating_sub(since) > patience)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in old {
            self.count("transaction timed out");
            self.end(&id, false, false);
            if let Some(known) = self.transactional.get_mut(&id) {
                known.producer.epoch += 1;
            }
        }
    }
}

fn fenced(transactional_id: &str) -> LogError {
    LogError::Fenced(format!("{transactional_id} has a newer epoch"))
}
