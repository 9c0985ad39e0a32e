//! Writes the primitive parts of keys.

use std::cell::Cell;

use super::{Key, KeyLike};

thread_local! {
    /// The bytes of the last key that was looked up, for the next one to be written into.
    static LOOKED_UP: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The end of a string.
const CLOSED: [u8; 2] = [0x00, 0x00];

/// Collects the bytes of one key.
#[derive(Debug, Default)]
pub struct KeyWriter {
    bytes: Vec<u8>,
}

impl KeyWriter {
    /// Shows the physical key of a row: the id of its store, then the bytes of its key. A look-up
    /// inside of a look-up has a buffer of its own.
    pub(crate) fn with_physical<K, Q: KeyLike<K> + ?Sized, T>(
        id: u8,
        key: &Q,
        look_up: impl FnOnce(&[u8]) -> T,
    ) -> T {
        let mut writer = Self {
            bytes: LOOKED_UP.take(),
        };
        writer.clear();
        writer.append(id, key);
        let found = look_up(&writer.bytes);
        LOOKED_UP.set(writer.bytes);
        found
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
    pub(crate) fn append<K, Q: KeyLike<K> + ?Sized>(&mut self, id: u8, key: &Q) -> usize {
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
    #[inline]
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
        let bytes = value.as_bytes();
        self.bytes.reserve(bytes.len() + CLOSED.len());
        // Without a way out of the loop it looks at many bytes at once.
        let has_zero = bytes.iter().fold(false, |found, byte| found | (*byte == 0));
        if has_zero {
            self.escaped(bytes);
        } else {
            self.raw(bytes);
        }
        self.raw(&CLOSED);
    }

    #[cold]
    fn escaped(&mut self, mut rest: &[u8]) {
        while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
            self.raw(&rest[..=zero]);
            self.raw(&[0xFF]);
            rest = &rest[zero + 1..];
        }
        self.raw(rest);
    }
}
