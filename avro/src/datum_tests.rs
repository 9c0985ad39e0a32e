//! Apache's crate is the judge: any value of any schema has its bytes, any bytes have its verdict.

#[path = "../tests/golden/anything.rs"]
mod anything;
#[path = "datum_values.rs"]
mod values;

use anything::Anything;
use apache_avro::{
    Schema, reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter,
};
use proptest::{collection::vec, prelude::*};
use serde::{Deserialize, Serialize};
use values::{Dynamic, Names, value_of};

use super::{Plan, compile, read, write};
use crate::registry;

/// Every feature that the catalogue's check allows.
const ALL: &str = r#"{"type": "record", "name": "All", "namespace": "test", "fields": [
    {"name": "yes", "type": "boolean"}, {"name": "int", "type": "int"},
    {"name": "long", "type": "long"}, {"name": "float", "type": "float"},
    {"name": "double", "type": "double"}, {"name": "text", "type": "string"},
    {"name": "raw", "type": "bytes"}, {"name": "null", "type": "null"},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 3}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["A", "B", "C"]}},
    {"name": "first", "type": ["null", "State"]}, {"name": "last", "type": ["Hash", "null"]},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "parts", "type": {"type": "array", "items": {"type": "record", "name": "Part",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "string"]}]}}},
    {"name": "part", "type": ["null", "Part"]}, {"name": "plain", "type": "Part"},
    {"name": "lists", "type": {"type": "array", "items": {"type": "array", "items": "bytes"}}},
    {"name": "map", "type": {"type": "map", "values": ["null", "Part"]}},
    {"name": "empty", "type": {"type": "record", "name": "Empty", "fields": []}}]}"#;

fn schemas() -> Vec<&'static Schema> {
    let all: &Schema = Box::leak(Box::new(Schema::parse_str(ALL).unwrap()));
    let released = registry().schemas().map(|registered| registered.schema());
    released.chain([all]).collect()
}

fn ours<T: Serialize>(plan: &Plan, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write(plan, value, &mut out).unwrap();
    out
}

fn theirs<T: Serialize>(schema: &Schema, value: &T) -> Vec<u8> {
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_ser_to_vec(value).unwrap()
}

fn generic(schema: &Schema, value: &Value) -> Vec<u8> {
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_value_to_vec(value.clone()).unwrap()
}

/// What a datum says and how many bytes follow it; none if it is refused.
type Verdict = Option<(serde_json::Value, usize)>;

fn our_verdict(plan: &Plan, datum: &[u8]) -> Verdict {
    let (Anything(value), left) = read(plan, datum).ok()?;
    Some((value, left))
}

fn their_verdict(schema: &Schema, mut datum: &[u8]) -> Verdict {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let Anything(value) = reader.read_deser(&mut datum).ok()?;
    Some((value, datum.len()))
}

proptest! {
    #[test]
    fn any_value_of_any_schema_has_their_bytes(entropy in vec(any::<u8>(), 0..300)) {
        for schema in schemas() {
            let names = Names::of(schema);
            let plan = compile(schema).unwrap();
            let value = value_of(schema, &mut entropy.iter().copied(), &names);
            let dynamic = Dynamic { schema, value: &value, names: &names };
            let bytes = ours(&plan, &dynamic);
            prop_assert_eq!(&bytes, &theirs(schema, &dynamic));
            prop_assert_eq!(&bytes, &generic(schema, &value));
            let verdict = our_verdict(&plan, &bytes);
            prop_assert!(verdict.is_some());
            prop_assert_eq!(verdict, their_verdict(schema, &bytes));
        }
    }

    #[test]
    fn every_truncation_is_refused_and_every_damage_has_their_verdict(
        entropy in vec(any::<u8>(), 0..100), at: usize, byte: u8,
    ) {
        for schema in schemas() {
            let names = Names::of(schema);
            let plan = compile(schema).unwrap();
            let value = value_of(schema, &mut entropy.iter().copied(), &names);
            let mut bytes = generic(schema, &value);
            for length in 0..bytes.len() {
                prop_assert_eq!(our_verdict(&plan, &bytes[..length]), None);
            }
            let at = at % bytes.len();
            bytes[at] = byte;
            prop_assert_eq!(our_verdict(&plan, &bytes), their_verdict(schema, &bytes));
        }
    }

    #[test]
    fn any_bytes_have_their_verdict(datum in vec(any::<u8>(), 0..200), small in vec(0_u8..4, 0..200)) {
        for schema in schemas() {
            let plan = compile(schema).unwrap();
            for bytes in [&datum, &small] {
                let verdict = our_verdict(&plan, bytes);
                let skipped = read::<serde::de::IgnoredAny>(&plan, bytes).ok();
                prop_assert_eq!(skipped.map(|(_, left)| left), verdict.as_ref().map(|it| it.1));
                prop_assert_eq!(verdict, their_verdict(schema, bytes));
            }
        }
    }
}

fn golden_samples(id: u32) -> Vec<(Vec<u8>, serde_json::Value)> {
    // Asked at run time: clones share builds, which keep the path of the one that made them.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let text = std::fs::read_to_string(format!("{here}/golden/{id}.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let samples = golden["samples"].as_array().unwrap().iter();
    let samples = samples.map(|sample| {
        let digits = sample["bytes"].as_str().unwrap();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let bytes = (0..digits.len()).step_by(2).map(byte).collect();
        (bytes, sample["value"].clone())
    });
    samples.collect()
}

#[test]
fn goldens_are_read_as_they_say_and_written_again() {
    for registered in registry().schemas() {
        let (schema, names) = (registered.schema(), Names::of(registered.schema()));
        let reader = GenericDatumReader::builder(schema).build().unwrap();
        for (bytes, expected) in golden_samples(registered.id) {
            let datum = &bytes[crate::HEADER_LEN..];
            let verdict = our_verdict(registered.plan(), datum);
            assert_eq!(verdict, Some((expected, 0)), "{registered:?}");
            let value = &reader.read_value(&mut &*datum).unwrap();
            let dynamic = Dynamic {
                schema,
                value,
                names: &names,
            };
            assert_eq!(ours(registered.plan(), &dynamic), datum, "{registered:?}");
        }
    }
}

/// The fields of `SHUFFLED` in the schema's order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "R")]
struct Ordered {
    a: u8,
    b: String,
    c: Option<i64>,
}

/// The same fields in another order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "R")]
struct Shuffled {
    c: Option<i64>,
    a: u8,
    b: String,
}

const SHUFFLED: &str = r#"{"type": "record", "name": "R", "fields": [
    {"name": "a", "type": "int"}, {"name": "b", "type": "string"},
    {"name": "c", "type": ["long", "null"]}]}"#;

proptest! {
    #[test]
    fn another_order_of_fields_has_the_same_bytes(a: u8, b: String, c: Option<i64>) {
        let schema = Schema::parse_str(SHUFFLED).unwrap();
        let plan = compile(&schema).unwrap();
        let value = Shuffled { a, b, c };
        let bytes = ours(&plan, &value);
        prop_assert_eq!(&bytes, &theirs(&schema, &value));
        let ordered = Ordered { a, b: value.b.clone(), c };
        prop_assert_eq!(&bytes, &ours(&plan, &ordered));
        prop_assert_eq!(read::<Shuffled>(&plan, &bytes).unwrap(), (value, 0));
        prop_assert_eq!(read::<Ordered>(&plan, &bytes).unwrap(), (ordered, 0));
    }

    #[test]
    fn any_bytes_have_their_verdict_for_structs_too(datum in vec(prop_oneof![0_u8..4, any::<u8>()], 0..12)) {
        let schema = Schema::parse_str(SHUFFLED).unwrap();
        let plan = compile(&schema).unwrap();
        let mut rest = datum.as_slice();
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        let theirs = reader.read_deser::<Ordered>(&mut rest).ok();
        let theirs = theirs.map(|value| (value, rest.len()));
        prop_assert_eq!(read::<Ordered>(&plan, &datum).ok(), theirs);
    }
}

#[derive(Serialize)]
struct Nothing {}

#[test]
fn defaults_have_their_bytes() {
    for (field_type, default) in [
        (r#""boolean""#, "true"),
        (r#""int""#, "-7"),
        (r#""long""#, "123456789012"),
        (r#""float""#, "0.5"),
        (r#""double""#, "0.1"),
        (r#""string""#, r#""text""#),
        (r#""bytes""#, r#""text""#),
        (r#"["null", "string"]"#, "null"),
        (r#"["string", "null"]"#, r#""text""#),
        (r#"{"type": "fixed", "name": "F", "size": 2}"#, r#""ab""#),
        (
            r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#,
            r#""B""#,
        ),
        (r#"{"type": "array", "items": "int"}"#, "[]"),
        (r#"{"type": "array", "items": "int"}"#, "[1, 2]"),
        (r#"{"type": "map", "values": "int"}"#, r#"{"key": 1}"#),
        (
            r#"{"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]}"#,
            r#"{"x": 3}"#,
        ),
    ] {
        let text = format!(
            r#"{{"type": "record", "name": "Nothing", "fields": [
                {{"name": "a", "type": {field_type}, "default": {default}}}]}}"#
        );
        let schema = Schema::parse_str(&text).unwrap();
        let plan = compile(&schema).unwrap();
        let value = Nothing {};
        assert_eq!(ours(&plan, &value), theirs(&schema, &value), "{text}");
    }
}

#[test]
fn blocks_with_their_size_are_read() {
    let schema = Schema::parse_str(r#"{"type": "array", "items": "int"}"#).unwrap();
    let plan = compile(&schema).unwrap();
    // Two items in two bytes, then one item without a size.
    let datum = [3, 4, 2, 4, 2, 6, 0];
    assert_eq!(read::<Vec<i32>>(&plan, &datum).unwrap(), (vec![1, 2, 3], 0));
}

#[test]
fn iterators_of_unknown_length_are_counted_afterwards() {
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..10).filter(|number| number % 2 == 1))
        }
    }
    let schema = Schema::parse_str(r#"{"type": "array", "items": "int"}"#).unwrap();
    let plan = compile(&schema).unwrap();
    let (back, left) = read::<Vec<i32>>(&plan, &ours(&plan, &Odd)).unwrap();
    assert_eq!((back, left), (vec![1, 3, 5, 7, 9], 0));
}

#[test]
fn a_problem_names_the_field() {
    let schema = Schema::parse_str(ALL).unwrap();
    let plan = compile(&schema).unwrap();
    #[derive(Serialize)]
    struct Wrong {
        yes: i64,
    }
    let problem = write(&plan, &Wrong { yes: 1 }, &mut Vec::new()).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "field yes: the schema has boolean here, not an i64"
    );
    let problem = read::<Anything>(&plan, &[0, 0]).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "field long: the input ends inside the value"
    );
}
