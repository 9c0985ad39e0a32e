//! Deterministic simulation: a whole cluster on a virtual clock, judged by a naive model.
#![allow(dead_code, reason = "x")]
mod model;
mod random;
mod schedule;
mod script;
#[cfg(test)]
mod straight;
mod workload;
