//! The bytes of a batch: some records of one partition, written together, stored as one row.
//!
//! ```text
//! format 1 | base offset 8 | next offset 8 | time 8 | count 4 | CRC-32C of the records 4 |
//! CRC-32C of the above 4 | records
//! record: offset - base, time - its time (as varints), key, value, header count, name, value, ...
//! ```
//! Byte strings have their length in front; of key and value it is one more, and 0 is none. A batch
//! covers all offsets from base to next also after compaction took records out of it: so the rows
//! of a partition leave no gap, and one that is missing is noticed. Its time is its last record's.

use crate::log::Outgoing;
use crate::record::{Headers, Record};

const FORMAT: u8 = 1;

/// Bytes in front of the records.
pub(super) const HEADER: usize = 37;

/// Bytes beyond which a batch is closed and another one begun: what a reader holds in memory.
pub(super) const FULL: usize = 1 << 20;

/// What stands in front of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// First offset that it covers.
    pub(super) base: i64,
    /// The offset after the last one that it covers.
    pub(super) next: i64,
    /// Log-append time of its last record in milliseconds.
    pub(super) time_ms: i64,
    /// Records in it.
    pub(super) count: u32,
}

/// A batch that is being written.
#[derive(Debug)]
pub(super) struct BatchWriter {
    bytes: Vec<u8>,
    count: u32,
}

impl Default for BatchWriter {
    fn default() -> Self {
        Self {
            bytes: vec![0; HEADER],
            count: 0,
        }
    }
}

impl BatchWriter {
    /// Appends a record; its offset will be the base plus the number of those before it.
    pub(super) fn push(&mut self, record: &Outgoing<'_>) {
        self.stamp(u64::from(self.count), 0);
        let bytes = &mut self.bytes;
        put_optional(bytes, record.key);
        put_optional(bytes, record.value);
        put_varint(bytes, record.headers.len() as u64);
        for header in record.headers {
            put_bytes(bytes, header.name.as_bytes());
            put_bytes(bytes, header.value);
        }
    }

    /// Appends a stored record as it is, for compaction.
    pub(super) fn copy(&mut self, record: &Stored<'_>, to: &Header) {
        let delta = |wide: i64| u64::try_from(wide).unwrap_or(0);
        self.stamp(
            delta(record.offset - to.base),
            delta(to.time_ms - record.time_ms),
        );
        self.bytes.extend_from_slice(record.body);
    }

    fn stamp(&mut self, offset: u64, time: u64) {
        put_varint(&mut self.bytes, offset);
        put_varint(&mut self.bytes, time);
        self.count += 1;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the batch its place: offsets from `base` on, without a gap.
    pub(super) fn seal(self, base: i64, time_ms: i64) -> Batch {
        let next = base + i64::from(self.count);
        self.seal_as(Header {
            base,
            next,
            time_ms,
            count: 0,
        })
    }

    /// Gives the batch the place of those that it replaces.
    pub(super) fn seal_as(mut self, place: Header) -> Batch {
        let header = Header {
            count: self.count,
            ..place
        };
        let records = crc32c::crc32c(&self.bytes[HEADER..]);
        let front = &mut self.bytes[..HEADER];
        front[0] = FORMAT;
        front[1..9].copy_from_slice(&header.base.to_be_bytes());
        front[9..17].copy_from_slice(&header.next.to_be_bytes());
        front[17..25].copy_from_slice(&header.time_ms.to_be_bytes());
        front[25..29].copy_from_slice(&header.count.to_be_bytes());
        front[29..33].copy_from_slice(&records.to_be_bytes());
        let own = crc32c::crc32c(&front[..33]);
        front[33..].copy_from_slice(&own.to_be_bytes());
        self.bytes.shrink_to_fit();
        Batch {
            header,
            bytes: self.bytes,
        }
    }
}

/// A batch that has its place.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) header: Header,
    bytes: Vec<u8>,
}

impl Batch {
    /// Takes the bytes of a row, if they are what was written.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let header = read_header(&bytes)?;
        let stored = u32::from_be_bytes(array(&bytes[29..]));
        if crc32c::crc32c(&bytes[HEADER..]) != stored {
            return Err("the checksum of its records does not match");
        }
        Ok(Self { header, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record at a place in the bytes, and the place of the next one. The first place is
    /// [`HEADER`].
    pub(super) fn record(&self, place: usize) -> Option<(Stored<'_>, usize)> {
        let rest = self.bytes.get(place..)?;
        let mut input = rest;
        let offset = i64::try_from(take_varint(&mut input)?).ok()?;
        let time = i64::try_from(take_varint(&mut input)?).ok()?;
        let body = input;
        let key = take_optional(&mut input)?;
        let value = take_optional(&mut input)?;
        let count = take_varint(&mut input)?;
        let headers = input;
        for _ in 0..count {
            take_bytes(&mut input)?;
            take_bytes(&mut input)?;
        }
        let stored = Stored {
            offset: self.header.base + offset,
            time_ms: self.header.time_ms - time,
            key,
            value,
            headers: StoredHeaders {
                bytes: headers,
                count,
            },
            body: &body[..body.len() - input.len()],
        };
        Some((stored, place + rest.len() - input.len()))
    }

    /// All records.
    pub(super) fn records(&self) -> impl Iterator<Item = Stored<'_>> {
        let mut place = HEADER;
        std::iter::from_fn(move || {
            let (record, next) = self.record(place)?;
            place = next;
            Some(record)
        })
    }
}

/// The header of a batch, if it is what was written.
pub(super) fn read_header(bytes: &[u8]) -> Result<Header, &'static str> {
    let front = bytes.get(..HEADER).ok_or("it is shorter than its header")?;
    if crc32c::crc32c(&front[..33]) != u32::from_be_bytes(array(&front[33..])) {
        return Err("the checksum of its header does not match");
    }
    if front[0] != FORMAT {
        return Err("its format is not known");
    }
    Ok(Header {
        base: i64::from_be_bytes(array(&front[1..])),
        next: i64::from_be_bytes(array(&front[9..])),
        time_ms: i64::from_be_bytes(array(&front[17..])),
        count: u32::from_be_bytes(array(&front[25..])),
    })
}

/// The first bytes of a slice that is long enough.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// A record in the bytes of its batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) offset: i64,
    pub(super) time_ms: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    headers: StoredHeaders<'a>,
    /// Key, value and headers as they are stored.
    body: &'a [u8],
}

impl Stored<'_> {
    /// Shows it as a record of a partition.
    pub(super) fn show<R>(
        &self,
        topic: &str,
        partition: i32,
        visit: impl FnOnce(&Record<'_>) -> R,
    ) -> R {
        visit(&Record {
            topic,
            partition,
            offset: self.offset,
            timestamp_ms: self.time_ms,
            key: self.key,
            value: self.value,
            headers: &self.headers,
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct StoredHeaders<'a> {
    bytes: &'a [u8],
    count: u64,
}

impl<'a> StoredHeaders<'a> {
    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let mut input = self.bytes;
        (0..self.count).filter_map(move |_| {
            let name = take_bytes(&mut input)?;
            let value = take_bytes(&mut input)?;
            // Names are written from text.
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }
}

impl Headers for StoredHeaders<'_> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.pairs() {
            visit(name, value);
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.pairs()
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value)
            .last()
    }
}

#[inline]
fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

fn put_optional(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    put_varint(bytes, value.map_or(0, |value| value.len() as u64 + 1));
    bytes.extend_from_slice(value.unwrap_or_default());
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(input)?).ok()?;
    take(input, length)
}

#[expect(
    clippy::option_option,
    reason = "malformed bytes, or a record without the field"
)]
fn take_optional<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match usize::try_from(take_varint(input)?).ok()?.checked_sub(1) {
        None => Some(None),
        Some(length) => take(input, length).map(Some),
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    fn batch() -> Batch {
        let headers = [
            record::Header {
                name: "a",
                value: b"1",
            },
            record::Header {
                name: "a",
                value: &[0, 255],
            },
            record::Header {
                name: "",
                value: b"",
            },
        ];
        let mut writer = BatchWriter::default();
        for (key, value) in [
            (Some(&b"k"[..]), Some(&b"v"[..])),
            (None, Some(&[7; 300])),
            (Some(b""), None),
        ] {
            writer.push(&Outgoing {
                topic: "t",
                partition: 0,
                key,
                value,
                headers: &headers,
            });
        }
        writer.seal(40, 1_000)
    }

    #[test]
    fn records_come_back_byte_for_byte() {
        let read = Batch::read(batch().bytes().to_vec()).unwrap();
        let records: Vec<Stored<'_>> = read.records().collect();
        assert_eq!(
            records
                .iter()
                .map(|record| record.offset)
                .collect::<Vec<_>>(),
            [40, 41, 42]
        );
        assert_eq!(
            (records[0].key, records[0].value),
            (Some(&b"k"[..]), Some(&b"v"[..]))
        );
        assert_eq!(
            (records[1].key, records[1].value),
            (None, Some(&[7; 300][..]))
        );
        assert_eq!((records[2].key, records[2].value), (Some(&b""[..]), None));
        assert_eq!(records[2].headers.get("a"), Some(&[0, 255][..]));
        assert_eq!(records[2].headers.pairs().count(), 3);
        assert!(records.iter().all(|record| record.time_ms == 1_000));
    }

    #[test]
    fn a_copy_keeps_offsets_and_times_and_covers_what_it_replaces() {
        let old = batch();
        let place = Header {
            base: 30,
            next: 50,
            time_ms: 1_500,
            count: 0,
        };
        let mut writer = BatchWriter::default();
        for record in old.records().skip(1) {
            writer.copy(&record, &place);
        }
        let copy = writer.seal_as(place);
        let kept: Vec<(i64, i64)> = copy.records().map(|it| (it.offset, it.time_ms)).collect();
        assert_eq!(kept, [(41, 1_000), (42, 1_000)]);
        assert_eq!(
            (copy.header.base, copy.header.next, copy.header.count),
            (30, 50, 2)
        );
    }

    #[test]
    fn no_flipped_bit_is_read_as_a_batch() {
        let bytes = batch().bytes().to_vec();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::read(flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(
                Batch::read(bytes[..length].to_vec()).is_err(),
                "length {length}"
            );
        }
    }
}
