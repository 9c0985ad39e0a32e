//! Writes outside of transactions: queued by any thread, written with the next commit.

use std::sync::Arc;

use super::Shared;
use crate::log::{AppendDone, Appender, Haste, Outgoing};

/// Shared by everybody in the process.
pub(super) struct EmbeddedAppender(pub(super) Arc<Shared>);

impl Appender for EmbeddedAppender {
    fn append(&self, record: Outgoing<'_>, _haste: Haste, done: AppendDone) {
        let shared = &self.0;
        let place = shared
            .check_size(&record)
            .and_then(|()| shared.topics.partition(record.topic, record.partition));
        match place {
            Ok(partition) => {
                let most = shared.config.queue_bytes;
                shared.queue.append(&partition, &record, done, most);
            }
            Err(error) => done(Err(error)),
        }
    }
}
