//! Deterministic simulation: a whole cluster on a virtual clock, judged by a naive model.
#![allow(dead_code, reason = "x")]
mod judge;
mod model;
mod random;
mod run;
mod schedule;
mod script;
mod site;
#[cfg(test)]
mod straight;
mod workload;
mod world;
