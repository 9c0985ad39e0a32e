//! What is read off processes, machines and rounds, and how it is written down.
//!
//! Reading order: `process` (CPU and memory), `machine` and `revision` (where), `rounds` (median
//! and spread), `results` (JSON), `plot` (SVG).

pub mod machine;
pub mod plot;
pub mod process;
pub mod results;
pub mod revision;
pub mod rounds;
