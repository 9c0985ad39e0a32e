//! JSON bodies: what callers send and get, and how it maps to the records of the log.

pub(crate) mod availability;
pub(crate) mod concert;
pub(crate) mod listing;
pub(crate) mod reservation;
pub(crate) mod time;
