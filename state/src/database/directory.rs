//! The data directory: one process at a time, and a format that is never guessed.
//!
//! ```text
//! LOCK      held by the running process, whose id it contains
//! FORMAT    "stagedoor-state 1"
//! rocksdb/  the database
//! rocksdb-format-N/  the database as a program of format N left it, kept when it was upgraded
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::StateError;

/// The format that this program writes. Raise it when older programs would misread the data.
const FORMAT: u32 = 1;
const FORMAT_NAME: &str = "stagedoor-state";

/// A data directory that belongs to this process until dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    older: Option<u32>,
    /// The system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Directory {
    /// Locks the directory, and checks or writes its format.
    pub(super) fn claim(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(|source| unusable(path, source))?;
        let lock = lock(path)?;
        let mut directory = Self {
            path: path.to_owned(),
            older: None,
            _lock: lock,
        };
        directory.check_format()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The format of the directory, if an older program wrote it.
    pub(super) fn older_format(&self) -> Option<u32> {
        self.older
    }

    /// Keeps the database as it is under another name, before anything is changed in it. Files
    /// that never change are shared by hard links.
    pub(super) fn keep_checkpoint(&self, format: u32) -> Result<PathBuf, StateError> {
        let kept = self.path.join(format!("rocksdb-format-{format}"));
        if kept.exists() {
            // The upgrade was killed after this step.
            return Ok(kept);
        }
        let copied = copy_database(&self.rocksdb(), &kept);
        copied.map_err(|source| unusable(&kept, source))?;
        Ok(kept)
    }

    /// From here on the directory is of this program's format.
    pub(super) fn finish_upgrade(&self) -> Result<(), StateError> {
        self.write_format()
            .map_err(|source| unusable(&self.path, source))
    }

    pub(super) fn rocksdb(&self) -> PathBuf {
        self.path.join("rocksdb")
    }

    fn check_format(&mut self) -> Result<(), StateError> {
        match fs::read_to_string(self.path.join("FORMAT")) {
            Ok(text) => self.compare_format(&text),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unusable(&self.path, error))
            }
            Err(_) if self.rocksdb().exists() => {
                Err(self.foreign("a database without a FORMAT file".to_owned()))
            }
            // Before there is any data, so that data without a format is never ours.
            Err(_) => self
                .write_format()
                .map_err(|source| unusable(&self.path, source)),
        }
    }

    fn compare_format(&mut self, text: &str) -> Result<(), StateError> {
        let number = text.trim().strip_prefix(FORMAT_NAME).map(str::trim);
        let Some(Ok(found)) = number.map(str::parse::<u32>) else {
            return Err(self.foreign(format!("its FORMAT file says {:?}", text.trim())));
        };
        if found > FORMAT {
            let directory = self.path.clone();
            return Err(StateError::NewerFormat {
                directory,
                found,
                known: FORMAT,
            });
        }
        self.older = (found < FORMAT).then_some(found);
        Ok(())
    }

    /// Under another name first: a kill must not leave half a file.
    fn write_format(&self) -> io::Result<()> {
        let unfinished = self.path.join("FORMAT.new");
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{FORMAT_NAME} {FORMAT}")?;
        file.sync_all()?;
        fs::rename(unfinished, self.path.join("FORMAT"))
    }

    fn foreign(&self, reason: String) -> StateError {
        StateError::ForeignDirectory {
            directory: self.path.clone(),
            reason,
        }
    }
}

/// Copies a database that is not open. A copy that was not finished has no name that anybody
/// would take for one.
fn copy_database(from: &Path, to: &Path) -> io::Result<()> {
    let unfinished = to.with_extension("new");
    drop(fs::remove_dir_all(&unfinished));
    fs::create_dir(&unfinished)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = unfinished.join(name);
        let never_changes = path
            .extension()
            .is_some_and(|it| it == "sst" || it == "blob");
        match never_changes {
            true => fs::hard_link(&path, target)?,
            false => drop(fs::copy(&path, target)?),
        }
    }
    fs::rename(unfinished, to)
}

fn lock(path: &Path) -> Result<File, StateError> {
    let unusable = |source| unusable(path, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path.join("LOCK")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(unusable)?;
            let holder = holder.trim().to_owned();
            return Err(StateError::Locked {
                directory: path.to_owned(),
                holder,
            });
        }
    }
    let write_holder = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write_holder(&mut file).map_err(unusable)?;
    Ok(file)
}

fn unusable(path: &Path, source: io::Error) -> StateError {
    StateError::Directory {
        directory: path.to_owned(),
        source,
    }
}
