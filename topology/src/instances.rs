//! The table of instances: who can be asked about which task.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

/// One instance as it announces itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// Host that other instances can reach.
    pub host: String,
    /// HTTP port.
    pub port: i32,
    /// Tasks it serves, as `0_3`.
    pub tasks: Vec<String>,
    /// Instance id.
    pub instance: String,
}

impl AvroRecord for Instance {
    const SCHEMA_ID: u32 = 3;
    const NAME: &'static str = "stagedoor.topology.Instance";
}
