//! Looks at the files of an authoritative database before the engine opens it.
//!
//! The engine repairs silently: behind a record that is wrong it drops the rest of the write-ahead
//! log or of the manifest, and deletes the files that it no longer knows. Here that would be the
//! loss of acknowledged writes, so damage in the middle is refused while everything is still there.
//! A last write that is cut short is normal after a kill, is dropped as never acknowledged, and is
//! said. Whether it had been acknowledged all the same is for the owner of the data to know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::record_file::{Condition, check as check_file};
use crate::StateError;

/// Checks the write-ahead log and the manifest.
pub(super) fn check(rocksdb: &Path) -> Result<(), StateError> {
    let files = files(rocksdb).map_err(|source| StateError::Directory {
        directory: rocksdb.to_owned(),
        source,
    })?;
    for path in files {
        let condition = check_file(&path).map_err(|source| StateError::Directory {
            directory: path.clone(),
            source,
        })?;
        match condition {
            Condition::Whole => {}
            Condition::Cut { at, bytes } => tracing::warn!(
                file = %path.display(),
                at,
                bytes,
                "the last write is not complete, as after a kill or a power cut; it is dropped"
            ),
            Condition::Damaged { at } => {
                return Err(StateError::Damaged {
                    place: path.display().to_string(),
                    reason: format!(
                        "the record at byte {at} is not what was written, and others follow it"
                    ),
                });
            }
        }
    }
    Ok(())
}

fn files(rocksdb: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(rocksdb) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The engine's own messages are in `LOG`, without an extension.
        if name.starts_with("MANIFEST-") || name.ends_with(".log") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
