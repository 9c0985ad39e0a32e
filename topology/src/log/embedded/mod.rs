//! The log of one process, in the database that its stores are in.
//!
//! For first contact, demos and small venues: the same topics, records and guarantees as on Kafka,
//! without a broker, on one machine. One process owns the directory.
//!
//! What holds it together:
//!
//! - A transaction is one write batch. Records wait in their session and get offsets when they are
//!   written, so the log holds no aborted record and no marker, and the last stable offset is the
//!   high watermark (`session`, `writer`).
//! - Log and stores share one write-ahead log, and the log is written first. So after a power cut no
//!   store is ahead of the log.
//! - Transactions that wait at the same time share one synchronisation of the disk (`writer`).
//!
//! **What is lost must be noticed.** The engine recovers by going back to the last point that looks
//! whole, which is right for a cache and wrong for the only copy. Four guards stand against that:
//!
//! 1. Before it is opened, the files that recovery reads are checked record by record
//!    (`stagedoor_state`, `preflight`): a wrong record with others behind it was not torn, it was
//!    damaged, and nothing is opened. Only the very last write may be incomplete; that is said.
//! 2. The *anchor*, a small file, knows the last synchronised commit: a log that ends before it is
//!    refused. So even the last write passes as torn only if nobody was told that it is in.
//! 3. The *chain*: each batch of the database has a numbered link beside its records, in the same
//!    keyspace. A flush that the manifest has forgotten takes its links along, and the gap shows.
//!    Links older than two flushes are cut off.
//! 4. Every batch of records has checksums of its own and covers its range of offsets without a gap
//!    to the next, which readers check.
//!
//! Reading order: `batch` (bytes), `keys` (rows), `writer` (how a commit becomes real), `partition`
//! and `cursor` (how it is read), `group`, `load` (start), `cleaner` (retention, compaction).

mod anchor;
mod appender;
mod batch;
mod chain;
mod cleaner;
mod compaction;
mod config;
mod cursor;
mod group;
mod keys;
mod load;
mod member;
mod partition;
mod queue;
mod reader;
mod retention;
mod session;
mod topics;
mod writer;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use stagedoor_state::{Database, Keyspace, StateError};

pub use config::{Durability, EmbeddedConfig};

use self::group::Group;
use self::keys::PartitionId;
use self::queue::{Commit, Queue};
use self::topics::{Topic, Topics};
use super::{
    Appender, InputPosition, Isolation, Log, LogError, Member, Outgoing, Pace, Reader, Session,
    TopicInfo, TopicPartition, TopicSpec,
};

/// What the clients and the threads of a log share.
struct Shared {
    rows: Keyspace,
    directory: PathBuf,
    config: EmbeddedConfig,
    topics: Topics,
    group: Group,
    /// Current epoch of each transactional id.
    epochs: Mutex<BTreeMap<String, u64>>,
    committed: Mutex<BTreeMap<PartitionId, InputPosition>>,
    queue: Queue,
    /// Number of the last commit of the log.
    sequence: AtomicU64,
    /// Bytes of batches since the start.
    written_bytes: AtomicU64,
    cleaner: cleaner::Bell,
    creating: Mutex<()>,
}

/// A log in the database of this process.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl EmbeddedLog {
    /// Opens the log of a database, which must have been opened as authoritative; an empty one is
    /// made. Dropped, it writes what is queued and takes nothing more.
    ///
    /// # Errors
    /// [`LogError::Refused`] where the log is damaged, of a newer format, or its disk unusable.
    pub fn open(database: &Database, config: EmbeddedConfig) -> Result<Self, LogError> {
        let loaded = load::load(database, config)?;
        let shared = Arc::new(loaded.shared);
        let writer = writer::Writer::new(Arc::clone(&shared), loaded.anchor);
        let cleaner = cleaner::Cleaner::new(Arc::clone(&shared), loaded.chain_start);
        let threads = vec![
            start("log-writer", move || writer.run())?,
            start("log-cleaner", move || cleaner.run())?,
        ];
        Ok(Self { shared, threads })
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.cleaner.stop();
        for thread in self.threads.drain(..) {
            // A panic has been reported where it happened.
            drop(thread.join());
        }
    }
}

impl Log for EmbeddedLog {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicInfo>, LogError> {
        let _one_at_a_time = self.shared.creating.lock();
        topics
            .iter()
            .map(|spec| self.shared.ensure_topic(spec))
            .collect()
    }

    fn member(&self, _thread: &str, topics: &[String]) -> Result<Box<dyn Member>, LogError> {
        let member = member::EmbeddedMember::join(&self.shared, topics)?;
        Ok(Box::new(member))
    }

    fn session(&self, transactional_id: &str) -> Result<Box<dyn Session>, LogError> {
        let session = session::EmbeddedSession::open(&self.shared, transactional_id)?;
        Ok(Box::new(session))
    }

    fn reader(&self, _isolation: Isolation, pace: Pace) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(reader::EmbeddedReader::new(&self.shared, pace)))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogError> {
        let shared = Arc::clone(&self.shared);
        Ok(Arc::new(appender::EmbeddedAppender(shared)))
    }
}

impl Shared {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo, LogError> {
        if let Some(topic) = self.topics.get(&spec.name) {
            return Ok(topic.info(&spec.name));
        }
        if spec.name.is_empty() || spec.partitions < 1 {
            return Err(LogError::Refused(format!(
                "the topic {:?} cannot be created with {} partitions; give it a name and at least \
                 one partition",
                spec.name, spec.partitions
            )));
        }
        let topic = Topic::empty(
            &spec.name,
            self.topics.next_number(),
            format!("{:016x}{:016x}", random(), random()),
            spec.partitions,
            topics::effective(&spec.config),
        );
        self.queue.commit(Commit {
            rows: vec![(keys::named(keys::TOPIC, &spec.name), topic.row())],
            ..Commit::default()
        })?;
        let info = topic.info(&spec.name);
        self.topics.insert(&spec.name, topic);
        tracing::debug!(topic = spec.name, "topic created");
        Ok(info)
    }

    fn check_size(&self, record: &Outgoing<'_>) -> Result<(), LogError> {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let limit = self.config.max_record_bytes;
        match size > limit {
            true => Err(LogError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }

    /// Begins a new epoch: whoever has an earlier one is fenced.
    fn raise_epoch(&self, transactional_id: &str) -> u64 {
        let mut epochs = self.epochs.lock();
        let epoch = epochs.entry(transactional_id.to_owned()).or_default();
        *epoch += 1;
        *epoch
    }

    fn check_epoch(&self, producer: Option<&(String, u64)>) -> Result<(), LogError> {
        let Some((transactional_id, epoch)) = producer else {
            return Ok(());
        };
        let now = self.epochs.lock().get(transactional_id).copied();
        match now == Some(*epoch) {
            true => Ok(()),
            false => Err(LogError::Fenced(format!(
                "epoch {epoch} of {transactional_id} is over, a newer session is open"
            ))),
        }
    }

    fn committed(&self, name: &TopicPartition) -> Result<Option<InputPosition>, LogError> {
        let partition = self.topics.partition(&name.topic, name.partition)?;
        Ok(self.committed.lock().get(&partition.id).copied())
    }

    /// Refuses to write where the disk is about to be full.
    fn room(&self) -> Result<(), LogError> {
        let disk = rustix::fs::statvfs(&self.directory).map_err(|error| {
            LogError::Unavailable(format!("{}: {error}", self.directory.display()))
        })?;
        let (left, reserve) = (disk.f_bavail * disk.f_frsize, self.config.reserve_bytes);
        match left < reserve {
            true => Err(LogError::Unavailable(format!(
                "the disk of {} has {left} bytes left, and {reserve} are kept free; make room, and \
                 it goes on by itself",
                self.directory.display()
            ))),
            false => Ok(()),
        }
    }
}

fn encode_position(position: InputPosition) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&position.next_offset.to_be_bytes());
    bytes[8..].copy_from_slice(&position.unit.to_be_bytes());
    bytes
}

fn decode_position(bytes: &[u8]) -> Option<InputPosition> {
    let unit = bytes.get(8..12)?;
    Some(InputPosition {
        next_offset: keys::offset(bytes, 0)?,
        unit: u32::from_be_bytes(batch::array(unit)),
    })
}

/// What only people can mend.
fn refused(error: &StateError) -> LogError {
    LogError::Refused(format!("the log cannot be read: {error}"))
}

/// A number that nobody has drawn before.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LogError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread
        .spawn(body)
        .map_err(|error| LogError::Unavailable(format!("cannot start the thread {name}: {error}")))
}
