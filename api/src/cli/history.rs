//! What `audit` and `replay verify` share: which log, which stores, and how they are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use stagedoor_audit::{AuditError, Progress, Sources};
use stagedoor_state::{Database, StorageProvider};
use stagedoor_topology::log::{Isolation, Log, LogError, Pace, Reader, TopicPartition};
use stagedoor_topology::{Secret, TopicNaming, Topology};

use super::dev;
use super::options::ConfigArgs;
use crate::config::Settings;
use crate::exit::Failure;
use crate::runtime::{self, RuntimeError};

/// Where the history is.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Kafka's addresses, host:port with commas between.
    #[arg(long)]
    bootstrap_servers: Option<String>,
    /// Data directory of a stopped `stagedoor dev`, or of a stopped instance with log=embedded:
    /// its log is read, and its stores are compared as well.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bootstrap_servers", "stores"])]
    data: Option<PathBuf>,
    /// Name of the application whose topics are read.
    #[arg(long)]
    application_id: Option<String>,
    /// Prefix of every topic.
    #[arg(long)]
    topic_prefix: Option<String>,
    /// Command partitions to look at, such as 0,3,7; all of them where none is given.
    #[arg(long, value_delimiter = ',', value_name = "PARTITION")]
    partitions: Vec<i32>,
    /// Data directory of a stopped instance, whose stores are compared as well. It must have
    /// served every partition that is looked at.
    #[arg(long, value_name = "DIR")]
    stores: Option<PathBuf>,
    /// Memory for outputs on their way; what does not fit goes to temporary space.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    memory_mib: usize,
    /// Command partitions that are audited at once; as many as there are processors where none is
    /// given. Each takes the memory of its state.
    #[arg(long)]
    threads: Option<usize>,
    /// Where temporary space is taken; it takes at most as much as the outputs in the log.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    temporary: PathBuf,
}

/// An opened history.
pub(crate) struct History {
    log: Arc<dyn Log>,
    stores: Option<Database>,
    topology: Topology,
    naming: TopicNaming,
    secret: Secret,
    partitions: Vec<i32>,
    memory_bytes: usize,
    threads: usize,
    temporary: PathBuf,
}

impl HistoryArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        let mut flags = self.config.layer()?;
        let given = [
            ("bootstrap_servers", &self.bootstrap_servers),
            ("application_id", &self.application_id),
            ("topic_prefix", &self.topic_prefix),
        ];
        for (name, value) in given {
            flags.set_some(name, value.as_deref())?;
        }
        if let Some(data) = &self.data {
            flags.set_named("log", "embedded")?;
            dev::describe(data, &mut flags)?;
        }
        Ok(self.config.resolve(&flags)?)
    }

    /// Opens the log and, where they are asked for, the stores; looks whether the topics are those
    /// that the settings describe.
    pub(crate) fn open(&self) -> Result<History, Failure> {
        let settings = self.settings()?;
        let directory = self.data.as_ref().or(self.stores.as_ref());
        let stores = directory
            .map(|data| open_stores(&settings, data))
            .transpose()?;
        let log = match (&self.data, &stores) {
            (Some(_), Some(stores)) => runtime::embedded_log(&settings, stores)?,
            _ => runtime::kafka_log(&settings)?,
        };
        let history = History {
            log,
            stores,
            topology: stagedoor_processors::topology().map_err(RuntimeError::from)?,
            naming: runtime::naming(&settings),
            secret: Secret::new(settings.application_secret()?),
            partitions: self.partitions.clone(),
            memory_bytes: self.memory_mib.saturating_mul(1024 * 1024),
            threads: self.threads.unwrap_or_else(|| {
                std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
            }),
            temporary: self.temporary.clone(),
        };
        history.check_partitions()?;
        Ok(history)
    }
}

impl History {
    /// What the checkers read.
    pub(crate) fn sources<'a>(&'a self, progress: &'a (dyn Fn(Progress) + Sync)) -> Sources<'a> {
        let stores = self.stores.as_ref();
        Sources {
            stores: stores.map(|stores| stores as &dyn StorageProvider),
            partitions: self.partitions.clone(),
            memory_bytes: self.memory_bytes,
            threads: self.threads,
            temporary: self.temporary.clone(),
            progress,
            ..Sources::new(&*self.log, &self.topology, &self.naming, &self.secret)
        }
    }

    /// With another partition count every key would stand in another place.
    fn check_partitions(&self) -> Result<(), Failure> {
        let Some(part) = self.topology.sub_topologies().first() else {
            return Ok(());
        };
        let reader = self.log.reader(Isolation::ReadCommitted, Pace::CatchUp);
        let mut reader = reader.map_err(|error| failed(&error.into()))?;
        let sinks = part.sinks.iter().map(|sink| sink.topic);
        for name in [part.source.topic].into_iter().chain(sinks) {
            self.check_partitions_of(&mut *reader, name)?;
        }
        Ok(())
    }

    fn check_partitions_of(&self, reader: &mut dyn Reader, name: &str) -> Result<(), Failure> {
        let (topic, counted) = (self.naming.topic(name), self.naming.counted(name));
        let count = counted.count;
        let mut ask =
            |partition| reader.watermarks(&TopicPartition::new(topic.as_str(), partition));
        // The first one tells whether anything answers at all.
        ask(0).map_err(|error| failed(&error.into()))?;
        let compared = match (ask(count - 1), ask(count)) {
            (Err(_), _) => "fewer",
            (_, Ok(_)) => "more",
            (Ok(_), Err(_)) => return Ok(()),
        };
        let setting = counted.setting;
        Err(Failure::Configuration(format!(
            "{topic} has {compared} than {count} partitions; set `{setting}` to what it has"
        )))
    }
}

/// Opens what is there; a directory that is not must not be made by looking at it.
fn open_stores(settings: &Settings, data: &Path) -> Result<Database, Failure> {
    if !data.join("state").is_dir() {
        let text = format!(
            "{} is no data directory of Stagedoor; give the one that the instance was started with",
            data.display()
        );
        return Err(Failure::Configuration(text));
    }
    Ok(runtime::open_stores(settings, data)?)
}

/// The exit code that fits an audit that could not be made.
pub(crate) fn failed(error: &AuditError) -> Failure {
    let text = error.to_string();
    match error {
        AuditError::Log(LogError::Refused(_)) => Failure::Configuration(text),
        AuditError::Log(_) | AuditError::TooSlow { .. } => Failure::TryAgain(text),
        AuditError::NoPartition { .. } => Failure::Usage(text),
        AuditError::Cut { .. } | AuditError::Spill { .. } | AuditError::Unknown(_) => {
            Failure::Configuration(text)
        }
        AuditError::State(_)
        | AuditError::Replay { .. }
        | AuditError::Position(_)
        | AuditError::Checkpoint(_) => Failure::Problem(text),
    }
}
