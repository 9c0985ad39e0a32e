//! A log in memory and a task that writes to it, as small as they can be: what tests and the
//! measurement of this crate audit.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "shared by programs that each use a part of it"
)]

pub mod log;
mod plan;
pub mod task;
