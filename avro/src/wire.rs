//! The wire format: `0x00`, the schema id as four bytes big endian, the datum.

use crate::AvroError;

/// Bytes in front of every datum.
pub const HEADER_LEN: usize = 5;

/// Longest string or bytes, in bytes, that is decoded; no topic takes values near this size.
/// It bounds what a forged length can make the decoder allocate.
pub const MAX_LENGTH: usize = 16 * 1024 * 1024;

const MAGIC: u8 = 0;

/// Appends the header of a value written with schema `id`.
pub(crate) fn write_header(id: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Splits a value into schema id and datum.
pub(crate) fn split(bytes: &[u8]) -> Result<(u32, &[u8]), AvroError> {
    match bytes {
        [MAGIC, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => Err(AvroError::NotFramed {
            length: bytes.len(),
            first: bytes.first().copied(),
        }),
    }
}
