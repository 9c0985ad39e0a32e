//! The transactional session on Kafka: two producers that take turns.
//!
//! A commit is acknowledged when the coordinator has noted it; only then does the coordinator write
//! the markers into every partition. Until that is done it answers `CONCURRENT_TRANSACTIONS` to
//! the next transaction of the same id, and librdkafka asks again after 20 ms. With a second id the
//! next transaction does not wait for the markers of the last one.
//!
//! Nothing else changes. A transaction begins only after the one before is acknowledged, so there
//! is one at a time. Read-committed readers see them in order, because a partition is read no
//! further than its first open transaction; and of two positions of a partition the broker keeps
//! the one that was written later, whichever marker comes first.

use super::config::KafkaConfig;
use super::producer::TransactionalProducer;
use crate::log::{
    Generation, InputPosition, LogError, Outgoing, Session, TopicPartition, ids_in_turn,
};

/// Transactions in turn by two producers.
pub(super) struct KafkaSession {
    turn: TransactionalProducer,
    other: TransactionalProducer,
}

impl KafkaSession {
    /// Opens a session; fences the earlier ones of that id with both of their producers.
    pub(super) fn open(config: &KafkaConfig, transactional_id: &str) -> Result<Self, LogError> {
        let [first, second] = ids_in_turn(transactional_id);
        // Each waits for the broker: side by side, because a takeover waits for both.
        std::thread::scope(|scope| {
            let second = scope.spawn(|| TransactionalProducer::open(config, &second));
            let first = TransactionalProducer::open(config, &first);
            let second = second.join().unwrap_or_else(|_| {
                Err(LogError::Unavailable(
                    "opening a producer panicked".to_owned(),
                ))
            });
            // The first transaction begins with a change of turns.
            Ok(Self {
                turn: second?,
                other: first?,
            })
        })
    }
}

impl Session for KafkaSession {
    fn begin(&mut self) -> Result<(), LogError> {
        std::mem::swap(&mut self.turn, &mut self.other);
        self.turn.begin()
    }

    fn send(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        self.turn.send(&record)
    }

    fn send_tracked(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        self.turn.send_tracked(&record)
    }

    fn add_offsets(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<(), LogError> {
        self.turn.add_offsets(positions, generation)
    }

    fn commit(&mut self) -> Result<Vec<i64>, LogError> {
        self.turn.commit()
    }

    fn reusable(&self) -> bool {
        self.turn.reusable()
    }
}
