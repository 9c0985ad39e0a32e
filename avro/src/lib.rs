//! Avro records in Confluent's wire format, with every schema compiled in under a fixed id.
//!
//! Reading order: `catalogue.rs` (all schemas and ids), `registry.rs` (parsed once, looked up by
//! id or name), `wire.rs` (five bytes in front of every value), `codec.rs` (records in and out),
//! `datum/` (what follows those bytes, along the compiled plan of a schema).
//!
//! A value is `0x00`, the schema id as four bytes big endian, and the Avro datum. It is decoded
//! with the schema that it was **written** with, straight into a Rust struct; what an older writer
//! did not know comes from `#[serde(default)]`, what a newer writer added is skipped.
//!
//! # How Rust shapes map to Avro
//!
//! | Avro | Rust | attribute |
//! |---|---|---|
//! | record | struct of the record's short name, fields of the same names in the same order | |
//! | `["null", T]`, `[T, "null"]` | `Option<T>` | |
//! | `string` | `String` | |
//! | `bytes` | `Vec<u8>`, `Option<Vec<u8>>` if nullable | `#[serde(with = "stagedoor_avro::bytes")]` |
//! | `fixed` of size N | `[u8; N]`, `Option<[u8; N]>` if nullable | `#[serde(with = "stagedoor_avro::bytes")]` |
//! | array of `fixed`, of `bytes` | `Vec<ByteArray<N>>`, `Vec<ByteBuf>` | |
//! | `array` | `Vec<T>` | |
//! | `map` | `BTreeMap<String, T>` | |
//! | `int` | `i32`, `i16`, `u16`, `i8`, `u8` | |
//! | `long`, times and timestamps | `i64`, `u32` (never `u64`, `usize`) | |
//! | `boolean`, `float`, `double` | `bool`, `f32`, `f64` | |
//! | `enum` | enum of unit variants, named as the symbols, in their order | |
//!
//! - A struct or variant of another name is fitted with `#[serde(rename = "..")]`; a newtype needs
//!   `#[serde(transparent)]`.
//! - A Rust field that the schema lacks is [`AvroError::Unencodable`]. A schema field that the
//!   struct lacks is written as the schema's `default`, and without one is an error too. Structs
//!   that implement `Deserialize` by hand must take a sequence of fields as well as a map.
//! - Fields in another order than the schema's work, at the price of an allocation each.
//! - An optional `bytes` or `fixed` field needs `default` beside `with`, because `with` turns off
//!   serde's rule that a missing `Option` is `None`.
//! - `HashMap` would give other bytes each time for the same value, hence `BTreeMap`.
//! - Refused when the registry is built, because garbage input could then cost unbounded time,
//!   memory or stack: recursive schemas, and arrays or maps of items that may take no bytes. Refused
//!   for want of a plain Rust shape: other unions, decimals, durations.
//!
//! # A new version
//!
//! Released schemas never change. A new version has a file, an id and a catalogue row of its own.
//! It may add fields and drop fields. A field that stays keeps its exact type, because decoding
//! does not promote `int` to `long` nor a plain type to a nullable one; a record inside may change
//! by the same rules. Tests hold all this. Goldens of new ids, and of those only, are written by
//! `STAGEDOOR_WRITE_GOLDENS=1 cargo test -p stagedoor-avro --test golden`.

mod catalogue;
mod codec;
mod datum;
mod error;
mod registry;
mod shape;
mod subjects;
mod wire;

pub use codec::{AvroRecord, AvroView, decode, encode, schema_of, view};
pub use error::{AvroError, CatalogueError, SubjectError};
pub use registry::{RegisteredSchema, Registry, registry};
/// The serde attribute of `bytes` and `fixed` fields: `#[serde(with = "stagedoor_avro::bytes")]`.
pub use serde_bytes as bytes;
/// Items of arrays of `fixed` and of `bytes`.
pub use serde_bytes::{ByteArray, ByteBuf};
pub use wire::{HEADER_LEN, MAX_LENGTH};
