//! The log on Apache Kafka, by librdkafka.

mod admin;
mod appender;
mod config;
mod errors;
mod member;
mod message;
mod native;
mod producer;
mod reader;
mod session;
mod signals;

use std::sync::Arc;

pub use config::KafkaConfig;

use super::{
    Appender, Isolation, Log, LogError, Member, Pace, Reader, Session, TopicInfo, TopicSpec,
};

/// Makes Kafka clients.
pub struct KafkaLog {
    config: KafkaConfig,
}

impl KafkaLog {
    /// A log on the brokers that the configuration names. Nothing is connected yet.
    #[must_use]
    pub fn new(config: KafkaConfig) -> Self {
        Self { config }
    }
}

impl Log for KafkaLog {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicInfo>, LogError> {
        admin::ensure_topics(&self.config, topics)
    }

    fn member(&self, thread: &str, topics: &[String]) -> Result<Box<dyn Member>, LogError> {
        Ok(Box::new(member::KafkaMember::join(
            &self.config,
            thread,
            topics,
        )?))
    }

    fn session(&self, transactional_id: &str) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(session::KafkaSession::open(
            &self.config,
            transactional_id,
        )?))
    }

    fn reader(&self, isolation: Isolation, pace: Pace) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(reader::KafkaReader::new(
            &self.config,
            isolation,
            pace,
        )?))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(appender::KafkaAppender::open(&self.config)?))
    }
}
