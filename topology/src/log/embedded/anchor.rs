//! A small file that remembers the last commit that is safe on the disk.
//!
//! The database cannot know that its own end was lost: without the records that are gone it looks
//! whole. So the number of the last synchronised commit stands beside it as well, written over in
//! place after the database has it and before anybody hears of it. It is not synchronised itself:
//! a kill keeps it, and a power cut may leave an older number, which claims less. At the start the
//! database must have at least that commit.
//!
//! Two slots are written in turn, so that a write that is cut leaves the other one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::batch::array;

const SLOT: usize = 20;
const NAME: &str = "log.anchor";

/// The open file.
#[derive(Debug)]
pub(super) struct Anchor {
    path: PathBuf,
    file: File,
    log_id: u64,
    turn: u64,
}

impl Anchor {
    /// Opens the file of a log, made if it is not there. Returns with it the commit that it
    /// remembers; none where it is new, of another log or unreadable.
    pub(super) fn open(directory: &Path, log_id: u64) -> io::Result<(Self, Option<u64>)> {
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let slots = read_slots(&file)?;
        let ours = slots.iter().filter(|(id, _)| *id == log_id);
        let remembered = ours.map(|(_, sequence)| *sequence).max();
        if remembered.is_none() && file.metadata()?.len() > 0 {
            let file = path.display();
            tracing::warn!(%file, "the anchor of the log is unreadable; going on without");
        }
        let turn = remembered.map_or(0, |last| last + 1);
        let anchor = Self {
            path,
            file,
            log_id,
            turn,
        };
        Ok((anchor, remembered))
    }

    /// Remembers a commit.
    pub(super) fn remember(&mut self, sequence: u64) -> io::Result<()> {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&self.log_id.to_be_bytes());
        slot[8..16].copy_from_slice(&sequence.to_be_bytes());
        let sum = crc32c::crc32c(&slot[..16]);
        slot[16..].copy_from_slice(&sum.to_be_bytes());
        self.turn += 1;
        let at = (self.turn % 2) * SLOT as u64;
        self.file.write_all_at(&slot, at)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a directory has an anchor of any log: then it has held commits.
pub(super) fn exists(directory: &Path) -> io::Result<bool> {
    match File::open(directory.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        file => Ok(!read_slots(&file?)?.is_empty()),
    }
}

/// Log and commit of each slot that is whole.
fn read_slots(file: &File) -> io::Result<Vec<(u64, u64)>> {
    let mut bytes = [0; 2 * SLOT];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(bytes.chunks_exact(SLOT).filter_map(read_slot).collect())
}

fn read_slot(slot: &[u8]) -> Option<(u64, u64)> {
    let is_whole = crc32c::crc32c(&slot[..16]) == u32::from_be_bytes(array(&slot[16..]));
    let parts = (
        u64::from_be_bytes(array(slot)),
        u64::from_be_bytes(array(&slot[8..])),
    );
    // The checksum of nothing but zeros is not zero, so an empty slot is not whole.
    is_whole.then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_commit_is_remembered_and_one_flipped_bit_costs_one_commit_at_most() {
        let directory = tempfile::tempdir().unwrap();
        let (mut anchor, before) = Anchor::open(directory.path(), 7).unwrap();
        assert_eq!(before, None);
        for sequence in 1..=5 {
            anchor.remember(sequence).unwrap();
        }
        let bytes = std::fs::read(anchor.path()).unwrap();
        assert_eq!(Anchor::open(directory.path(), 7).unwrap().1, Some(5));
        assert_eq!(Anchor::open(directory.path(), 8).unwrap().1, None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(anchor.path(), flipped).unwrap();
            let remembered = Anchor::open(directory.path(), 7).unwrap().1;
            assert!(
                matches!(remembered, Some(4 | 5)),
                "bit {bit}: {remembered:?}"
            );
        }
    }
}
