//! Settings of the Kafka clients: what the protocol needs, and what the operator may add.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::log::{Haste, Pace};

/// How to reach Kafka and under which names.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Comma-separated `host:port` list.
    pub bootstrap_servers: String,
    /// Group id, and the prefix of client ids.
    pub application_id: String,
    /// `group.instance.id` for static membership; members are dynamic without it.
    pub group_instance_id: Option<String>,
    /// `session.timeout.ms`: how long a silent owner keeps its tasks.
    pub session_timeout: Duration,
    /// `transaction.timeout.ms`: how long a dead owner's transaction may hold back readers.
    pub transaction_timeout: Duration,
    /// Longest wait for a single administrative call.
    pub request_timeout: Duration,
    /// Replication factor of created topics.
    pub replication: i32,
    /// Largest record in bytes that is sent.
    pub max_record_bytes: usize,
    /// Raw librdkafka settings that are added to every client.
    pub raw: BTreeMap<String, String>,
}

impl KafkaConfig {
    /// Defaults for a broker list and an application id.
    #[must_use]
    pub fn new(bootstrap_servers: impl Into<String>, application_id: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            application_id: application_id.into(),
            group_instance_id: None,
            session_timeout: Duration::from_secs(10),
            transaction_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            replication: 1,
            max_record_bytes: 1_000_000,
            raw: BTreeMap::new(),
        }
    }

    /// Settings that every client shares.
    pub(super) fn client(&self, role: &str) -> ClientConfig {
        // Whoever asks librdkafka for its debug lines wants to see them.
        let level = match self.raw.contains_key("debug") {
            true => RDKafkaLogLevel::Debug,
            false => RDKafkaLogLevel::Info,
        };
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", format!("{}-{role}", self.application_id))
            // A cut connection must reach the log callback: the end of a transaction depends on it.
            .set("log.connection.close", "true")
            .set_log_level(level)
            // How soon a topic that is new to a client is found; the default is 100 ms.
            .set("topic.metadata.refresh.fast.interval.ms", "10")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "1000")
            .set("retry.backoff.ms", "5");
        for (name, value) in &self.raw {
            config.set(name, value);
        }
        config
    }

    /// A member of the consumer group.
    pub(super) fn member(&self, thread: &str) -> ClientConfig {
        let session_ms = self.session_timeout.as_millis();
        let mut config = self.consumer(thread);
        config
            .set("group.id", &self.application_id)
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_ms.to_string())
            // A survivor learns of a dead member's partitions by its own next heartbeat.
            .set("heartbeat.interval.ms", (session_ms / 12).max(1).to_string());
        if let Some(id) = &self.group_instance_id {
            config.set("group.instance.id", format!("{id}-{thread}"));
        }
        config
    }

    /// A consumer outside of the group. librdkafka wants a group id all the same; none is joined.
    pub(super) fn reader(&self, isolation: &str, pace: Pace) -> ClientConfig {
        let mut config = self.consumer("reader");
        let wait_ms = match pace {
            Pace::CatchUp => "10",
            Pace::Follow => "500",
        };
        config
            .set("fetch.wait.max.ms", wait_ms)
            .set("group.id", format!("{}-reader", self.application_id))
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true");
        config
    }

    fn consumer(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Every start is explicit; an offset that is gone is an error and not a jump.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "100")
            // The default of a second stalls a partition whenever the local queue was full.
            .set("fetch.queue.backoff.ms", "1")
            .set("queued.min.messages", "20000")
            .set("queued.max.messages.kbytes", "16384");
        config
    }

    /// A transactional producer.
    pub(super) fn transactional(&self, transactional_id: &str) -> ClientConfig {
        let timeout_ms = self.transaction_timeout.as_millis().to_string();
        let mut config = self.producer("producer");
        config
            // Large requests while a batch is made; the commit sends what is left at once.
            .set("linger.ms", "20")
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", &timeout_ms)
            .set("message.timeout.ms", &timeout_ms);
        config
    }

    /// A producer outside of transactions, for commands and Ticks.
    pub(super) fn appender(&self, haste: Haste) -> ClientConfig {
        let linger_ms = match haste {
            Haste::Prompt => "0",
            Haste::Patient => "20",
        };
        let mut config = self.producer("appender");
        config
            // An idempotent producer has five requests on their way at most, one per partition, and
            // polls without pause for what stands behind them. A record that is appended twice is
            // answered twice and has one effect; Ticks may come twice anyway.
            .set("max.in.flight.requests.per.connection", "1000")
            .set("linger.ms", linger_ms)
            .set(
                "message.timeout.ms",
                self.request_timeout.as_millis().to_string(),
            );
        config
    }

    fn producer(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config
            .set("acks", "all")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", "131072")
            .set(
                "message.max.bytes",
                (self.max_record_bytes + 100_000).to_string(),
            );
        config
    }
}
