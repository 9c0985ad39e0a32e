//! One partition: entries by offset, what of them a reader may see, compaction and retention.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::headers::PackedHeaders;
use crate::log::{Isolation, Outgoing};
use crate::record::{Headers as _, Record};

/// Id of a transactional producer; each transactional id has one.
pub(super) type ProducerId = u64;

/// Key, value and headers of a record.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) key: Option<Box<[u8]>>,
    pub(super) value: Option<Box<[u8]>>,
    pub(super) headers: PackedHeaders,
}

impl Content {
    pub(super) fn new(record: &Outgoing<'_>) -> Self {
        Self {
            key: record.key.map(Box::from),
            value: record.value.map(Box::from),
            headers: PackedHeaders::new(record.headers),
        }
    }

    /// The record as the runtime reads it.
    pub(super) fn record<'a>(
        &'a self,
        topic: &'a str,
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
    ) -> Record<'a> {
        Record {
            topic,
            partition,
            offset,
            timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}

/// What an offset holds.
enum Entry {
    Record {
        at_ms: i64,
        /// 0 without a transaction.
        producer: ProducerId,
        aborted: bool,
        content: Arc<Content>,
    },
    /// The end of a transaction.
    Marker,
    /// Compacted away.
    Gone,
}

/// A record that was read, with everything it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Log-append time in milliseconds.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl OwnedRecord {
    pub(super) fn new(
        topic: Arc<str>,
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        content: &Content,
    ) -> Self {
        let mut headers = Vec::new();
        content
            .headers
            .each(&mut |name, value| headers.push((name.to_owned(), value.to_vec())));
        Self {
            topic,
            partition,
            offset,
            timestamp_ms,
            key: content.key.as_deref().map(<[u8]>::to_vec),
            value: content.value.as_deref().map(<[u8]>::to_vec),
            headers,
        }
    }

    /// The record as the runtime reads it.
    #[must_use]
    pub fn as_record(&self) -> Record<'_> {
        Record {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}

/// One partition.
#[derive(Default)]
pub(super) struct Partition {
    start: i64,
    entries: Vec<Entry>,
    /// First offset of the open transaction of each producer.
    open: BTreeMap<ProducerId, i64>,
}

impl Partition {
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    pub(super) fn high(&self) -> i64 {
        self.start + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn last_stable(&self) -> i64 {
        let first_open = self.open.values().min().copied();
        first_open.unwrap_or_else(|| self.high())
    }

    /// Where a reader's view ends.
    pub(super) fn bound(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadCommitted => self.last_stable(),
            Isolation::ReadUncommitted => self.high(),
        }
    }

    /// Appends a record; one of a transaction opens it here.
    pub(super) fn append(&mut self, at_ms: i64, producer: ProducerId, content: Content) -> i64 {
        let offset = self.high();
        if producer > 0 {
            self.open.entry(producer).or_insert(offset);
        }
        self.entries.push(Entry::Record {
            at_ms,
            producer,
            aborted: false,
            content: Arc::new(content),
        });
        offset
    }

    /// Ends the transaction of a producer with a marker.
    pub(super) fn end(&mut self, producer: ProducerId, commit: bool) {
        let Some(first) = self.open.remove(&producer) else {
            return;
        };
        if !commit {
            let from = self.index(first);
            for entry in &mut self.entries[from..] {
                if let Entry::Record {
                    producer: of,
                    aborted,
                    ..
                } = entry
                {
                    *aborted |= *of == producer;
                }
            }
        }
        self.entries.push(Entry::Marker);
    }

    /// What a reader sees between two offsets.
    pub(super) fn visible(
        &self,
        isolation: Isolation,
        from: i64,
        until: i64,
    ) -> impl Iterator<Item = (i64, i64, &Arc<Content>)> {
        let (first, last) = (self.index(from), self.index(until));
        let offsets = from.max(self.start)..;
        let entries = self.entries[first.min(last)..last].iter();
        offsets.zip(entries).filter_map(move |(offset, entry)| {
            let Entry::Record {
                at_ms,
                aborted,
                content,
                ..
            } = entry
            else {
                return None;
            };
            let hidden = *aborted && isolation == Isolation::ReadCommitted;
            (!hidden).then_some((offset, *at_ms, content))
        })
    }

    pub(super) fn compact(&mut self, tombstones_before_ms: i64) {
        let stable = self.index(self.last_stable());
        let mut newer = BTreeSet::new();
        for entry in self.entries[..stable].iter_mut().rev() {
            let Entry::Record {
                at_ms,
                aborted,
                content,
                ..
            } = entry
            else {
                continue;
            };
            let old_tombstone = content.value.is_none() && *at_ms < tombstones_before_ms;
            let replaced = *aborted
                || content
                    .key
                    .as_ref()
                    .is_some_and(|key| !newer.insert(key.clone()));
            if replaced || old_tombstone {
                *entry = Entry::Gone;
            }
        }
    }

    pub(super) fn delete_before(&mut self, offset: i64) {
        let count = self.index(offset.min(self.last_stable()));
        self.entries.drain(..count);
        self.start += i64::try_from(count).unwrap_or_default();
    }

    pub(super) fn truncate(&mut self, offset: i64) {
        let keep = self.index(offset);
        self.entries.truncate(keep);
        let high = self.high();
        self.open.retain(|_, first| *first < high);
    }

    fn index(&self, offset: i64) -> usize {
        let index = usize::try_from(offset - self.start).unwrap_or(0);
        index.min(self.entries.len())
    }
}
