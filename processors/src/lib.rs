//! The domain as stream processors: records in, effects out, no clock, no I/O, no randomness.
//!
//! Reading order: `topology.rs` (what there is), then the folder of one processor, whose `mod.rs`
//! has its states, invariants, topics and stores. `id.rs` has the ids that callers see.
//!
//! A processor is one folder: records, rules (`decide`), changes (`evolve`), stores, the processor
//! that ties them to the log, and queries. A new one is a folder, a line in `topology.rs`, and its
//! schemas.
// Money and positions are integers: floats round differently on different machines.
#![warn(clippy::float_arithmetic)]

pub mod concert;
pub mod id;
mod topology;

pub use topology::{BuildError, CATALOGUE, naming, topology};
