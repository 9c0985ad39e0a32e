//! Reads the primitive parts of keys back.

use super::Key;
use crate::StateError;

/// What is left to read of one key.
#[derive(Debug)]
pub struct KeyReader<'a> {
    rest: &'a [u8],
}

impl<'a> KeyReader<'a> {
    /// Reads from the bytes of a key, without the id of its store.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads one whole key: nothing may be left over.
    pub(crate) fn whole<K: Key>(bytes: &'a [u8]) -> Result<K, StateError> {
        let mut reader = Self::new(bytes);
        let key = K::read(&mut reader)?;
        if reader.rest.is_empty() {
            Ok(key)
        } else {
            Err(StateError::MalformedKey {
                reason: "it is longer than its type",
            })
        }
    }

    /// Takes a fixed number of bytes.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(StateError::MalformedKey {
                reason: "it ends early",
            });
        };
        self.rest = rest;
        Ok(*bytes)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where none is left.
    pub fn u8(&mut self) -> Result<u8, StateError> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Takes an integer of 16 bits.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where the bytes end early.
    pub fn u16(&mut self) -> Result<u16, StateError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes an integer of 32 bits.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where the bytes end early.
    pub fn u32(&mut self) -> Result<u32, StateError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes an integer of 64 bits.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where the bytes end early.
    pub fn u64(&mut self) -> Result<u64, StateError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes a signed integer of 64 bits.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where the bytes end early.
    pub fn i64(&mut self) -> Result<i64, StateError> {
        self.u64().map(|bits| (bits ^ (1 << 63)).cast_signed())
    }

    /// Takes a closed string.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where it is not closed, or no UTF-8.
    pub fn string(&mut self) -> Result<String, StateError> {
        let mut bytes = Vec::new();
        while self.string_part(&mut bytes)? {
            bytes.push(0);
        }
        String::from_utf8(bytes).map_err(|_| StateError::MalformedKey {
            reason: "its text is no utf-8",
        })
    }

    /// Takes what stands before the next zero byte; true if that byte is a part of the string.
    fn string_part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, StateError> {
        const OPEN: StateError = StateError::MalformedKey {
            reason: "its text is not closed",
        };
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or(OPEN)?;
        bytes.extend_from_slice(&self.rest[..end]);
        let goes_on = match self.rest.get(end + 1) {
            Some(0xFF) => true,
            Some(0x00) => false,
            Some(_) | None => return Err(OPEN),
        };
        self.rest = &self.rest[end + 2..];
        Ok(goes_on)
    }
}
