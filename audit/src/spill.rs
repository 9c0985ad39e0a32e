//! Outputs on their way from the order of their topics to the order of the inputs they came of.
//!
//! What came of one command partition is spread over all partitions of several topics, and in each
//! of them it stands in the order of its stamps: a *run*. All topics are read once, every record is
//! appended to its run, and afterwards the runs of one command partition are merged. Runs are lists
//! of blocks; when all blocks together exceed the budget they move to one file without a name.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stagedoor_topology::Stamp;

use crate::error::AuditError;
use crate::report::Place;
use crate::turn::{Channel, Output};

/// A block is full at this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// Most runs of a partition whose order is broken; what follows them is only counted.
const MOST_RUNS: usize = 20_000;

/// Where a run stands: the topic's kind and its partition.
pub(crate) type RunKey = (Channel, i32);

/// Collects outputs of all command partitions.
pub(crate) struct Spill {
    directory: PathBuf,
    budget: usize,
    held: usize,
    file: Option<Arc<File>>,
    written: u64,
    lanes: BTreeMap<i32, Runs>,
}

#[derive(Default)]
struct Runs {
    runs: Vec<Run>,
    /// The run that grows, for each place.
    open: BTreeMap<RunKey, usize>,
}

struct Run {
    topic: Arc<str>,
    channel: Channel,
    partition: i32,
    last: Stamp,
    blocks: Vec<Block>,
}

enum Block {
    Held(Vec<u8>),
    Written { at: u64, bytes: usize },
}

impl Spill {
    /// Holds up to `budget` bytes in memory, and the rest in a file of `directory`.
    pub(crate) fn new(directory: &Path, budget: usize) -> Self {
        Self {
            directory: directory.to_owned(),
            budget,
            held: 0,
            file: None,
            written: 0,
            lanes: BTreeMap::new(),
        }
    }

    /// Bytes in memory at the moment.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Appends an output to its run. A stamp that goes back begins another run.
    pub(crate) fn push(
        &mut self,
        stamp: Stamp,
        (topic, channel): (&Arc<str>, Channel),
        (partition, offset): (i32, i64),
        bytes: (&[u8], &[u8]),
    ) -> Result<(), AuditError> {
        let runs = self.lanes.entry(stamp.partition).or_default();
        let place = (channel, partition);
        let grows = runs.open.get(&place).copied();
        let index = match grows.filter(|index| runs.runs[*index].last <= stamp) {
            Some(index) => index,
            None if runs.runs.len() >= MOST_RUNS => return Ok(()),
            None => {
                runs.runs.push(Run {
                    topic: Arc::clone(topic),
                    channel,
                    partition,
                    last: stamp,
                    blocks: Vec::new(),
                });
                runs.open.insert(place, runs.runs.len() - 1);
                runs.runs.len() - 1
            }
        };
        let run = &mut runs.runs[index];
        run.last = stamp;
        self.held += run.append(stamp, offset, bytes);
        if self.held > self.budget {
            self.write_out()?;
        }
        Ok(())
    }

    /// Moves every block to the file.
    fn write_out(&mut self) -> Result<(), AuditError> {
        let directory = self.directory.clone();
        let fail = |source| AuditError::Spill {
            directory: directory.clone(),
            source,
        };
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(tempfile::tempfile_in(&self.directory).map_err(fail)?);
                Arc::clone(self.file.insert(file))
            }
        };
        let runs = self.lanes.values_mut().flat_map(|runs| &mut runs.runs);
        for block in runs.flat_map(|run| &mut run.blocks) {
            if let Block::Held(bytes) = block {
                (&*file).write_all(bytes).map_err(fail)?;
                let (at, bytes) = (self.written, bytes.len());
                self.written += bytes as u64;
                *block = Block::Written { at, bytes };
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Takes out what came of one command partition, each run in order.
    pub(crate) fn take(&mut self, partition: i32) -> Vec<Cursor> {
        let runs = self.lanes.remove(&partition).unwrap_or_default().runs;
        let held = |block: &Block| match block {
            Block::Held(bytes) => bytes.len(),
            Block::Written { .. } => 0,
        };
        let blocks = runs.iter().flat_map(|run| &run.blocks);
        self.held -= blocks.map(held).sum::<usize>();
        let directory: Arc<Path> = self.directory.as_path().into();
        let cursor = |run| Cursor::new(run, self.file.clone(), Arc::clone(&directory));
        runs.into_iter().map(cursor).collect()
    }
}

impl Run {
    /// Appends an entry to the last block, or to another one; returns its length.
    fn append(&mut self, stamp: Stamp, offset: i64, (key, value): (&[u8], &[u8])) -> usize {
        if let Some(Block::Held(bytes)) = self.blocks.last_mut()
            && bytes.len() < BLOCK_BYTES
        {
            return encode(bytes, stamp, offset, key, value);
        }
        let mut bytes = Vec::new();
        let length = encode(&mut bytes, stamp, offset, key, value);
        self.blocks.push(Block::Held(bytes));
        length
    }
}

/// The outputs of one command partition in the order of their stamps.
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
    heads: BinaryHeap<Reverse<(Stamp, Channel, usize)>>,
}

/// A place in a run.
pub(crate) struct Cursor {
    topic: Arc<str>,
    channel: Channel,
    partition: i32,
    blocks: std::vec::IntoIter<Block>,
    block: Vec<u8>,
    at: usize,
    file: Option<Arc<File>>,
    directory: Arc<Path>,
}

impl Merge {
    /// Merges runs. Which of two equal outputs comes first depends on their places alone.
    pub(crate) fn new(mut cursors: Vec<Cursor>) -> Result<Self, AuditError> {
        cursors.sort_by_key(|cursor| (cursor.channel, cursor.partition));
        let mut heads = BinaryHeap::new();
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if let Some(stamp) = cursor.head()? {
                heads.push(Reverse((stamp, cursor.channel, index)));
            }
        }
        Ok(Self { cursors, heads })
    }

    /// The stamp of the next output.
    pub(crate) fn next_stamp(&self) -> Option<Stamp> {
        self.heads.peek().map(|Reverse((stamp, ..))| *stamp)
    }

    /// The next output.
    pub(crate) fn next(&mut self) -> Result<Option<Output>, AuditError> {
        let Some(mut top) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let Reverse((stamp, channel, index)) = *top;
        let cursor = &mut self.cursors[index];
        let (offset, key, value) = cursor.take();
        let place = Place::new(Arc::clone(&cursor.topic), cursor.partition, offset);
        match cursor.head()? {
            Some(stamp) => top.0.0 = stamp,
            None => drop(PeekMut::pop(top)),
        }
        Ok(Some(Output::read(stamp, place, channel, key, value)))
    }
}

/// Bytes before key and value: stamp, offset, and the two lengths.
const HEAD: usize = stagedoor_topology::STAMP_LENGTH + 8 + 4 + 4;

/// Appends an entry; returns its length.
fn encode(block: &mut Vec<u8>, stamp: Stamp, offset: i64, key: &[u8], value: &[u8]) -> usize {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    block.extend_from_slice(&stamp.encode());
    block.extend_from_slice(&offset.to_le_bytes());
    block.extend_from_slice(&length(key));
    block.extend_from_slice(&length(value));
    block.extend_from_slice(key);
    block.extend_from_slice(value);
    HEAD + key.len() + value.len()
}

impl Cursor {
    fn new(run: Run, file: Option<Arc<File>>, directory: Arc<Path>) -> Self {
        Self {
            // A name of its own: threads that count the holders of a shared one wait for each other.
            topic: (&*run.topic).into(),
            channel: run.channel,
            partition: run.partition,
            blocks: run.blocks.into_iter(),
            block: Vec::new(),
            at: 0,
            file,
            directory,
        }
    }

    /// The stamp under the cursor; none at the end of the run.
    fn head(&mut self) -> Result<Option<Stamp>, AuditError> {
        if self.at == self.block.len() {
            self.at = 0;
            self.block = match self.blocks.next() {
                None => Vec::new(),
                Some(Block::Held(bytes)) => bytes,
                Some(Block::Written { at, bytes }) => self.written(at, bytes)?,
            };
        }
        let end = self.at + stagedoor_topology::STAMP_LENGTH;
        Ok(self.block.get(self.at..end).and_then(Stamp::decode))
    }

    fn written(&self, at: u64, bytes: usize) -> Result<Vec<u8>, AuditError> {
        let mut block = vec![0; bytes];
        let file = self.file.as_ref();
        let read = file.map_or(Ok(()), |file| file.read_exact_at(&mut block, at));
        read.map_err(|source| AuditError::Spill {
            directory: self.directory.to_path_buf(),
            source,
        })?;
        Ok(block)
    }

    /// Offset, key and value of the entry under the cursor, which moves on.
    fn take(&mut self) -> (i64, Vec<u8>, Vec<u8>) {
        let start = self.at + stagedoor_topology::STAMP_LENGTH;
        let mut offset = [0; 8];
        offset.copy_from_slice(&self.block[start..start + 8]);
        let length = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&self.block[at..at + 4]);
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (key, value) = (length(start + 8), length(start + 12));
        let from = self.at + HEAD;
        self.at = from + key + value;
        (
            i64::from_le_bytes(offset),
            self.block[from..from + key].to_vec(),
            self.block[from + key..self.at].to_vec(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(offset: i64, index: u32) -> Stamp {
        Stamp {
            offset,
            index,
            ..Stamp::default()
        }
    }

    fn filled(budget: usize, inputs: i64) -> Spill {
        let topic: Arc<str> = "events".into();
        let mut spill = Spill::new(&std::env::temp_dir(), budget);
        for offset in 0..inputs {
            let partition = i32::try_from(offset % 3).unwrap();
            for (index, channel) in [(0, Channel::Results), (1, Channel::Events)] {
                let (key, value) = (offset.to_string(), "v".repeat(100));
                spill
                    .push(
                        stamp(offset, index),
                        (&topic, channel),
                        (partition, offset),
                        (key.as_bytes(), value.as_bytes()),
                    )
                    .unwrap();
                assert!(spill.held() <= budget);
            }
        }
        spill
    }

    #[test]
    fn outputs_come_back_whole_and_in_the_order_of_their_stamps_from_memory_and_from_disk() {
        for budget in [1 << 30, 20_000] {
            let mut spill = filled(budget, 5_000);
            assert_eq!(spill.file.is_some(), budget == 20_000);
            let mut merge = Merge::new(spill.take(0)).unwrap();
            for offset in 0..5_000 {
                for index in 0..2 {
                    assert_eq!(merge.next_stamp(), Some(stamp(offset, index)));
                    let output = merge.next().unwrap().unwrap();
                    assert_eq!(output.key, offset.to_string().as_bytes());
                    assert_eq!((output.place.offset, output.value.len()), (offset, 100));
                }
            }
            assert!(merge.next().unwrap().is_none());
            assert!(spill.take(0).is_empty());
        }
    }

    #[test]
    fn a_stamp_that_goes_back_is_merged_all_the_same() {
        let topic: Arc<str> = "events".into();
        let mut spill = Spill::new(&std::env::temp_dir(), 1 << 20);
        for offset in [1, 2, 0, 3] {
            let place = (&topic, Channel::Events);
            spill
                .push(stamp(offset, 0), place, (0, 0), (b"", b""))
                .unwrap();
        }
        let mut merge = Merge::new(spill.take(0)).unwrap();
        let mut found = Vec::new();
        while let Some(output) = merge.next().unwrap() {
            found.push(output.stamp.offset);
        }
        assert_eq!(found, [0, 1, 2, 3]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        let topic: Arc<str> = "events".into();
        let mut spill = Spill::new(Path::new("/nowhere/at/all"), 0);
        let place = (&topic, Channel::Events);
        let error = spill
            .push(stamp(0, 0), place, (0, 0), (b"", b""))
            .unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
