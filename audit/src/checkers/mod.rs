//! The checkers: one promise, one file, one type that is fed turn by turn.

pub(crate) mod answers;
pub(crate) mod capacity;
pub(crate) mod crash;
pub(crate) mod expiry;
pub(crate) mod limits;
pub(crate) mod owners;
pub(crate) mod positions;
pub(crate) mod replayed;
pub(crate) mod restored;
pub(crate) mod sets;
pub(crate) mod stamps;

/// How long a command id answers after its effect is over: part of what is promised, and so not
/// taken from the rules.
pub(crate) const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
