//! Keys of the log's rows. Their first byte names the table, for ever.
//!
//! ```text
//! B topic partition base    a batch
//! C sequence                one commit of the log: an unbroken chain since the last cut of it
//! E transactional id        its epoch
//! F                         the format, and the id of this log
//! G sequence                the first link of the chain that is still there
//! K topic partition         how far compaction has come
//! O topic partition         committed offset of the group
//! S topic partition         first offset that is still there
//! T name                    a topic
//! X topic partition base    a closed segment
//! ```
//! Numbers are big-endian, so that rows sort as the numbers do.

use super::batch::array;

/// A partition by the number of its topic.
pub(super) type PartitionId = (u32, i32);

pub(super) const BATCH: u8 = b'B';
pub(super) const CHAIN: u8 = b'C';
pub(super) const EPOCH: u8 = b'E';
pub(super) const FORMAT: &[u8] = b"F";
pub(super) const CHAIN_START: &[u8] = b"G";
pub(super) const CLEANED: u8 = b'K';
pub(super) const OFFSET: u8 = b'O';
pub(super) const START: u8 = b'S';
pub(super) const TOPIC: u8 = b'T';
pub(super) const SEGMENT: u8 = b'X';

/// Key of a row that a partition has one of in a table.
pub(super) fn of_partition(table: u8, (topic, partition): PartitionId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(table);
    key.extend(topic.to_be_bytes());
    key.extend(partition.to_be_bytes());
    key
}

/// Key of a row that a partition has at an offset.
pub(super) fn at_offset(table: u8, partition: PartitionId, offset: i64) -> Vec<u8> {
    let mut key = of_partition(table, partition);
    key.extend(offset.to_be_bytes());
    key
}

/// The range of a partition's rows from one offset (included) to another (not included).
pub(super) fn range(
    table: u8,
    partition: PartitionId,
    from: i64,
    until: i64,
) -> (Vec<u8>, Vec<u8>) {
    (
        at_offset(table, partition, from),
        at_offset(table, partition, until),
    )
}

/// Key of a row under a name.
pub(super) fn named(table: u8, name: &str) -> Vec<u8> {
    [&[table], name.as_bytes()].concat()
}

/// Key of a link of the chain.
pub(super) fn link(sequence: u64) -> Vec<u8> {
    [&[CHAIN][..], &sequence.to_be_bytes()].concat()
}

/// The range of a whole table.
pub(super) fn table(table: u8) -> ([u8; 1], [u8; 1]) {
    ([table], [table + 1])
}

/// The partition in a key, if it has one.
pub(super) fn partition(key: &[u8]) -> Option<PartitionId> {
    let numbers = key.get(1..9)?;
    let topic = u32::from_be_bytes(array(numbers));
    Some((topic, i32::from_be_bytes(array(&numbers[4..]))))
}

/// A number in a value, or behind the prefix of a key.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(array(bytes.get(at..at + 8)?)))
}

/// An offset in a value, or behind the prefix of a key.
pub(super) fn offset(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(array(bytes.get(at..at + 8)?)))
}
