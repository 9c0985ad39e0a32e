//! One RocksDB per process, one column family per task, one memory budget for all.
//!
//! The write-ahead log is on and not synchronised: a kill of the process loses nothing, because
//! the system has the bytes; a power cut leaves a consistent older point, because there is one
//! log for all tasks, and restore goes on from there. A [`Keyspace`] beside the stores may hold
//! what they are made from; such a database is opened as authoritative.

mod directory;
mod keyspace;
mod options;
mod preflight;
mod record_file;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocksdb::{BoundColumnFamily, DBWithThreadMode, MultiThreaded, Options};

use self::directory::Directory;
use crate::StateError;
use crate::open_tasks::OpenTasks;
use crate::storage::rocks::RocksStorage;
use crate::storage::{Storage, StorageProvider};

pub use keyspace::{Keyspace, KeyspaceBatch};
pub use options::DatabaseOptions;

/// RocksDB's own column family, which holds no task.
const DEFAULT_FAMILY: &str = "default";

pub(crate) type Rocks = DBWithThreadMode<MultiThreaded>;

/// The stores of all tasks of this process, on disk.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
    open: OpenTasks,
}

/// What storages and readers keep alive. The order of the fields is that of closing: the
/// directory is given free after the database is closed.
pub(crate) struct Shared {
    pub(crate) rocks: Rocks,
    family_options: Options,
    keyspace_options: Options,
    path: PathBuf,
    /// The engine keeps this list to itself.
    names: Mutex<BTreeSet<String>>,
    directory: Directory,
}

impl Database {
    /// Opens a directory, made if it is not there.
    ///
    /// # Errors
    /// [`StateError::Locked`] while another process has it, [`StateError::NewerFormat`],
    /// [`StateError::ForeignDirectory`], [`StateError::Directory`], [`StateError::Damaged`] of an
    /// authoritative database, and those of the engine.
    pub fn open(
        directory: impl AsRef<Path>,
        options: &DatabaseOptions,
    ) -> Result<Self, StateError> {
        let directory = Directory::claim(directory.as_ref())?;
        let path = directory.rocksdb();
        if options.authoritative {
            preflight::check(&path)?;
        }
        if let Some(older) = directory.older_format() {
            let kept = directory.keep_checkpoint(older)?;
            tracing::warn!(
                format = older,
                checkpoint = %kept.display(),
                "the data directory is of an older format: it is kept as it was, and the stores \
                 are made anew from the log"
            );
        }
        let shared = Shared::open(directory, &path, options)?;
        if shared.directory.older_format().is_some() {
            shared.drop_stores()?;
            shared.directory.finish_upgrade()?;
        }
        Ok(Self {
            shared: Arc::new(shared),
            open: OpenTasks::default(),
        })
    }

    /// Where the database is; files beside it are safe from other processes.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.shared.path
    }
}

impl StorageProvider for Database {
    fn storage(&self, task: &str) -> Result<Box<dyn Storage>, StateError> {
        let open = self.open.open(task)?;
        if self.shared.rocks.cf_handle(task).is_none() {
            self.shared.create(task)?;
        }
        Ok(Box::new(RocksStorage::new(Arc::clone(&self.shared), open)))
    }

    fn tasks(&self) -> Vec<String> {
        let names = self.shared.names();
        names.iter().filter(|name| is_task(name)).cloned().collect()
    }

    fn remove(&self, task: &str) -> Result<(), StateError> {
        let _open = self.open.open(task)?;
        if self.shared.rocks.cf_handle(task).is_some() {
            self.shared.drop_family(task)?;
        }
        Ok(())
    }
}

impl Shared {
    fn open(
        directory: Directory,
        path: &Path,
        options: &DatabaseOptions,
    ) -> Result<Self, StateError> {
        let built = options.build();
        let built = built.map_err(|error| engine("setting the options", "all", &error))?;
        let names = families(&built.database, path)
            .map_err(|error| options.opening("listing the stores", path, &error))?;
        let families = names.iter().map(|name| {
            let options = built.of(name);
            rocksdb::ColumnFamilyDescriptor::new(name, options.clone())
        });
        let rocks = Rocks::open_cf_descriptors(&built.database, path, families)
            .map_err(|error| options.opening("opening the database", path, &error))?;
        Ok(Self {
            rocks,
            family_options: built.family,
            keyspace_options: built.keyspace,
            path: directory.path().to_owned(),
            names: Mutex::new(names),
            directory,
        })
    }

    /// Everything that can be made anew from the log.
    fn drop_stores(&self) -> Result<(), StateError> {
        let tasks: Vec<String> = self
            .names()
            .iter()
            .filter(|name| is_task(name))
            .cloned()
            .collect();
        for task in tasks {
            self.drop_family(&task)?;
            self.names().remove(&task);
        }
        Ok(())
    }

    pub(crate) fn family(&self, task: &str) -> Result<Arc<BoundColumnFamily<'_>>, StateError> {
        let missing = || StateError::Unavailable {
            task: task.to_owned(),
        };
        self.rocks.cf_handle(task).ok_or_else(missing)
    }

    /// Deletes all rows of a task at once, by giving it a new column family.
    pub(crate) fn wipe(&self, task: &str) -> Result<(), StateError> {
        if self.rocks.cf_handle(task).is_some() {
            self.drop_family(task)?;
        }
        self.create(task)
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, task: &str) -> Result<(), StateError> {
        let options = match task.starts_with(keyspace::PREFIX) {
            true => &self.keyspace_options,
            false => &self.family_options,
        };
        let created = self.rocks.create_cf(task, options);
        created.map_err(|error| engine("creating the store", task, &error))?;
        self.names().insert(task.to_owned());
        Ok(())
    }

    fn drop_family(&self, task: &str) -> Result<(), StateError> {
        self.rocks
            .drop_cf(task)
            .map_err(|error| engine("dropping the store", task, &error))
    }
}

impl DatabaseOptions {
    /// Why the engine does not open. Whatever it does not understand is damage, where nobody has
    /// another copy.
    fn opening(&self, operation: &'static str, path: &Path, error: &rocksdb::Error) -> StateError {
        if self.authoritative && error.kind() == rocksdb::ErrorKind::Corruption {
            return StateError::Damaged {
                place: path.display().to_string(),
                reason: error.to_string(),
            };
        }
        engine(operation, "all", error)
    }
}

/// Whether a column family is the store of a task.
fn is_task(family: &str) -> bool {
    family != DEFAULT_FAMILY && !family.starts_with(keyspace::PREFIX)
}

/// The column families to open: all that exist.
fn families(options: &Options, path: &Path) -> Result<BTreeSet<String>, rocksdb::Error> {
    // Written last when a database is made, so without it there is none yet.
    if !path.join("CURRENT").exists() {
        return Ok(BTreeSet::from([DEFAULT_FAMILY.to_owned()]));
    }
    Ok(Rocks::list_cf(options, path)?.into_iter().collect())
}

/// RocksDB's errors in our words.
pub(crate) fn engine(operation: &'static str, task: &str, error: &rocksdb::Error) -> StateError {
    let reason = error.to_string();
    if error.kind() == rocksdb::ErrorKind::Corruption {
        let reason = format!("{operation}: {reason}");
        return StateError::Corrupted {
            store: task.to_owned(),
            key: "unknown".to_owned(),
            reason,
        };
    }
    StateError::Engine {
        operation,
        task: task.to_owned(),
        reason,
    }
}
