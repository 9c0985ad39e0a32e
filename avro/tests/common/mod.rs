//! The runtime's records as Rust types, for tests that go through the real catalogue.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) next_offset: i64,
    pub(crate) unit: i32,
    pub(crate) stream_time_ms: i64,
    pub(crate) transactional_id: String,
    pub(crate) handed_over: bool,
    pub(crate) source_topic_id: String,
    pub(crate) committed_at_ms: i64,
}

impl AvroRecord for Position {
    const SCHEMA_ID: u32 = 1;
    const NAME: &'static str = "stagedoor.topology.Position";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) observed_lag: i32,
    #[serde(with = "stagedoor_avro::bytes")]
    pub(crate) mac: Vec<u8>,
}

impl AvroRecord for Tick {
    const SCHEMA_ID: u32 = 2;
    const NAME: &'static str = "stagedoor.topology.Tick";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) tasks: Vec<String>,
    pub(crate) instance: String,
}

impl AvroRecord for Instance {
    const SCHEMA_ID: u32 = 3;
    const NAME: &'static str = "stagedoor.topology.Instance";
}

pub(crate) fn position() -> Position {
    Position {
        next_offset: 1_234_567,
        unit: 3,
        stream_time_ms: 1_790_000_000_000,
        transactional_id: "stagedoor-a-0".to_owned(),
        handed_over: true,
        source_topic_id: "bN8sZkq2SJ6mUeX0aVJ4cw".to_owned(),
        committed_at_ms: 1_790_000_000_005,
    }
}

pub(crate) fn encoded<R: AvroRecord>(record: &R) -> Vec<u8> {
    let mut out = Vec::new();
    stagedoor_avro::encode(record, &mut out).unwrap();
    out
}
