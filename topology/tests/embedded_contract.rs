//! The embedded log under the contract of logs.
#![cfg(feature = "embedded")]

#[expect(
    unreachable_pub,
    reason = "several test programs share these functions"
)]
mod log_contract;

use std::sync::Arc;
use std::time::Duration;

use log_contract::LogUnderTest;
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::Log;
use stagedoor_topology::log::embedded::{Durability, EmbeddedConfig, EmbeddedLog};
use tempfile::TempDir;

/// One process: all its parts share the log.
struct Embedded {
    directory: TempDir,
    log: Option<Arc<EmbeddedLog>>,
    tail_bytes: usize,
    durability: Durability,
}

impl Embedded {
    fn open(tail_bytes: usize, durability: Durability) -> Self {
        let mut embedded = Self {
            directory: tempfile::tempdir().expect("a directory"),
            log: None,
            tail_bytes,
            durability,
        };
        embedded.restart();
        embedded
    }
}

impl LogUnderTest for Embedded {
    fn log(&self, _process: usize) -> Arc<dyn Log> {
        Arc::<EmbeddedLog>::clone(self.log.as_ref().expect("it is open"))
    }

    fn restart(&mut self) {
        if let Some(log) = self.log.take() {
            assert_eq!(Arc::strong_count(&log), 1, "somebody still has the log");
        }
        let options = DatabaseOptions {
            authoritative: true,
            ..DatabaseOptions::default()
        };
        let database = Database::open(self.directory.path(), &options).expect("it opens");
        let config = EmbeddedConfig {
            tail_bytes: self.tail_bytes,
            durability: self.durability,
            reserve_bytes: 0,
            clean_interval: Duration::from_millis(20),
            ..EmbeddedConfig::new("contract")
        };
        let log = EmbeddedLog::open(&database, config).expect("the log opens");
        self.log = Some(Arc::new(log));
    }
}

/// Readers at the end are served from memory; every commit is synchronised.
mod from_memory {
    use super::{Durability, Embedded, log_contract};

    crate::log_contract!(Embedded::open(16 << 20, Durability::EachCommit));
}

/// Nothing stays in memory, every reader reads the database; synchronised now and then.
mod from_the_database {
    use super::{Durability, Duration, Embedded, log_contract};

    crate::log_contract!(Embedded::open(
        0,
        Durability::Every(Duration::from_millis(3))
    ));
}
