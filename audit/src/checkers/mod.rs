//! The checkers: one promise, one file, one function.

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
