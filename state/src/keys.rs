//! Keys whose bytes sort as their values do, so that a scan in byte order is a scan in value order.
//!
//! | value | bytes |
//! |---|---|
//! | unsigned integer | big endian |
//! | signed integer | big endian, sign bit flipped |
//! | string | UTF-8 with `00` written as `00 FF`, closed by `00 00` |
//! | `[u8; N]` | as it is |
//! | tuple | its elements one after the other |
//!
//! A closed string sorts before each of its extensions, and no encoding is a prefix of another
//! one of the same type: so the bytes of a tuple's leading elements are a scan prefix.

mod reader;
mod values;
mod writer;

pub use reader::KeyReader;
pub use writer::KeyWriter;

use crate::StateError;

/// What a row is looked up by: its key, or the same with its texts and arrays borrowed, so that a
/// look-up copies nothing. Both write the same bytes.
pub trait KeyLike<K> {
    /// Appends the bytes of this key.
    fn write(&self, out: &mut KeyWriter);
}

/// A value that can be the key of a row.
///
/// Writing must preserve order: `a < b` exactly when the bytes of `a` sort before those of `b`.
/// Types built from the primitives of [`KeyWriter`], field by field, have that property.
pub trait Key: KeyLike<Self> + Sized {
    /// Reads back what [`KeyLike::write`] wrote.
    ///
    /// # Errors
    /// [`StateError::MalformedKey`] where the bytes are no such key.
    fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError>;
}
