//! The audit: every promise has one checker, and each reads only topics and stores.
//!
//! Reading order: [`run()`] (what is read and which checkers run), `history` (what is kept of it),
//! `checkers/` (one promise a file), `replay` (the command log through the processors once more,
//! in memory), [`Report`]. The checkers of seats (S) are judges of their own: they never call the
//! rules. Those of recovery (D) compare the rules with themselves.
//!
//! Memory: one line of a few dozen bytes for every command and every record that came of it, the
//! events of reservations, and the rows of all tasks. Other values are kept as digests.

mod checkers;
mod contents;
mod error;
mod facts;
mod history;
mod inputs;
mod load;
mod replay;
mod report;
mod run;
#[cfg(test)]
mod samples;

pub use error::AuditError;
pub use report::{Checker, Place, Report, Violation};
pub use run::{Sources, after_crash, run};
