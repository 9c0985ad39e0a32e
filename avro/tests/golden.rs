//! Golden bytes per schema id: a released schema stays as it is, and so do the bytes it stands for.
//!
//! `STAGEDOOR_WRITE_GOLDENS=1 cargo test -p stagedoor-avro --test golden` writes the files of ids
//! that have none. It never touches an existing one: a golden that fails is a broken promise.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

#[path = "golden/anything.rs"]
mod anything;
#[path = "golden/samples.rs"]
mod samples;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anything::Anything;
use apache_avro::{
    Schema, rabin::Rabin, reader::datum::GenericDatumReader, types::Value,
    writer::datum::GenericDatumWriter,
};
use samples::{Filling, sample, to_json};
use serde::{Deserialize, Serialize};
use stagedoor_avro::{HEADER_LEN, RegisteredSchema, registry, schema_of};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Golden {
    id: u32,
    name: String,
    version: u32,
    /// CRC-64-AVRO of the schema's parsing canonical form: what decides how bytes are read.
    fingerprint: String,
    /// The whole text, so that docs and defaults cannot change unnoticed either.
    schema: serde_json::Value,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sample {
    /// The framed value, in hexadecimal.
    bytes: String,
    value: serde_json::Value,
}

impl Golden {
    fn of(schema: &RegisteredSchema) -> Self {
        let samples = [Filling::Full, Filling::Empty];
        let samples = samples.map(|filling| golden_sample(schema, filling)).into();
        Self {
            id: schema.id,
            name: schema.name.to_owned(),
            version: schema.version,
            fingerprint: fingerprint(schema.schema()),
            schema: serde_json::from_str(schema.text).unwrap(),
            samples,
        }
    }
}

fn golden_sample(schema: &RegisteredSchema, filling: Filling) -> Sample {
    let value = sample(schema.schema(), filling);
    let json = to_json(&value);
    let mut bytes = vec![0];
    bytes.extend(schema.id.to_be_bytes());
    bytes.extend(encode_generic(schema.schema(), value));
    Sample {
        bytes: to_hex(&bytes),
        value: json,
    }
}

fn encode_generic(schema: &Schema, value: Value) -> Vec<u8> {
    GenericDatumWriter::builder(schema)
        .build()
        .unwrap()
        .write_value_to_vec(value)
        .unwrap()
}

fn decode_generic(schema: &Schema, mut datum: &[u8]) -> Value {
    let value = GenericDatumReader::builder(schema)
        .build()
        .unwrap()
        .read_value(&mut datum);
    assert!(datum.is_empty(), "{} stray bytes", datum.len());
    value.unwrap()
}

fn decode_by_serde(schema: &Schema, mut datum: &[u8]) -> serde_json::Value {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let Anything(value) = reader.read_deser(&mut datum).unwrap();
    assert!(datum.is_empty(), "{} stray bytes", datum.len());
    value
}

fn fingerprint(schema: &Schema) -> String {
    schema.fingerprint::<Rabin>().to_string()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn directory() -> PathBuf {
    // Asked at run time: clones share builds, which keep the path of the one that made them.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&here).join("golden")
}

fn read(id: u32) -> Option<Golden> {
    let text = fs::read_to_string(directory().join(format!("{id}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

fn write_missing() {
    for schema in registry()
        .schemas()
        .filter(|schema| read(schema.id).is_none())
    {
        let text = serde_json::to_string_pretty(&Golden::of(schema)).unwrap() + "\n";
        // A file that exists but was not readable must not be overwritten.
        let path = directory().join(format!("{}.json", schema.id));
        let file = fs::File::create_new(path).unwrap();
        std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
    }
}

/// What is wrong with a schema that has this golden.
fn broken_promises(schema: &RegisteredSchema, golden: &Golden) -> Vec<String> {
    let mut broken = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            broken.push(format!("{schema:?}: {what} differs from its golden"));
        }
    };
    check(golden.id == schema.id, "the id");
    check(golden.name == schema.name, "the name");
    check(golden.version == schema.version, "the version");
    check(
        golden.fingerprint == fingerprint(schema.schema()),
        "the fingerprint",
    );
    check(
        golden.schema == serde_json::from_str::<serde_json::Value>(schema.text).unwrap(),
        "the text",
    );
    check(!golden.samples.is_empty(), "the number of samples");
    for sample in &golden.samples {
        let bytes = from_hex(&sample.bytes);
        check(
            schema_of(&bytes).is_ok_and(|found| found.id == schema.id),
            "the framed id",
        );
        let datum = &bytes[HEADER_LEN..];
        check(
            decode_by_serde(schema.schema(), datum) == sample.value,
            "what records read",
        );
        let value = decode_generic(schema.schema(), datum);
        check(to_json(&value) == sample.value, "the value of a sample");
        check(
            encode_generic(schema.schema(), value) == bytes[HEADER_LEN..],
            "the encoding",
        );
    }
    broken
}

#[test]
fn every_released_schema_keeps_its_bytes() {
    if std::env::var_os("STAGEDOOR_WRITE_GOLDENS").is_some() {
        write_missing();
    }
    for schema in registry().schemas() {
        let golden = read(schema.id).unwrap_or_else(|| {
            panic!(
                "{schema:?} has no golden; write it with \
                 STAGEDOOR_WRITE_GOLDENS=1 cargo test -p stagedoor-avro --test golden"
            )
        });
        let broken = broken_promises(schema, &golden);
        assert!(
            broken.is_empty(),
            "release a new version instead: {broken:#?}"
        );
    }
}

#[test]
fn every_golden_has_its_schema() {
    let registered: BTreeSet<_> = registry()
        .schemas()
        .map(|schema| format!("{}.json", schema.id))
        .collect();
    for file in fs::read_dir(directory()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            registered.contains(&name),
            "{name}: a released schema left the catalogue"
        );
    }
}

#[test]
fn every_kind_of_change_breaks_a_promise() {
    let schema = registry().by_id(1).unwrap();
    let golden = Golden::of(schema);
    assert_eq!(broken_promises(schema, &golden), Vec::<String>::new());
    let changes: [fn(&mut Golden); 7] = [
        |golden| golden.id = 2,
        |golden| golden.name.push('x'),
        |golden| golden.version = 2,
        |golden| golden.fingerprint.push('0'),
        |golden| golden.schema["fields"][0]["doc"] = "another".into(),
        |golden| golden.samples.clear(),
        |golden| golden.samples[0].value["unit"] = 0.into(),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = golden.clone();
        change(&mut changed);
        assert!(
            !broken_promises(schema, &changed).is_empty(),
            "change {index}"
        );
    }
}
