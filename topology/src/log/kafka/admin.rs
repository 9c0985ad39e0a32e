//! Creates topics and looks at what exists.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::config::KafkaConfig;
use super::{errors, native};
use crate::log::{LogError, TopicInfo, TopicSpec};

/// Creates what is missing and describes everything.
pub(super) fn ensure_topics(
    config: &KafkaConfig,
    topics: &[TopicSpec],
) -> Result<Vec<TopicInfo>, LogError> {
    let admin: AdminClient<DefaultClientContext> = config
        .client("admin")
        .create()
        .map_err(|error| errors::sort(&error))?;
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let client = admin.inner();
    // A broker that is down would let the calls below wait for their whole time.
    client
        .fetch_metadata(None, config.request_timeout)
        .map_err(|error| errors::sort(&error))?;
    let mut ids = native::topic_ids(client.native_ptr(), &names, config.request_timeout)?;
    let missing: Vec<&TopicSpec> = topics
        .iter()
        .filter(|topic| !ids.contains_key(&topic.name))
        .collect();
    if !missing.is_empty() {
        create(config, &admin, &missing)?;
        ids = await_ids(config, &admin, &names)?;
    }
    let configs = describe_configs(config, &admin, &names)?;
    names
        .into_iter()
        .zip(configs)
        .map(|(name, topic_config)| {
            let id = ids.get(&name).cloned().ok_or_else(|| {
                LogError::Unavailable(format!("the topic {name} is not visible yet"))
            })?;
            let partitions = partition_count(config, &admin, &name)?;
            Ok(TopicInfo {
                name,
                id,
                partitions,
                config: topic_config,
            })
        })
        .collect()
}

/// A created topic is visible everywhere only after a moment.
fn await_ids(
    config: &KafkaConfig,
    admin: &AdminClient<DefaultClientContext>,
    names: &[String],
) -> Result<BTreeMap<String, String>, LogError> {
    let deadline = Instant::now() + config.request_timeout;
    loop {
        let client = admin.inner().native_ptr();
        let ids = native::topic_ids(client, names, config.request_timeout)?;
        if ids.len() == names.len() || Instant::now() > deadline {
            return Ok(ids);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn options(config: &KafkaConfig) -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(config.request_timeout))
        .operation_timeout(Some(config.request_timeout))
}

fn create(
    config: &KafkaConfig,
    admin: &AdminClient<DefaultClientContext>,
    missing: &[&TopicSpec],
) -> Result<(), LogError> {
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|spec| {
            let replication = TopicReplication::Fixed(config.replication);
            let topic = NewTopic::new(&spec.name, spec.partitions, replication);
            spec.config
                .iter()
                .fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let results = pollster::block_on(admin.create_topics(&topics, &options(config)))
        .map_err(|error| errors::sort(&error))?;
    for result in results {
        match result {
            Ok(name) => tracing::info!(topic = name, "topic created"),
            // Another instance that starts at the same moment was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(LogError::Refused(format!(
                    "the topic {name} cannot be created: {code}"
                )));
            }
        }
    }
    Ok(())
}

fn describe_configs(
    config: &KafkaConfig,
    admin: &AdminClient<DefaultClientContext>,
    names: &[String],
) -> Result<Vec<BTreeMap<String, String>>, LogError> {
    let resources: Vec<ResourceSpecifier<'_>> = names
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    let described = pollster::block_on(admin.describe_configs(&resources, &options(config)))
        .map_err(|error| errors::sort(&error))?;
    described
        .into_iter()
        .map(|resource| {
            let resource = resource
                .map_err(|code| LogError::Unavailable(format!("describing topics: {code}")))?;
            let entries = resource.entries.into_iter();
            Ok(entries
                .filter_map(|entry| entry.value.map(|value| (entry.name, value)))
                .collect())
        })
        .collect()
}

fn partition_count(
    config: &KafkaConfig,
    admin: &AdminClient<DefaultClientContext>,
    name: &str,
) -> Result<i32, LogError> {
    let metadata = admin
        .inner()
        .fetch_metadata(Some(name), config.request_timeout)
        .map_err(|error| errors::sort(&error))?;
    let count = metadata
        .topics()
        .first()
        .map_or(0, |topic| topic.partitions().len());
    i32::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| LogError::Unavailable(format!("the topic {name} has no partitions yet")))
}
