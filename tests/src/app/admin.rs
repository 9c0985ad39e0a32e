//! What an operator, or an accident, does to topics.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};

use super::site::Site;

/// An operator's hands.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    options: AdminOptions,
}

impl Admin {
    /// For the broker of a site.
    ///
    /// # Panics
    /// If there can be no client.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let client = ClientConfig::new()
            .set("bootstrap.servers", &site.options.bootstrap_servers)
            .create()
            .expect("an admin client");
        let limit = Duration::from_secs(15);
        let options = AdminOptions::new()
            .request_timeout(Some(limit))
            .operation_timeout(Some(limit));
        Self { client, options }
    }

    /// Creates a topic.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn create(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) {
        let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let wanted = config
            .iter()
            .fold(wanted, |topic, (name, value)| topic.set(name, value));
        let made = pollster::block_on(self.client.create_topics(&[wanted], &self.options));
        assert!(
            made.is_ok_and(|made| made.iter().all(Result::is_ok)),
            "{topic} is created"
        );
    }

    /// Deletes a topic, and waits until it is gone.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn delete(&self, topic: &str) {
        let gone = pollster::block_on(self.client.delete_topics(&[topic], &self.options));
        assert!(
            gone.is_ok_and(|gone| gone.iter().all(Result::is_ok)),
            "{topic} is deleted"
        );
        let absent = || {
            let metadata = self
                .client
                .inner()
                .fetch_metadata(Some(topic), Duration::from_secs(5));
            metadata.is_ok_and(|metadata| {
                metadata
                    .topics()
                    .iter()
                    .all(|topic| topic.partitions().is_empty())
            })
        };
        assert!(
            crate::wait::until(Duration::from_secs(15), absent),
            "{topic} is gone"
        );
    }

    /// Deletes the records of partition 0 of a compacted topic before an offset.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn delete_records(&self, topic: &str, before: i64) {
        // The broker protects compacted topics from this, but nobody protects them from operators.
        self.set(topic, "cleanup.policy", "delete");
        self.delete_records_of(topic, before);
        self.set(topic, "cleanup.policy", "compact");
    }

    /// The same of a topic that is not compacted.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn delete_records_of(&self, topic: &str, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(before))
            .expect("an offset");
        let deleted = pollster::block_on(self.client.delete_records(&list, &self.options));
        let deleted = deleted.expect("the broker deletes records");
        assert!(
            deleted
                .elements()
                .iter()
                .all(|element| element.error().is_ok()),
            "{topic}"
        );
    }

    /// Sets one configuration of a topic, and the others to their defaults.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn set(&self, topic: &str, name: &str, value: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let changed = pollster::block_on(self.client.alter_configs(&[change], &self.options));
        assert!(
            changed.is_ok_and(|all| all.iter().all(Result::is_ok)),
            "{topic} {name}={value}"
        );
    }
}
