//! The log that everything is written to: a small trait, so that Kafka is one of several.
//!
//! A [`Log`] hands out the few clients the runtime needs: a [`Member`] of the consumer group and a
//! transactional [`Session`] per stream thread, a [`Reader`] for restores and tables, and an
//! [`Appender`] for writes outside transactions. Every call may block and is made from threads of
//! the runtime's own, never from an async worker; only [`Appender::append`] never blocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Header, Record};

#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod simulated;

/// A partition of a topic, by full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Partition number from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Only records of committed transactions, up to the last stable offset.
    ReadCommitted,
    /// Everything, up to the high watermark.
    ReadUncommitted,
}

/// How a reader waits at the end of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It wants to know at once that it is there: restores.
    CatchUp,
    /// It stays, so it waits longer and costs less.
    Follow,
}

/// Why the log did not do what it was asked, by what the caller should do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// Another owner has taken over: close the tasks and rejoin.
    #[error("fenced by another owner: {0}")]
    Fenced(String),
    /// It may work later: try again with backoff.
    #[error("the log is not reachable at the moment: {0}")]
    Unavailable(String),
    /// The outcome is not known: a new session finds out.
    #[error("the outcome of the transaction is unknown: {0}")]
    InDoubt(String),
    /// The local queue is full: refuse new work for a moment.
    #[error("the producer's queue is full; slow down and try again")]
    Full,
    /// The record is larger than the topic takes.
    #[error("the record of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The offset asked for is no longer there.
    #[error("the offset asked for is outside of what {0} still holds")]
    OutOfRange(TopicPartition),
    /// It will not work without somebody changing something.
    #[error("{0}")]
    Refused(String),
}

/// What a topic must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Full name.
    pub name: String,
    /// Partition count.
    pub partitions: i32,
    /// The setting that the count comes from, for messages.
    pub counted_by: &'static str,
    /// Topic configuration that is set at creation.
    pub config: BTreeMap<String, String>,
    /// The keys of `config` that must hold their value at every start.
    pub checked: Vec<&'static str>,
}

/// What a topic does look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Full name.
    pub name: String,
    /// The topic's id: another one after the topic was deleted and made anew.
    pub id: String,
    /// Partition count.
    pub partitions: i32,
    /// Effective configuration.
    pub config: BTreeMap<String, String>,
}

/// Where a task's input stands: the next record, and the units of it that are already done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct InputPosition {
    /// Offset of the next record.
    pub next_offset: i64,
    /// Units of that record's turn (steps of due timers) that are already committed.
    pub unit: u32,
}

/// A record to write.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Full topic name.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a [Header<'a>],
}

/// Where an appended record landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Whether a record that is appended may wait for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Haste {
    /// It goes at once.
    #[default]
    Prompt,
    /// It is one of many: it may wait some milliseconds, so that they go together.
    Patient,
}

/// Called once when an append is acknowledged or has failed, on a client thread: must not block.
pub type AppendDone = Box<dyn FnOnce(Result<Appended, LogError>) + Send + Sync>;

/// What the visitor of a poll did with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// It is done with it.
    Taken,
    /// It will take it at the next poll, which begins with this record again.
    Later,
    /// Taken, and enough for now.
    Enough,
}

/// A change of the group's assignment, to be answered by the matching call on [`Member`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// These partitions are new: answer with [`Member::accept`].
    Assigned(Vec<TopicPartition>),
    /// These go elsewhere: finish them, then answer with [`Member::release`].
    Revoked(Vec<TopicPartition>),
    /// These are gone already: drop them, then answer with [`Member::release`].
    Lost(Vec<TopicPartition>),
}

/// Transactional ids of the two producers that take turns in a session of that id.
fn ids_in_turn(transactional_id: &str) -> [String; 2] {
    let second = format!("{transactional_id}-second");
    [transactional_id.to_owned(), second]
}

/// Membership in the consumer group at one moment, as a commit must present it.
pub struct Generation(pub Box<dyn std::any::Any + Send>);

/// Makes the clients of a log.
pub trait Log: Send + Sync {
    /// Creates the topics that are missing and returns what all of them look like.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nothing answers, [`LogError::Refused`] where creation is
    /// not allowed.
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicInfo>, LogError>;

    /// Joins the group of the application, reading `topics`.
    ///
    /// # Errors
    /// [`LogError::Refused`] for an unusable configuration.
    fn member(&self, thread: &str, topics: &[String]) -> Result<Box<dyn Member>, LogError>;

    /// Opens a transactional session. It fences every earlier session of that id and ends its
    /// open transaction.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] to try again.
    fn session(&self, transactional_id: &str) -> Result<Box<dyn Session>, LogError>;

    /// Opens a reader.
    ///
    /// # Errors
    /// [`LogError::Refused`] for an unusable configuration.
    fn reader(&self, isolation: Isolation, pace: Pace) -> Result<Box<dyn Reader>, LogError>;

    /// Opens an appender outside of transactions.
    ///
    /// # Errors
    /// [`LogError::Refused`] for an unusable configuration.
    fn appender(&self) -> Result<Arc<dyn Appender>, LogError>;
}

/// One stream thread's membership in the consumer group.
pub trait Member: Send {
    /// Waits up to `wait` for a record, then visits what is ready until the visitor has enough.
    /// Returns the assignment changes that came up; they are to be answered before the next poll.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] where the input has lost records that were not read yet.
    fn poll(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&Record<'_>) -> Visit,
    ) -> Result<Vec<Assignment>, LogError>;

    /// Accepts partitions; they stay held back until [`Member::start`].
    ///
    /// # Errors
    /// [`LogError::Refused`] if the client does not take them.
    fn accept(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError>;

    /// Gives partitions up.
    ///
    /// # Errors
    /// [`LogError::Refused`] if the client does not give them up.
    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError>;

    /// Delivers a partition from `offset` on.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] to try again.
    fn start(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError>;

    /// Holds a partition back.
    ///
    /// # Errors
    /// [`LogError::Refused`] if it is not assigned.
    fn hold(&mut self, partition: &TopicPartition) -> Result<(), LogError>;

    /// The committed position of a partition; waits while a transaction may still change it.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] to try again.
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<InputPosition>, LogError>;

    /// The membership as of now, for [`Session::add_offsets`].
    ///
    /// # Errors
    /// [`LogError::Fenced`] where the member is in no group.
    fn generation(&self) -> Result<Generation, LogError>;
}

/// A transactional producer. After any error it is to be thrown away.
pub trait Session: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// Any: throw the session away.
    fn begin(&mut self) -> Result<(), LogError>;

    /// Writes a record in the transaction; the acknowledgement travels meanwhile.
    ///
    /// # Errors
    /// [`LogError::TooLarge`] writes nothing and leaves the session usable; any other: throw the
    /// session away.
    fn send(&mut self, record: Outgoing<'_>) -> Result<(), LogError>;

    /// Writes a record whose offset [`Session::commit`] returns, in the order of these calls.
    ///
    /// # Errors
    /// As for [`Session::send`].
    fn send_tracked(&mut self, record: Outgoing<'_>) -> Result<(), LogError>;

    /// Adds input positions, under the given membership.
    ///
    /// # Errors
    /// [`LogError::Fenced`] where the membership is over; any other: throw the session away.
    fn add_offsets(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<(), LogError>;

    /// Commits. Returns the offsets of the tracked records.
    ///
    /// # Errors
    /// [`LogError::Fenced`], or [`LogError::InDoubt`] where only a new session can tell.
    fn commit(&mut self) -> Result<Vec<i64>, LogError>;

    /// Whether nothing happened during the last transaction after which a late copy of its end
    /// could still arrive. If not, throw the session away even though the commit succeeded.
    fn reusable(&self) -> bool;
}

/// Reads partitions outside of the group.
pub trait Reader: Send {
    /// Reads these partitions of a topic from these offsets on, and nothing else; offset 0 means
    /// the oldest record that is still there.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] to try again.
    fn open(&mut self, topic: &str, from: &[(i32, i64)]) -> Result<(), LogError>;

    /// Waits up to `wait` for records and visits at most `most` of them. Returns whether every
    /// partition has been read to the end that held when its last fetch was answered.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] where an offset is no longer there.
    fn poll(
        &mut self,
        wait: Duration,
        most: usize,
        visit: &mut dyn FnMut(&Record<'_>),
    ) -> Result<bool, LogError>;

    /// First and next offset; the next one is the last stable offset for a read-committed reader
    /// and the high watermark otherwise.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] to try again.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(i64, i64), LogError>;
}

/// Writes outside of transactions, from any thread, without blocking.
pub trait Appender: Send + Sync {
    /// Queues a record; `done` is called exactly once, also where this returns at once with an
    /// error. What one caller appends to a partition keeps its order, in whatever haste.
    fn append(&self, record: Outgoing<'_>, haste: Haste, done: AppendDone);
}
