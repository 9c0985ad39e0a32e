//! Framed values through the public interface: what is written, and every way to get it wrong.

mod common;

use common::{Instance, Position, Tick, encoded, position};
use serde::{Deserialize, Serialize};
use stagedoor_avro::{AvroError, AvroRecord, decode, encode, schema_of};

#[derive(Debug, Serialize, Deserialize)]
struct Unregistered {
    a: i64,
}

impl AvroRecord for Unregistered {
    const SCHEMA_ID: u32 = 4_000_000_000;
    const NAME: &'static str = "stagedoor.topology.Unregistered";
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename = "Position")]
struct Mislabelled {
    next_offset: i64,
}

impl AvroRecord for Mislabelled {
    const SCHEMA_ID: u32 = 2;
    const NAME: &'static str = "stagedoor.topology.Position";
}

#[test]
fn a_value_is_the_magic_byte_the_id_and_the_datum() {
    let bytes = encoded(&Tick {
        observed_lag: -1,
        mac: vec![0xab],
    });
    assert_eq!(bytes, [0, 0, 0, 0, 2, 1, 2, 0xab]);
}

#[test]
fn encoding_appends() {
    let mut out = vec![7];
    encode(&position(), &mut out).unwrap();
    assert_eq!(out[0], 7);
    assert_eq!(decode::<Position>(&out[1..]).unwrap(), position());
}

#[test]
fn a_value_names_its_schema() {
    let schema = schema_of(&encoded(&position())).unwrap();
    assert_eq!(
        (schema.id, schema.name, schema.version),
        (1, Position::NAME, 1)
    );
}

#[test]
fn unframed_bytes_are_refused() {
    let inputs: [&[u8]; 5] = [b"", b"\0", b"\0\0\0\0", b"{\"a\":1}", &[1, 0, 0, 0, 1, 0]];
    for bytes in inputs {
        let expected = AvroError::NotFramed {
            length: bytes.len(),
            first: bytes.first().copied(),
        };
        assert_eq!(decode::<Tick>(bytes).unwrap_err(), expected);
        assert_eq!(schema_of(bytes).unwrap_err(), expected);
    }
}

#[test]
fn an_unknown_schema_id_is_refused() {
    for id in [0, 1_000_000, u32::MAX] {
        let mut bytes = vec![0];
        bytes.extend(id.to_be_bytes());
        bytes.extend([0; 20]);
        assert_eq!(
            decode::<Tick>(&bytes).unwrap_err(),
            AvroError::UnknownSchemaId { id }
        );
        assert_eq!(
            schema_of(&bytes).unwrap_err(),
            AvroError::UnknownSchemaId { id }
        );
    }
}

#[test]
fn another_record_is_refused() {
    let bytes = encoded(&position());
    let expected = AvroError::WrongRecord {
        expected: Tick::NAME,
        found: Position::NAME,
    };
    assert_eq!(decode::<Tick>(&bytes).unwrap_err(), expected);
}

#[test]
fn every_truncation_is_refused() {
    let tasks = vec!["0_3".to_owned(), "0_12".to_owned()];
    let host = "one.example".to_owned();
    let bytes = encoded(&Instance {
        host,
        port: 8080,
        tasks,
        instance: "a".to_owned(),
    });
    for length in 0..bytes.len() {
        let error = decode::<Instance>(&bytes[..length]).unwrap_err();
        match length {
            0..5 => assert!(
                matches!(error, AvroError::NotFramed { .. }),
                "{length}: {error}"
            ),
            _ => assert!(
                matches!(error, AvroError::Undecodable { id: 3, .. }),
                "{length}: {error}"
            ),
        }
    }
}

#[test]
fn bytes_after_the_datum_are_refused() {
    let mut bytes = encoded(&position());
    bytes.extend([0, 0]);
    let record = Position::NAME;
    let expected = AvroError::TrailingBytes {
        record,
        id: 1,
        count: 2,
    };
    assert_eq!(decode::<Position>(&bytes).unwrap_err(), expected);
}

#[test]
fn a_type_whose_constants_do_not_fit_the_catalogue_is_refused() {
    let mut out = vec![7];
    let error = encode(&Unregistered { a: 1 }, &mut out).unwrap_err();
    assert_eq!(
        error,
        AvroError::UnknownSchemaId {
            id: Unregistered::SCHEMA_ID
        }
    );
    let error = encode(&Mislabelled { next_offset: 1 }, &mut out).unwrap_err();
    assert_eq!(
        error,
        AvroError::WrongRecord {
            expected: Mislabelled::NAME,
            found: Tick::NAME
        }
    );
    assert_eq!(out, [7]);
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let mut bytes = encoded(&Instance {
        host: "h".to_owned(),
        port: 1,
        tasks: vec![],
        instance: String::new(),
    });
    bytes[6] = 0xff;
    let error = decode::<Instance>(&bytes).unwrap_err();
    assert!(
        matches!(error, AvroError::Undecodable { id: 3, .. }),
        "{error}"
    );
}
