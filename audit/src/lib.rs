//! The audit: every promise has one checker, and each reads only topics and, where they are given,
//! stores.
//!
//! Reading order: [`run()`] (what is read and in which order), `turn` (what checkers see),
//! `checkers/` (one promise a file), `lane` (one command partition), `spill` (outputs in the order
//! of their inputs), `replay` (the command log through the processors once more, in memory), `ahead`
//! (that on a thread of its own), [`verify()`] (the replay alone), [`Report`]. The checkers of seats (S) are judges of their own:
//! they never call the rules. Those of recovery (D) compare the rules with themselves.
//!
//! A checker is fed turn by turn: one input of a command partition with everything that came of
//! it. What came of it is spread over several topics in another order, so all topics of outputs
//! are read once, sorted by command partition and merged by their stamps.
//!
//! With several threads, as many changelogs, shares of the output partitions and command partitions
//! are read at once, and each command partition has one thread more for its replay. What is found,
//! and in which order it is told, does not depend on the threads.
//!
//! Memory, with a history of any length:
//! - the budget for outputs on their way (64 MiB unless another is given, and as much again for
//!   what a growing buffer has in reserve); the rest moves to temporary space, as much as the keys
//!   and values of the outputs have and 52 bytes for each;
//! - for each command partition under audit, 64 KiB for each output partition that it wrote to;
//! - the state of its task, which is first restored from the changelog and then replayed;
//! - at most 2,560 turns by which its replay is ahead;
//! - what the checkers keep of it: an entry for every seat that was ever held,
//!   every concert, every live reservation and its user, and the command ids of one day of log time;
//! - one stamp for every pair of a command partition and an output partition.

mod after_crash;
mod ahead;
mod checkers;
mod contents;
mod error;
mod facts;
mod inputs;
mod lane;
mod outputs;
mod parallel;
mod read;
mod replay;
mod report;
mod run;
#[cfg(test)]
mod samples;
mod sources;
mod spill;
mod turn;
mod verify;

pub use after_crash::after_crash;
pub use error::AuditError;
pub use read::Progress;
pub use report::{Checker, Place, Report, Violation};
pub use run::run;
pub use sources::Sources;
pub use verify::{Difference, Verified, verify};
