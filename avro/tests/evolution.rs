//! The next version of a record only does what readers of the other version can take.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use apache_avro::{
    Schema,
    schema::{RecordField, RecordSchema},
};
use stagedoor_avro::registry;

/// What version `new` does to readers that know `old`, or the other way round, that they cannot
/// take.
fn incompatibilities(old: &Schema, new: &Schema) -> Vec<String> {
    match (old, new) {
        (Schema::Record(old), Schema::Record(new)) => compare_records(old, new),
        (Schema::Array(old), Schema::Array(new)) => incompatibilities(&old.items, &new.items),
        (Schema::Map(old), Schema::Map(new)) => incompatibilities(&old.types, &new.types),
        (Schema::Union(old), Schema::Union(new)) => {
            let pairs = old.variants().iter().zip(new.variants());
            pairs
                .flat_map(|(old, new)| incompatibilities(old, new))
                .collect()
        }
        _ if old == new => vec![],
        _ => vec![format!("{old:?} became {new:?}")],
    }
}

fn compare_records(old: &RecordSchema, new: &RecordSchema) -> Vec<String> {
    let mut found = Vec::new();
    if old.name != new.name {
        found.push(format!("record {} became {}", old.name, new.name));
    }
    for field in &new.fields {
        // Who does not know a field skips it.
        if let Some(before) = field_of(old, &field.name) {
            let inside = incompatibilities(&before.schema, &field.schema);
            let name = &field.name;
            found.extend(inside.into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    found
}

fn field_of<'s>(record: &'s RecordSchema, name: &str) -> Option<&'s RecordField> {
    record.fields.iter().find(|field| field.name == name)
}

#[test]
fn every_version_can_live_with_its_predecessor() {
    for subject in registry().subjects() {
        let versions: Vec<_> = registry().versions(subject).collect();
        for pair in versions.windows(2) {
            let found = incompatibilities(pair[0].schema(), pair[1].schema());
            assert!(
                found.is_empty(),
                "{:?} after {:?}: {found:#?}",
                pair[1],
                pair[0]
            );
        }
    }
}

fn changes(old: &str, new: &str) -> usize {
    let record = |fields: &str| {
        let text = format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
        Schema::parse_str(&text).unwrap()
    };
    incompatibilities(&record(old), &record(new)).len()
}

#[test]
fn the_rules_of_a_new_version_as_a_table() {
    let long = r#"{"name": "a", "type": "long"}"#;
    let int = r#"{"name": "a", "type": "int"}"#;
    let nullable = r#"{"name": "a", "type": ["null", "long"]}"#;
    let texts = r#"{"name": "a", "type": {"type": "array", "items": "string"}}"#;
    let symbols = r#"{"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["X"]}}"#;
    let more = r#"{"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}}"#;
    let part = r#"{"name": "a", "type": {"type": "record", "name": "P", "fields": [
        {"name": "b", "type": "long"}]}}"#;
    let part_of_int = r#"{"name": "a", "type": {"type": "record", "name": "P", "fields": [
        {"name": "b", "type": "int"}]}}"#;
    let larger_part = r#"{"name": "a", "type": {"type": "record", "name": "P", "fields": [
        {"name": "b", "type": "long"}, {"name": "c", "type": "bytes"}]}}"#;
    for (old, new, expected) in [
        (long, long, 0),
        ("", long, 0),
        (texts, "", 0),
        ("", nullable, 0),
        (part, larger_part, 0),
        (larger_part, part, 0),
        (int, long, 1),
        (long, nullable, 1),
        (long, texts, 1),
        ("", symbols, 0),
        (symbols, "", 0),
        (symbols, more, 1),
        ("", part, 0),
        (part, "", 0),
        (part, part_of_int, 1),
    ] {
        assert_eq!(changes(old, new), expected, "{old} -> {new}");
    }
}
