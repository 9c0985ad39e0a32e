//! A topic that every instance reads whole, kept in memory under its keys.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::log::{Isolation, Log, LogError, Pace};
use crate::record::Record;

/// The rows of a compacted topic: latest value by key.
#[derive(Default)]
pub struct GlobalTableReader {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    caught_up: AtomicBool,
}

impl GlobalTableReader {
    /// Whether the topic was read to its end once since the start.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::SeqCst)
    }

    /// The row under a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.rows.read().get(key).cloned()
    }

    /// Reads the rows in key order, all from one moment.
    pub fn read<R>(&self, read: impl FnOnce(&BTreeMap<Vec<u8>, Vec<u8>>) -> R) -> R {
        read(&self.rows.read())
    }

    /// Follows the topic until `stop`; errors of the log are for the caller to retry.
    pub(crate) fn follow(
        &self,
        log: &dyn Log,
        topic: &str,
        partitions: i32,
        stop: &AtomicBool,
    ) -> Result<(), LogError> {
        let mut next: BTreeMap<i32, i64> = (0..partitions).map(|number| (number, 0)).collect();
        // An application is not ready before its tables are: what is there already is read by a
        // reader that does not wait for more.
        for pace in [Pace::CatchUp, Pace::Follow] {
            let mut reader = log.reader(Isolation::ReadCommitted, pace)?;
            let from: Vec<(i32, i64)> = next.clone().into_iter().collect();
            reader.open(topic, &from)?;
            while !stop.load(Ordering::SeqCst) {
                let ended = reader.poll(Duration::from_millis(100), 1000, &mut |record| {
                    next.insert(record.partition, record.offset + 1);
                    self.take(record);
                })?;
                if ended {
                    self.caught_up.store(true, Ordering::SeqCst);
                }
                if ended && pace == Pace::CatchUp {
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&self, record: &Record<'_>) {
        let Some(key) = record.key else { return };
        let mut rows = self.rows.write();
        match record.value {
            Some(value) => rows.insert(key.to_vec(), value.to_vec()),
            None => rows.remove(key),
        };
    }
}
