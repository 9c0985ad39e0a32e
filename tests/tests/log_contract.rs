//! The contract of logs on a real Kafka.

#[expect(
    unreachable_pub,
    reason = "several test programs share these functions"
)]
#[path = "../../topology/tests/log_contract/mod.rs"]
mod log_contract;

use std::sync::{Arc, OnceLock};

use log_contract::LogUnderTest;
use stagedoor_tests::kafka::{Broker, BrokerOptions, unique};
use stagedoor_topology::log::Log;
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};

/// One application on a broker that all of these tests share.
struct OnKafka {
    broker: &'static Broker,
    application: String,
}

impl OnKafka {
    fn new() -> Self {
        static BROKER: OnceLock<Broker> = OnceLock::new();
        let start = || {
            let options = BrokerOptions {
                // Or compaction would look for work every quarter of a minute.
                settings: vec!["log.cleaner.backoff.ms=200".to_owned()],
                ..BrokerOptions::default()
            };
            Broker::own(&options).expect("Kafka starts")
        };
        Self {
            broker: BROKER.get_or_init(start),
            application: unique("contract"),
        }
    }
}

impl LogUnderTest for OnKafka {
    fn log(&self, _process: usize) -> Arc<dyn Log> {
        let servers = self.broker.bootstrap_servers();
        Arc::new(KafkaLog::new(KafkaConfig::new(servers, &self.application)))
    }

    /// Every test drops its clients, and that is all there is of a process.
    fn restart(&mut self) {}
}

log_contract!(OnKafka::new());
