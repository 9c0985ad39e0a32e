//! The documented mapping of Rust shapes, and what versions of one record mean to each other.

use std::collections::BTreeMap;

use apache_avro::{
    reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter,
};
use serde::Deserialize;

use super::*;
use crate::{ByteArray, ByteBuf, registry::leaked};

const EVERYTHING: &str = r#"{"type": "record", "name": "Everything", "namespace": "test", "fields": [
    {"name": "text", "type": "string"},
    {"name": "raw", "type": "bytes"},
    {"name": "raw_or_not", "type": ["null", "bytes"]},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 16}},
    {"name": "hash_or_not", "type": ["Hash", "null"]},
    {"name": "hashes", "type": {"type": "array", "items": "Hash"}},
    {"name": "blobs", "type": {"type": "array", "items": "bytes"}},
    {"name": "part", "type": {"type": "record", "name": "Part", "fields": [
        {"name": "small", "type": "int"}, {"name": "medium", "type": "int"}]}},
    {"name": "part_or_not", "type": ["null", "Part"]},
    {"name": "parts", "type": {"type": "array", "items": "Part"}},
    {"name": "counts", "type": {"type": "map", "values": "long"}},
    {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "version", "type": "long"},
    {"name": "yes", "type": "boolean"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["PENDING", "ENDED"]}}
]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    small: u8,
    medium: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum State {
    #[serde(rename = "PENDING")]
    Pending,
    #[serde(rename = "ENDED")]
    Ended,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    #[serde(with = "crate::bytes")]
    raw: Vec<u8>,
    #[serde(with = "crate::bytes", default)]
    raw_or_not: Option<Vec<u8>>,
    #[serde(with = "crate::bytes")]
    hash: [u8; 16],
    #[serde(with = "crate::bytes", default)]
    hash_or_not: Option<[u8; 16]>,
    hashes: Vec<ByteArray<16>>,
    blobs: Vec<ByteBuf>,
    part: Part,
    part_or_not: Option<Part>,
    parts: Vec<Part>,
    counts: BTreeMap<String, i64>,
    at_ms: i64,
    version: u32,
    yes: bool,
    state: State,
}

fn everything() -> Everything {
    let part = Part {
        small: 255,
        medium: 65_535,
    };
    Everything {
        text: "Zürich".to_owned(),
        raw: vec![0, 255],
        raw_or_not: Some(vec![1]),
        hash: [1; 16],
        hash_or_not: Some([2; 16]),
        hashes: vec![ByteArray::new([3; 16]), ByteArray::new([4; 16])],
        blobs: vec![ByteBuf::from([5])],
        part: part.clone(),
        part_or_not: Some(part.clone()),
        parts: vec![part.clone(), part],
        // One entry, because the generic encoder writes those of a map in any order.
        counts: BTreeMap::from([("a".to_owned(), i64::MIN)]),
        at_ms: 1_790_000_000_000,
        version: u32::MAX,
        yes: true,
        state: State::Ended,
    }
}

fn nothing() -> Everything {
    let part = Part {
        small: 0,
        medium: 0,
    };
    Everything {
        text: String::new(),
        raw: vec![],
        raw_or_not: None,
        hash: [0; 16],
        hash_or_not: None,
        hashes: vec![],
        blobs: vec![],
        part,
        part_or_not: None,
        parts: vec![],
        counts: BTreeMap::new(),
        at_ms: -1,
        version: 0,
        yes: false,
        state: State::Pending,
    }
}

fn encoded<T: Serialize>(schema: &RegisteredSchema, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_with(schema, value, &mut out).unwrap();
    out
}

fn generic(schema: &RegisteredSchema, datum: &[u8]) -> Value {
    let mut rest = datum;
    let reader = GenericDatumReader::builder(schema.schema());
    let value = reader.build().unwrap().read_value(&mut rest).unwrap();
    assert!(rest.is_empty());
    value
}

#[test]
fn every_documented_shape_comes_back_as_it_went() {
    let schema = leaked((1, "test.Everything", 1, EVERYTHING));
    for value in [everything(), nothing()] {
        let bytes = encoded(schema, &value);
        assert_eq!(
            decode_with::<Everything>(schema, &bytes[5..]).unwrap(),
            value
        );
    }
}

#[test]
fn every_documented_shape_has_the_bytes_of_the_generic_encoder() {
    let schema = leaked((1, "test.Everything", 1, EVERYTHING));
    for value in [everything(), nothing()] {
        let bytes = encoded(schema, &value);
        let writer = GenericDatumWriter::builder(schema.schema());
        let again = writer
            .build()
            .unwrap()
            .write_value_to_vec(generic(schema, &bytes[5..]))
            .unwrap();
        assert_eq!(again, bytes[5..]);
    }
}

#[test]
fn every_truncation_of_a_datum_is_refused() {
    let schema = leaked((1, "test.Everything", 1, EVERYTHING));
    let bytes = encoded(schema, &everything());
    for length in 5..bytes.len() {
        let result = decode_with::<Everything>(schema, &bytes[5..length]);
        assert!(
            matches!(result, Err(AvroError::Undecodable { .. })),
            "{length}: {result:?}"
        );
    }
}

const FIRST: &str = r#"{"type": "record", "name": "R", "namespace": "test", "fields": [
    {"name": "kept", "type": "string"}, {"name": "dropped", "type": ["null", "bytes"]}]}"#;
const SECOND: &str = r#"{"type": "record", "name": "R", "namespace": "test", "fields": [
    {"name": "kept", "type": "string"}, {"name": "added", "type": ["null", "long"]},
    {"name": "list", "type": {"type": "array", "items": "string"}},
    {"name": "counts", "type": {"type": "map", "values": ["null", "double"]}},
    {"name": "hash", "type": {"type": "fixed", "name": "F", "size": 2}}]}"#;

/// The record as version 1 knows it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "R", default)]
struct Old {
    kept: String,
    #[serde(with = "crate::bytes")]
    dropped: Option<Vec<u8>>,
}

/// The record as version 2 knows it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "R", default)]
struct New {
    kept: String,
    added: Option<i64>,
    list: Vec<String>,
    counts: BTreeMap<String, Option<f64>>,
    #[serde(with = "crate::bytes")]
    hash: [u8; 2],
}

#[test]
fn an_older_value_gets_defaults_for_what_it_lacks() {
    let schema = leaked((1, "test.R", 1, FIRST));
    let bytes = encoded(
        schema,
        &Old {
            kept: "a".to_owned(),
            dropped: Some(vec![1]),
        },
    );
    let read: New = decode_with(schema, &bytes[5..]).unwrap();
    assert_eq!(
        read,
        New {
            kept: "a".to_owned(),
            ..New::default()
        }
    );
}

#[test]
fn what_a_newer_value_added_is_skipped() {
    let schema = leaked((2, "test.R", 1, SECOND));
    let new = New {
        kept: "a".to_owned(),
        added: Some(7),
        list: vec!["b".to_owned()],
        counts: BTreeMap::from([("c".to_owned(), None), ("d".to_owned(), Some(0.5))]),
        hash: [1, 2],
    };
    let bytes = encoded(schema, &new);
    let read: Old = decode_with(schema, &bytes[5..]).unwrap();
    assert_eq!(
        read,
        Old {
            kept: "a".to_owned(),
            ..Old::default()
        }
    );
}

#[test]
fn enums_and_records_inside_a_record_are_skipped() {
    for unknown in [
        r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#,
        r#"{"type": "record", "name": "N", "fields": [{"name": "a", "type": "long"}]}"#,
    ] {
        let text = format!(
            r#"{{"type": "record", "name": "R", "namespace": "test", "fields": [
                {{"name": "kept", "type": "string"}}, {{"name": "unknown", "type": {unknown}}}]}}"#
        );
        let schema = leaked((1, "test.R", 1, text.leak()));
        let read: Old = decode_with(schema, &[2, b'a', 0]).unwrap();
        assert_eq!(read.kept, "a");
    }
}

#[test]
fn a_field_that_the_schema_lacks_is_unencodable_and_leaves_no_bytes() {
    let schema = leaked((1, "test.R", 1, FIRST));
    let mut out = vec![9, 9];
    let result = encode_with(
        schema,
        &New {
            kept: "a".to_owned(),
            ..New::default()
        },
        &mut out,
    );
    assert!(
        matches!(result, Err(AvroError::Unencodable { id: 1, .. })),
        "{result:?}"
    );
    assert_eq!(out, [9, 9]);
}

#[test]
fn a_field_that_the_struct_lacks_is_unencodable() {
    let schema = leaked((2, "test.R", 1, SECOND));
    #[derive(Serialize)]
    struct Less {
        kept: &'static str,
    }
    let result = encode_with(schema, &Less { kept: "a" }, &mut Vec::new());
    assert!(
        matches!(result, Err(AvroError::Unencodable { id: 2, .. })),
        "{result:?}"
    );
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct ReleaseHold {
    user: String,
    command_id: String,
    reservation: String,
}

impl AvroRecord for ReleaseHold {
    const SCHEMA_ID: u32 = 22;
    const NAME: &'static str = "stagedoor.concert.ReleaseHold";
}

#[derive(Debug, Deserialize)]
#[serde(rename = "ReleaseHold")]
struct ReleaseView<'a> {
    user: &'a str,
    #[expect(dead_code, reason = "what nobody needs still has its place")]
    command_id: serde::de::IgnoredAny,
    reservation: &'a str,
}

impl<'a> AvroView<'a> for ReleaseView<'a> {
    const NAME: &'static str = ReleaseHold::NAME;
}

#[test]
fn a_view_borrows_its_text_and_skips_what_nobody_needs() {
    let record = ReleaseHold {
        user: "ann".to_owned(),
        command_id: "k1".to_owned(),
        reservation: "r1".to_owned(),
    };
    let mut bytes = Vec::new();
    encode(&record, &mut bytes).unwrap();
    let seen: ReleaseView<'_> = view(&bytes).unwrap();
    assert_eq!((seen.user, seen.reservation), ("ann", "r1"));
    assert!(bytes.as_ptr_range().contains(&seen.user.as_ptr()));
    bytes[4] = 21;
    let other = view::<ReleaseView<'_>>(&bytes).unwrap_err();
    assert!(matches!(other, AvroError::WrongRecord { .. }), "{other}");
    assert!(view::<ReleaseView<'_>>(b"garbage").is_err());
}
