//! Which field types are allowed, as a table.

use apache_avro::Schema;

use super::{Refusal, check};

fn check_field(field_type: &str) -> Result<(), Refusal> {
    let text = format!(
        r#"{{"type": "record", "name": "R", "fields": [
            {{"name": "before", "type": {{"type": "record", "name": "Known", "fields": [
                {{"name": "a", "type": "long"}}]}}}},
            {{"name": "empty", "type": {{"type": "record", "name": "Empty", "fields": []}}}},
            {{"name": "field", "type": {field_type}}}]}}"#
    );
    check(&Schema::parse_str(&text).unwrap())
}

#[test]
fn shapes_with_a_plain_rust_type_and_bounded_cost_are_allowed() {
    for field_type in [
        r#""string""#,
        r#"["null", "string"]"#,
        r#"["Known", "null"]"#,
        r#""Empty""#,
        r#"{"type": "array", "items": "Known"}"#,
        r#"{"type": "array", "items": ["null", "Empty"]}"#,
        r#"{"type": "array", "items": {"type": "fixed", "name": "F", "size": 1}}"#,
        r#"{"type": "map", "values": "null"}"#,
        r#"{"type": "long", "logicalType": "timestamp-millis"}"#,
        r#"{"type": "string", "logicalType": "uuid"}"#,
    ] {
        assert_eq!(check_field(field_type), Ok(()), "{field_type}");
    }
}

#[test]
fn other_shapes_are_refused_with_their_path() {
    for (field_type, path, reason) in [
        (
            r#"["string", "long"]"#,
            "field",
            "a union must be of null and one type",
        ),
        (
            r#"["null", "string", "long"]"#,
            "field",
            "a union must be of null and one type",
        ),
        (
            r#"["null", "R"]"#,
            "field",
            "a record must not contain itself",
        ),
        (
            r#"{"type": "array", "items": "null"}"#,
            "field",
            "items of an array must take bytes",
        ),
        (
            r#"{"type": "array", "items": "Empty"}"#,
            "field",
            "items of an array must take bytes",
        ),
        (
            r#"{"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}"#,
            "field",
            "items of an array must take bytes",
        ),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": 4}"#,
            "field",
            "decimals have no plain rust type",
        ),
        (
            r#"{"type": "record", "name": "N", "fields": [{"name": "deep", "type": ["int", "long"]}]}"#,
            "field.deep",
            "a union must be of null and one type",
        ),
    ] {
        assert_eq!(
            check_field(field_type),
            Err(Refusal {
                path: path.to_owned(),
                reason
            })
        );
    }
}
