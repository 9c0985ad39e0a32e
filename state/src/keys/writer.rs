//! Writes the primitive parts of keys.

use super::Key;

/// Bytes of keys longer than this need a second allocation; most are shorter.
const TYPICAL_LENGTH: usize = 64;

/// Collects the bytes of one key.
#[derive(Debug, Default)]
pub struct KeyWriter {
    bytes: Vec<u8>,
}

impl KeyWriter {
    /// The physical key of a row: the id of its store, then the bytes of its key.
    pub(crate) fn physical<K: Key>(id: u8, key: &K) -> Vec<u8> {
        let mut writer = Self {
            bytes: Vec::with_capacity(TYPICAL_LENGTH),
        };
        writer.start(id, key);
        writer.bytes
    }

    /// The bytes of a key without the id of a store.
    pub(crate) fn plain<K: Key>(key: &K) -> Vec<u8> {
        let mut writer = Self::default();
        key.write(&mut writer);
        writer.into_bytes()
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Begins anew with the physical key of a row, in the same buffer.
    pub(crate) fn start<K: Key>(&mut self, id: u8, key: &K) {
        self.bytes.clear();
        self.append(id, key);
    }

    /// Appends the physical key of a row behind what is there, and says where it begins.
    pub(crate) fn append<K: Key>(&mut self, id: u8, key: &K) -> usize {
        let start = self.bytes.len();
        self.bytes.push(id);
        key.write(self);
        start
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends bytes as they are. They must be of a fixed length, or the last part of the key:
    /// otherwise the order of what follows is lost.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends an integer of 16 bits.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an integer of 32 bits.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an integer of 64 bits.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a signed integer of 64 bits; negative values sort first.
    pub fn i64(&mut self, value: i64) {
        // With the sign bit flipped, two's complement sorts like an unsigned number.
        self.u64(value.cast_unsigned() ^ (1 << 63));
    }

    /// Appends a string of any length, closed so that something may follow.
    pub fn str(&mut self, value: &str) {
        let mut parts = value.as_bytes().split(|byte| *byte == 0);
        if let Some(first) = parts.next() {
            self.raw(first);
        }
        for part in parts {
            self.raw(&[0x00, 0xFF]);
            self.raw(part);
        }
        self.raw(&[0x00, 0x00]);
    }
}
