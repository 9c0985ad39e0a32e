//! The boundary to the stream runtime: how it is started, and the few things HTTP asks of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stagedoor_processors::BuildError;
use stagedoor_processors::concert::COMMANDS;
use stagedoor_state::{Database, DatabaseOptions, StateError, StoreReader};
use stagedoor_topology::log::embedded::{EmbeddedConfig, EmbeddedLog};
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::{
    AppendDone, Appender, Haste, Log, LogError, Outgoing, TopicPartition,
};
use stagedoor_topology::{
    GlobalTableReader, Header, INSTANCES_TABLE, Instance, ReadError, RebuildError, Secret,
    StartError, Streams, StreamsConfig, StreamsState, TaskId, TaskStatus, TopicNaming,
    partition_for,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{ConfigError, LogKind, Settings};
use crate::results::{Hub, ResultsTail, Wakeups};

/// Name of the sub-topology of concerts.
pub(crate) const CONCERT: &str = stagedoor_processors::concert::CONCERT;

/// Topic of answers, without its prefix.
pub(crate) const RESULTS: &str = stagedoor_processors::concert::RESULTS.topic;

/// How long to wait before looking again whether the log has answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why the runtime does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    /// The configuration lacks something.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The application cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The topology contradicts itself.
    #[error(transparent)]
    Topology(#[from] BuildError),
    /// The id of this instance can be neither read nor kept.
    #[error("cannot keep the instance id in {path}: {source}; check the directory's permissions")]
    InstanceId {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// The running application, with what HTTP needs beside it.
pub(crate) struct Runtime {
    streams: Streams,
    log: Arc<dyn Log>,
    appender: Arc<dyn Appender>,
    instance_id: String,
    commands: String,
    reply_to: OnceLock<i32>,
    tail: OnceLock<ResultsTail>,
}

impl Runtime {
    /// Opens the stores and starts the application. A broker that is down is no error: it is
    /// tried again until it answers. Blocks while the stores are opened.
    pub(crate) fn start(
        settings: &Settings,
        application_server: (String, u16),
        wakeups: Arc<Wakeups>,
    ) -> Result<Self, RuntimeError> {
        let topology = stagedoor_processors::topology()?;
        // First of all, because its lock keeps a second process off the directory.
        let stores = open_stores(settings, &settings.data)?;
        let instance_id = instance_id(settings)?;
        let log = open_log(settings, &stores)?;
        let mut config = streams_config(settings, instance_id.clone())?;
        config.application_server = Some(application_server);
        let streams = Streams::start(
            topology,
            Arc::clone(&log),
            Arc::new(stores),
            config,
            wakeups,
        )?;
        Ok(Self {
            appender: streams.appender(),
            commands: streams.topic(COMMANDS.topic),
            streams,
            log,
            instance_id,
            reply_to: OnceLock::new(),
            tail: OnceLock::new(),
        })
    }

    /// Waits until the log answers, then opens the tail of this instance's results. Commands are
    /// taken from then on. Blocks.
    pub(crate) fn attach(&self, hub: &Arc<Hub>, wakeups: &Wakeups, stop: &CancellationToken) {
        while !stop.is_cancelled() && self.state() != StreamsState::Error {
            match self.try_attach(hub, wakeups) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot open the results yet"),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn try_attach(&self, hub: &Arc<Hub>, wakeups: &Wakeups) -> Result<bool, LogError> {
        let Some(count) = self.streams.partitions(RESULTS) else {
            return Ok(false);
        };
        let partition = partition_for(self.instance_id.as_bytes(), count);
        let place = TopicPartition::new(self.streams.topic(RESULTS), partition);
        let tail = ResultsTail::start(Arc::clone(&self.log), Arc::clone(hub), place)?;
        wakeups.set_own_partition(partition);
        // The only caller, so both are still empty.
        let _ = self.tail.set(tail);
        let _ = self.reply_to.set(partition);
        Ok(true)
    }

    /// Partition of `results` that answers for this instance go to; none before the log answered.
    pub(crate) fn reply_to(&self) -> Option<i32> {
        self.reply_to.get().copied()
    }

    /// Partition of a concert; none before the log answered.
    pub(crate) fn partition(&self, concert: &str) -> Option<i32> {
        self.streams
            .partition_for(COMMANDS.topic, concert.as_bytes())
    }

    /// Queues a command; `done` hears what became of it.
    pub(crate) fn append(
        &self,
        concert: &str,
        partition: i32,
        value: &[u8],
        headers: &[Header<'_>],
        haste: Haste,
        done: AppendDone,
    ) {
        let record = Outgoing {
            topic: self.commands.as_str(),
            partition,
            key: Some(concert.as_bytes()),
            value: Some(value),
            headers,
        };
        self.appender.append(record, haste, done);
    }

    /// Reads of a partition's concerts.
    pub(crate) fn reader(&self, partition: i32) -> Result<StoreReader, ReadError> {
        self.streams.read(CONCERT, partition)
    }

    /// The table of everything that concerts publish about themselves.
    pub(crate) fn catalogue(&self) -> Option<Arc<GlobalTableReader>> {
        self.streams.table(stagedoor_processors::CATALOGUE.name)
    }

    /// Where the owner of a partition can be reached, if another instance announces it.
    pub(crate) fn owner(&self, partition: i32) -> Option<(String, u16)> {
        let task = TaskId {
            sub_topology: 0,
            partition,
        }
        .to_string();
        let instances = self.streams.table(INSTANCES_TABLE)?;
        instances.read(|rows| {
            let decoded = rows
                .values()
                .filter_map(|row| stagedoor_avro::decode::<Instance>(row).ok());
            let mut owners =
                decoded.filter(|it| it.instance != self.instance_id && it.tasks.contains(&task));
            owners.find_map(|it| Some((it.host, u16::try_from(it.port).ok()?)))
        })
    }

    /// Whether the log still confirms that this instance owns what it serves.
    pub(crate) fn is_confirmed(&self) -> bool {
        let mut tasks = self.tasks().into_iter();
        tasks.all(|task| self.reader(task.id.partition).err() != Some(ReadError::LeaseLost))
    }

    /// What the application is doing.
    pub(crate) fn state(&self) -> StreamsState {
        self.streams.state()
    }

    /// Why it stopped by itself.
    pub(crate) fn failure(&self) -> Option<String> {
        self.streams.failure()
    }

    /// Its tasks.
    pub(crate) fn tasks(&self) -> Vec<TaskStatus> {
        self.streams.tasks()
    }

    /// Asks for the rebuild of a task from the command log. Blocks while the log is asked.
    pub(crate) fn rebuild(&self, task: TaskId) -> Result<(), RebuildError> {
        self.streams.rebuild(task)
    }

    /// Finishes, commits, leaves the group. Returns whether that was done in time. Blocks.
    pub(crate) fn close(&self, timeout: Duration) -> bool {
        self.streams.close(timeout)
    }
}

/// The log that the settings name: the one place that chooses it, for what runs and for what only
/// reads. Nothing is asked of a Kafka yet.
fn open_log(settings: &Settings, stores: &Database) -> Result<Arc<dyn Log>, RuntimeError> {
    match settings.log {
        LogKind::Kafka => kafka_log(settings),
        LogKind::Embedded => embedded_log(settings, stores),
    }
}

/// The log on a Kafka. Nothing is asked of it yet.
pub(crate) fn kafka_log(settings: &Settings) -> Result<Arc<dyn Log>, RuntimeError> {
    Ok(Arc::new(KafkaLog::new(kafka_config(settings)?)))
}

/// The log in the database of the stores.
pub(crate) fn embedded_log(
    settings: &Settings,
    stores: &Database,
) -> Result<Arc<dyn Log>, RuntimeError> {
    let mut config = EmbeddedConfig::new(settings.application_id.as_str());
    config.durability = settings.log_sync.0;
    let log = EmbeddedLog::open(stores, config).map_err(StartError::from)?;
    Ok(Arc::new(log))
}

/// The stores of a data directory, which no other process may have open.
pub(crate) fn open_stores(settings: &Settings, data: &Path) -> Result<Database, RuntimeError> {
    Ok(Database::open(
        data.join("state"),
        &database_options(settings),
    )?)
}

/// Names and partition counts of the topics.
pub(crate) fn naming(settings: &Settings) -> TopicNaming {
    stagedoor_processors::naming(
        &settings.application_id,
        &settings.topic_prefix,
        settings.partitions,
        settings.event_partitions,
    )
}

fn database_options(settings: &Settings) -> DatabaseOptions {
    let mut options = DatabaseOptions::default();
    if settings.log == LogKind::Embedded {
        // The log is the only copy. One machine that carries everything gets smaller buffers, and
        // little to replay at a start.
        options = DatabaseOptions {
            authoritative: true,
            block_cache_bytes: 16 << 20,
            write_buffer_bytes: 32 << 20,
            write_ahead_log_bytes: 64 << 20,
            ..options
        };
    }
    if let Some(bytes) = settings.cache_bytes {
        options.block_cache_bytes = bytes;
    }
    options
}

fn kafka_config(settings: &Settings) -> Result<KafkaConfig, ConfigError> {
    let mut config = KafkaConfig::new(
        settings.require_bootstrap_servers()?,
        settings.application_id.as_str(),
    );
    config.group_instance_id = settings.instance_id.clone();
    config.session_timeout = Duration::from_millis(settings.session_timeout_ms);
    config.transaction_timeout = Duration::from_millis(settings.transaction_timeout_ms);
    config.replication = settings.replication_factor;
    config.raw = settings.kafka.clone();
    Ok(config)
}

fn streams_config(settings: &Settings, instance_id: String) -> Result<StreamsConfig, ConfigError> {
    let naming = naming(settings);
    let secret = Secret::new(settings.application_secret()?);
    let mut config = StreamsConfig::new(naming, settings.data.clone(), instance_id, secret);
    config.stream_threads = settings.threads;
    config.commit_interval = Duration::from_millis(settings.commit_interval_ms);
    config.max_batch_records = settings.max_batch_records;
    Ok(config)
}

/// The configured id, or one that is made once and kept beside the stores.
fn instance_id(settings: &Settings) -> Result<String, RuntimeError> {
    if let Some(id) = &settings.instance_id {
        return Ok(id.clone());
    }
    let path = settings.data.join("instance-id");
    kept_id(&path).map_err(|source| RuntimeError::InstanceId { path, source })
}

fn kept_id(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let id = Uuid::now_v7().to_string();
            std::fs::write(path, &id)?;
            Ok(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_keeps_its_id_over_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("instance-id");
        let first = kept_id(&path).unwrap();
        assert_eq!(kept_id(&path).unwrap(), first);
    }
}
