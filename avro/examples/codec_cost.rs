//! What a record costs to encode and decode on one thread: `cargo run -p stagedoor-avro --example codec_cost`.
//!
//! `-- 2000 ours` runs 2000 rounds of what has `ours` in its name, for tools that count instructions.
#![expect(clippy::print_stdout, reason = "a measurement is for people to read")]

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use apache_avro::{Schema, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use serde::{Deserialize, Serialize};
use stagedoor_avro::{AvroRecord, MAX_LENGTH, decode, encode};

// The crate's own source, because no released schema is like the sample.
#[path = "../src/datum/mod.rs"]
mod datum;

const ROUNDS: u32 = 300_000;
const REPEATS: usize = 5;

/// A record as large as those of a sale, measured by the calls that `encode` and `decode` make.
const SAMPLE: &str = r#"{"type": "record", "name": "Sample", "fields": [
    {"name": "user", "type": "string"},
    {"name": "command_id", "type": "string"},
    {"name": "seats", "type": {"type": "array", "items": "string"}},
    {"name": "best", "type": ["null", {"type": "record", "name": "Best", "fields": [
        {"name": "quantity", "type": "int"}, {"name": "split", "type": "boolean"}]}]},
    {"name": "held_at_ms", "type": "long"},
    {"name": "amount_minor", "type": "long"},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 16}},
    {"name": "bits", "type": "bytes"}]}"#;

#[derive(Clone, Serialize, Deserialize)]
struct Best {
    quantity: i32,
    split: bool,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sample {
    user: String,
    command_id: String,
    seats: Vec<String>,
    best: Option<Best>,
    held_at_ms: i64,
    amount_minor: i64,
    #[serde(with = "stagedoor_avro::bytes")]
    hash: [u8; 16],
    #[serde(with = "stagedoor_avro::bytes")]
    bits: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Instance {
    host: String,
    port: i32,
    tasks: Vec<String>,
    instance: String,
}

impl AvroRecord for Instance {
    const SCHEMA_ID: u32 = 3;
    const NAME: &'static str = "stagedoor.topology.Instance";
}

fn main() -> Result<(), Box<dyn Error>> {
    measure_sample()?;
    measure_instance()
}

fn measure_sample() -> Result<(), Box<dyn Error>> {
    let schema = Schema::parse_str(SAMPLE)?;
    let writer = GenericDatumWriter::builder(&schema)
        .human_readable(false)
        .build()?;
    let reader = GenericDatumReader::builder(&schema)
        .human_readable(false)
        .build()?;
    let sample = Sample {
        user: "user-0000123".to_owned(),
        command_id: "command-0042".to_owned(),
        seats: vec![
            "A-3-07".to_owned(),
            "A-3-08".to_owned(),
            "A-3-09".to_owned(),
        ],
        best: Some(Best {
            quantity: 2,
            split: false,
        }),
        held_at_ms: 1_790_000_000_000,
        amount_minor: 12_500,
        hash: [7; 16],
        bits: vec![0x55; 64],
    };
    let bytes = writer.write_ser_to_vec(&sample)?;
    println!("8 fields, {} bytes", bytes.len());
    let mut out = Vec::with_capacity(bytes.len());
    report("apache encode", || {
        out.clear();
        Ok(writer.write_ser(&mut out, black_box(&sample)).map(drop)?)
    })?;
    report("apache decode", || {
        let mut datum = black_box(bytes.as_slice());
        black_box(reader.read_deser::<Sample>(&mut datum)?);
        Ok(())
    })?;
    // What the allocations of a decoded record cost whoever makes them.
    report("sample floor clone", || {
        black_box(black_box(&sample).clone());
        Ok(())
    })?;
    let plan = datum::compile(&schema).ok_or("the sample has a shape that is not allowed")?;
    report("sample ours encode", || {
        out.clear();
        Ok(datum::write(&plan, black_box(&sample), &mut out)?)
    })?;
    report("sample ours decode", || {
        black_box(datum::read::<Sample>(&plan, black_box(bytes.as_slice()))?);
        Ok(())
    })
}

fn measure_instance() -> Result<(), Box<dyn Error>> {
    let instance = Instance {
        host: "one.example".to_owned(),
        port: 8080,
        tasks: vec!["0_3".to_owned(), "0_12".to_owned()],
        instance: "instance-one".to_owned(),
    };
    let mut out = Vec::new();
    encode(&instance, &mut out)?;
    let bytes = out.clone();
    println!("stagedoor.topology.Instance, framed, {} bytes", bytes.len());
    report("instance ours encode", || {
        out.clear();
        Ok(encode(black_box(&instance), &mut out)?)
    })?;
    report("instance ours decode", || {
        black_box(decode::<Instance>(black_box(&bytes))?);
        Ok(())
    })
}

/// Prints the best and the median of several repeats, in nanoseconds a call.
fn report(
    what: &str,
    mut call: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(ROUNDS), |text| text.parse())?;
    if arguments.next().is_some_and(|part| !what.contains(&part)) {
        return Ok(());
    }
    let mut costs = Vec::new();
    for _ in 0..REPEATS {
        let start = Instant::now();
        for _ in 0..rounds {
            call()?;
        }
        costs.push(start.elapsed());
    }
    costs.sort();
    let each = |cost: Duration| cost.as_nanos() / u128::from(rounds);
    println!(
        "  {what}: best {} ns, median {} ns",
        each(costs[0]),
        each(costs[REPEATS / 2])
    );
    Ok(())
}
