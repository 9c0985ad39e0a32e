//! What can be wrong with bytes, records, the catalogue and questions about subjects.

use thiserror::Error;

/// Why a record was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AvroError {
    /// The bytes do not start with the magic byte and a schema id.
    #[error(
        "{length} bytes starting with {first:?} are not framed: expected 0x00, a schema id of four \
         bytes and a datum; produce values in confluent's wire format"
    )]
    NotFramed {
        /// Length of the whole input.
        length: usize,
        /// Its first byte, if it has one.
        first: Option<u8>,
    },
    /// No schema with this id is compiled in.
    #[error(
        "schema id {id} is unknown; write with a schema of the catalogue or run a version that has it"
    )]
    UnknownSchemaId {
        /// The id in the frame, or the id a Rust type claims.
        id: u32,
    },
    /// The schema is of another record than the Rust type.
    #[error("expected record {expected} but found {found}; check the topic or dispatch by schema")]
    WrongRecord {
        /// Full name of the record that was asked for.
        expected: &'static str,
        /// Full name of the record that the schema id stands for.
        found: &'static str,
    },
    /// The datum does not fit its schema, or the schema does not fit the Rust type.
    #[error("{record} (schema id {id}) cannot be decoded: {reason}; the writer must send it again")]
    Undecodable {
        /// Full name of the record.
        record: &'static str,
        /// Schema id it was written with.
        id: u32,
        /// What the codec said.
        reason: String,
    },
    /// The datum ended before the input did.
    #[error("{record} (schema id {id}) is followed by {count} stray bytes; send one datum a value")]
    TrailingBytes {
        /// Full name of the record.
        record: &'static str,
        /// Schema id it was written with.
        id: u32,
        /// How many bytes are left.
        count: usize,
    },
    /// The Rust value does not fit the schema it is written with.
    #[error("{record} (schema id {id}) cannot be encoded: {reason}; make the type fit its schema")]
    Unencodable {
        /// Full name of the record.
        record: &'static str,
        /// Schema id it was to be written with.
        id: u32,
        /// What the codec said.
        reason: String,
    },
}

/// Why the compiled-in catalogue cannot be used. Only a programming error can cause one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The text is not an Avro schema.
    #[error("schema {id} ({name}) does not parse: {reason}; correct the .avsc file")]
    Unparsable {
        /// Id of the row.
        id: u32,
        /// Name in the row.
        name: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// The schema has a form that this codec does not serve.
    #[error("schema {id} ({name}) is not supported at {path}: {reason}; use another type")]
    Unsupported {
        /// Id of the row.
        id: u32,
        /// Name in the row.
        name: &'static str,
        /// Field path inside the record.
        path: String,
        /// What is not supported.
        reason: &'static str,
    },
    /// The row names another record than the text.
    #[error("schema {id} is catalogued as {name} but its text defines {found}; correct the row")]
    Misnamed {
        /// Id of the row.
        id: u32,
        /// Name in the row.
        name: &'static str,
        /// Full name in the text.
        found: String,
    },
    /// Two rows share an id.
    #[error("schema id {id} is given twice; take a free one for the newer row")]
    DuplicateId {
        /// The id.
        id: u32,
    },
    /// The versions of a name are not 1, 2, 3 and so on in the order of the rows.
    #[error(
        "schema {id} ({name}) has version {found} where {expected} is next; number without gaps"
    )]
    VersionGap {
        /// Id of the row.
        id: u32,
        /// Name in the row.
        name: &'static str,
        /// Version in the row.
        found: u32,
        /// Version that is next.
        expected: u32,
    },
}

/// Why a question about a subject has no answer, in the terms of the registry's REST interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// No schema of this name.
    #[error("subject not found")]
    UnknownSubject,
    /// The subject has no such version.
    #[error("version not found")]
    UnknownVersion,
    /// Neither a positive number nor `latest` nor `-1`.
    #[error("the version must be a positive number or latest")]
    InvalidVersion,
}

impl SubjectError {
    /// The `error_code` of Confluent's registry; its first three digits are the HTTP status.
    pub fn code(self) -> u32 {
        match self {
            Self::UnknownSubject => 40401,
            Self::UnknownVersion => 40402,
            Self::InvalidVersion => 42202,
        }
    }
}
