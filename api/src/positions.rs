//! How far each partition is: committed here, and promised to those who were answered here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

/// Positions of every partition that anything is known of.
#[derive(Default)]
pub(crate) struct Positions {
    partitions: RwLock<BTreeMap<i32, Arc<Entry>>>,
}

struct Entry {
    /// Next input offset of the last commit of this instance.
    committed: watch::Sender<i64>,
    /// Reads of this instance must not be older: it has given an answer from there.
    promised: AtomicI64,
}

impl Positions {
    /// A commit of this instance: everything before `offset` is readable.
    pub(crate) fn committed(&self, partition: i32, offset: i64) {
        self.entry(partition).committed.send_replace(offset);
    }

    /// An answer was given that reflects everything before `offset`.
    pub(crate) fn promise(&self, partition: i32, offset: i64) {
        self.entry(partition)
            .promised
            .fetch_max(offset, Ordering::Relaxed);
    }

    /// The least position at which this instance may read the partition.
    pub(crate) fn promised(&self, partition: i32) -> i64 {
        self.entry(partition).promised.load(Ordering::Relaxed)
    }

    /// Waits until a commit of this instance has reached `offset`; false if none does in time.
    pub(crate) async fn reached(&self, partition: i32, offset: i64, wait: Duration) -> bool {
        let mut committed = self.entry(partition).committed.subscribe();
        let reached = committed.wait_for(|at| *at >= offset);
        matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_)))
    }

    fn entry(&self, partition: i32) -> Arc<Entry> {
        let known = self
            .partitions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get(&partition) {
            return Arc::clone(entry);
        }
        drop(known);
        let mut known = self
            .partitions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            Arc::new(Entry {
                committed: watch::Sender::new(0),
                promised: 0.into(),
            })
        };
        Arc::clone(known.entry(partition).or_insert_with(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_wakes_when_its_position_is_committed() {
        let positions = Arc::new(Positions::default());
        let waiting = Arc::clone(&positions);
        let waiter =
            tokio::spawn(async move { waiting.reached(3, 10, Duration::from_secs(60)).await });
        positions.committed(3, 9);
        positions.committed(4, 10);
        positions.committed(3, 10);
        assert!(waiter.await.unwrap());
        assert!(
            positions.reached(3, 7, Duration::ZERO).await,
            "the past is reached at once"
        );
        assert!(!positions.reached(3, 11, Duration::from_millis(1)).await);
    }

    #[test]
    fn a_promise_never_goes_back() {
        let positions = Positions::default();
        positions.promise(3, 10);
        positions.promise(3, 7);
        assert_eq!((positions.promised(3), positions.promised(4)), (10, 0));
    }
}
