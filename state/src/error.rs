//! What can go wrong with a state store, and what to do then.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;

use stagedoor_avro::AvroError;

/// A failure of a state store. Every message ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Stored bytes are not what this program wrote there.
    #[error(
        "store {store} holds bytes that cannot be read under key {key}: {reason}; \
         wipe the store of this task and restore it from the changelog"
    )]
    Corrupted {
        /// Name of the store or index.
        store: String,
        /// The physical key in hexadecimal.
        key: String,
        /// What is wrong with the bytes.
        reason: String,
    },
    /// Bytes that are no key of the expected type.
    #[error("malformed key: {reason}; check which store the key belongs to")]
    MalformedKey {
        /// What is wrong with the bytes.
        reason: &'static str,
    },
    /// A value that its Avro schema cannot hold.
    #[error("value for store {store} cannot be encoded: {source}; make record and schema agree")]
    Unencodable {
        /// Name of the store.
        store: &'static str,
        /// What the codec says.
        source: AvroError,
    },
    /// A store, or an index, that is not in the store set of the task.
    #[error("store id {id} ({name}) is not in the store set of this task; add it to the set")]
    UnknownStore {
        /// Id that was used.
        id: u8,
        /// Name that was used.
        name: String,
    },
    /// A store set that contradicts itself.
    #[error("store set refused: {reason}; give every store and index an id and a name of its own")]
    InvalidStoreSet {
        /// Which rule is broken, and by whom.
        reason: String,
    },
    /// The stored layout belongs to other stores than the program's.
    #[error(
        "the stored data was written for other stores ({change}); \
         wipe the store of this task and restore it from the changelog"
    )]
    LayoutChanged {
        /// The first difference.
        change: String,
    },
    /// A sum left the range of 64 bits.
    #[error("sum {index} leaves the range of 64 bits under key {key}; check what is added to it")]
    SumOverflow {
        /// Name of the index.
        index: String,
        /// The physical key in hexadecimal.
        key: String,
    },
    /// A derived index is not what its source rows make it.
    #[error(
        "index {index} differs from its source rows under key {key}: {difference}; \
         rebuild the indexes"
    )]
    IndexDiffers {
        /// Name of the index.
        index: String,
        /// The physical key in hexadecimal.
        key: String,
        /// What is stored and what should be.
        difference: String,
    },
    /// Derived indexes are behind their source rows since a bulk restore.
    #[error("derived indexes are not built since the last bulk restore; rebuild the indexes")]
    IndexesNotBuilt,
    /// Writes that are not committed stand in the way.
    #[error("there are uncommitted writes; commit or discard them before {operation}")]
    Uncommitted {
        /// What was asked for.
        operation: &'static str,
    },
    /// The task's store is opened already in this process.
    #[error("the store of task {task} is in use in this process; close that task first")]
    TaskInUse {
        /// Name of the task.
        task: String,
    },
    /// The task's store is being wiped.
    #[error("the store of task {task} is not there at the moment; try again")]
    Unavailable {
        /// Name of the task.
        task: String,
    },
    /// Another process has this directory.
    #[error(
        "data directory {} is in use by process {holder}; stop it, or choose another directory",
        directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// Process id of the holder, as far as it is known.
        holder: String,
    },
    /// The directory was written by a newer program.
    #[error(
        "data directory {} has format {found}, and this program knows formats up to {known}; \
         start a newer program, or choose an empty directory",
        directory.display()
    )]
    NewerFormat {
        /// The directory.
        directory: PathBuf,
        /// Format of the directory.
        found: u32,
        /// Newest format that this program reads.
        known: u32,
    },
    /// The directory's `FORMAT` file is missing or unreadable.
    #[error(
        "data directory {} is not one of this program ({reason}); choose an empty directory",
        directory.display()
    )]
    ForeignDirectory {
        /// The directory.
        directory: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The directory cannot be used.
    #[error(
        "data directory {} cannot be used: {source}; \
         give a directory that this user may write to, on a disk with room",
        directory.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Bytes on the disk are not what was written, and they are nowhere else.
    #[error(
        "{place} is damaged: {reason}; nothing was changed: restore the data directory from a \
         backup, and check the disk"
    )]
    Damaged {
        /// The file or the part of the database.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The storage engine failed.
    #[error("{operation} of task {task} failed: {reason}; check disk and permissions, and restart")]
    Engine {
        /// What was tried.
        operation: &'static str,
        /// Name of the task.
        task: String,
        /// What the engine says.
        reason: String,
    },
}

impl StateError {
    pub(crate) fn corrupted(store: &str, key: &[u8], reason: &dyn fmt::Display) -> Self {
        Self::Corrupted {
            store: store.to_owned(),
            key: hex(key),
            reason: reason.to_string(),
        }
    }
}

/// Bytes as people compare them in logs.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
