//! Any record comes back with the bytes of Apache's generic encoder; garbage is refused in bounds.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use apache_avro::{
    reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter,
};
use common::{Instance, Position, Tick, encoded, position};
use proptest::{collection::vec, prelude::*};
use stagedoor_avro::{AvroError, AvroRecord, HEADER_LEN, MAX_LENGTH, decode, registry};

/// Checks that a record round-trips, and that its datum is what the generic path makes of it.
fn check<R: AvroRecord + PartialEq + std::fmt::Debug>(record: &R, expected: Value) {
    let bytes = encoded(record);
    assert_eq!(decode::<R>(&bytes).unwrap(), *record);
    let schema = registry().by_id(R::SCHEMA_ID).unwrap().schema();
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    assert_eq!(
        reader.read_value(&mut &bytes[HEADER_LEN..]).unwrap(),
        expected
    );
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    assert_eq!(
        writer.write_value_to_vec(expected).unwrap(),
        bytes[HEADER_LEN..]
    );
}

fn field(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

proptest! {
    #[test]
    fn positions_have_the_bytes_of_the_generic_encoder(
        longs: [i64; 3], unit: i32, texts: [String; 2], handed_over: bool,
    ) {
        let [next_offset, stream_time_ms, committed_at_ms] = longs;
        let [transactional_id, source_topic_id] = texts;
        let expected = Value::Record(vec![
            field("next_offset", next_offset),
            field("unit", unit),
            field("stream_time_ms", stream_time_ms),
            field("transactional_id", transactional_id.as_str()),
            field("handed_over", handed_over),
            field("source_topic_id", source_topic_id.as_str()),
            field("committed_at_ms", committed_at_ms),
        ]);
        let record = Position {
            next_offset, unit, stream_time_ms, transactional_id, handed_over, source_topic_id,
            committed_at_ms,
        };
        check(&record, expected);
    }

    #[test]
    fn ticks_have_the_bytes_of_the_generic_encoder(observed_lag: i32, mac: Vec<u8>) {
        let fields = vec![field("observed_lag", observed_lag), field("mac", mac.clone())];
        check(&Tick { observed_lag, mac }, Value::Record(fields));
    }

    #[test]
    fn instances_have_the_bytes_of_the_generic_encoder(
        host: String, port: i32, tasks: Vec<String>, instance: String,
    ) {
        let names = tasks.iter().map(|task| Value::from(task.as_str())).collect();
        let fields = vec![
            field("host", host.as_str()),
            field("port", port),
            field("tasks", Value::Array(names)),
            field("instance", instance.as_str()),
        ];
        check(&Instance { host, port, tasks, instance }, Value::Record(fields));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn garbage_never_panics(id in 0_u32..5, datum in vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![0];
        bytes.extend(id.to_be_bytes());
        bytes.extend(&datum);
        decode_as_everything(&bytes);
        decode_as_everything(&datum);
    }

    #[test]
    fn a_damaged_value_never_panics(at in 0_usize..100, byte: u8, cut in 0_usize..100) {
        let mut bytes = encoded(&position());
        let at = at % bytes.len();
        bytes[at] = byte;
        decode_as_everything(&bytes);
        bytes.truncate(cut);
        decode_as_everything(&bytes);
    }
}

// The results do not matter: a panic or an allocation without bound would.
fn decode_as_everything(bytes: &[u8]) {
    drop(decode::<Position>(bytes));
    drop(decode::<Tick>(bytes));
    drop(decode::<Instance>(bytes));
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

#[test]
fn forged_lengths_are_refused_before_they_are_allocated() {
    let above = u64::try_from(MAX_LENGTH).unwrap() + 1;
    for length in [
        above,
        1 << 32,
        1 << 40,
        i64::MAX.cast_unsigned(),
        (-5_i64).cast_unsigned(),
    ] {
        let zigzag = (length << 1) ^ (length.cast_signed() >> 63).cast_unsigned();
        let tick = [vec![0, 0, 0, 0, 2, 0], varint(zigzag)].concat();
        let error = decode::<Tick>(&tick).unwrap_err();
        assert!(
            matches!(error, AvroError::Undecodable { id: 2, .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn forged_counts_are_refused_before_they_are_allocated() {
    for count in [1_i64 << 40, i64::MAX, -1, i64::MIN] {
        let zigzag = (count.cast_unsigned() << 1) ^ (count >> 63).cast_unsigned();
        let instance = [vec![0, 0, 0, 0, 3, 0, 0], varint(zigzag), vec![2]].concat();
        let error = decode::<Instance>(&instance).unwrap_err();
        assert!(
            matches!(error, AvroError::Undecodable { id: 3, .. }),
            "{count}: {error}"
        );
    }
}
