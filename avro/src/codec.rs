//! Records in and out: a Rust struct to framed bytes and back, without a dynamic value in between.

use serde::{Serialize, de::Deserialize, de::DeserializeOwned};

use crate::{AvroError, RegisteredSchema, datum, registry, wire};

/// A Rust type that is written as an Avro record. See the crate's documentation for the mapping.
pub trait AvroRecord: Serialize + DeserializeOwned {
    /// Id of the schema version that this type is written with.
    const SCHEMA_ID: u32;
    /// Full name of the record, the same in all its versions.
    const NAME: &'static str;
}

/// A Rust type that a record is read into where it stands: text may be borrowed from the bytes, and
/// fields that nobody needs are skipped by `serde::de::IgnoredAny`. It has the fields of the record's
/// own type in their order.
pub trait AvroView<'de>: Deserialize<'de> {
    /// Full name of the record.
    const NAME: &'static str;
}

/// Appends `record` to `out` as a framed value.
///
/// # Errors
/// [`AvroError::Unencodable`] if the value does not fit the schema, [`AvroError::UnknownSchemaId`]
/// and [`AvroError::WrongRecord`] if the type's constants do not fit the catalogue. `out` is then
/// as it was before.
pub fn encode<R: AvroRecord>(record: &R, out: &mut Vec<u8>) -> Result<(), AvroError> {
    encode_with(schema_for(R::NAME, R::SCHEMA_ID)?, record, out)
}

/// Decodes a framed value with the schema that it was written with.
///
/// # Errors
/// [`AvroError::NotFramed`], [`AvroError::UnknownSchemaId`], [`AvroError::WrongRecord`] if the
/// value is of another record, [`AvroError::Undecodable`], [`AvroError::TrailingBytes`].
pub fn decode<R: AvroRecord>(bytes: &[u8]) -> Result<R, AvroError> {
    read(R::NAME, bytes)
}

/// As [`decode`], without copying what the type borrows.
///
/// # Errors
/// As for [`decode`].
pub fn view<'de, V: AvroView<'de>>(bytes: &'de [u8]) -> Result<V, AvroError> {
    read(V::NAME, bytes)
}

fn read<'de, T: Deserialize<'de>>(name: &'static str, bytes: &'de [u8]) -> Result<T, AvroError> {
    let (id, datum) = wire::split(bytes)?;
    decode_with(schema_for(name, id)?, datum)
}

/// The schema that a framed value was written with, to tell apart the records of a topic that
/// holds several kinds. The datum itself is not looked at.
///
/// # Errors
/// [`AvroError::NotFramed`], [`AvroError::UnknownSchemaId`].
pub fn schema_of(bytes: &[u8]) -> Result<&'static RegisteredSchema, AvroError> {
    let (id, _) = wire::split(bytes)?;
    registry()
        .by_id(id)
        .ok_or(AvroError::UnknownSchemaId { id })
}

fn schema_for(name: &'static str, id: u32) -> Result<&'static RegisteredSchema, AvroError> {
    let schema = registry()
        .by_id(id)
        .ok_or(AvroError::UnknownSchemaId { id })?;
    if schema.name == name {
        Ok(schema)
    } else {
        Err(AvroError::WrongRecord {
            expected: name,
            found: schema.name,
        })
    }
}

fn encode_with<T: Serialize>(
    schema: &RegisteredSchema,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    let start = out.len();
    wire::write_header(schema.id, out);
    datum::write(schema.plan(), value, out).map_err(|problem| {
        out.truncate(start);
        let reason = problem.to_string();
        AvroError::Unencodable {
            record: schema.name,
            id: schema.id,
            reason,
        }
    })
}

fn decode_with<'de, T: Deserialize<'de>>(
    schema: &RegisteredSchema,
    datum: &'de [u8],
) -> Result<T, AvroError> {
    let (record, id) = (schema.name, schema.id);
    let (value, left) = datum::read(schema.plan(), datum).map_err(|problem| {
        let reason = problem.to_string();
        AvroError::Undecodable { record, id, reason }
    })?;
    match left {
        0 => Ok(value),
        count => Err(AvroError::TrailingBytes { record, id, count }),
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
