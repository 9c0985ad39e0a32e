//! Deterministic simulation: a whole cluster on a virtual clock, judged by a naive model.
//!
//! One seed decides everything: how large the cluster is, who sends what, who moves next, what
//! breaks and when. The seed becomes a script, the script is played over the production runtime on
//! simulated brokers, faults end, everything converges, and every answer, every row and every
//! record is held against a model that was written for obviousness.
//!
//! Reading order: `script` (a run as data), `schedule` and `workload` (a seed becomes one),
//! `model` (what should come of it), `world` (what each step does), `judge` (what must hold and
//! when that is looked at), `run`, `shrink`, [`Campaign`].

mod campaign;
mod judge;
mod model;
mod random;
mod regressions;
mod run;
mod schedule;
mod script;
mod shrink;
mod site;
mod sometimes;
#[cfg(test)]
mod straight;
mod workload;
mod world;

pub use campaign::{Campaign, CampaignReport, Failure, tell_script, tell_seed};
