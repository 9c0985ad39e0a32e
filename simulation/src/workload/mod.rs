//! The visitors of a run: who asks what, from a seed alone.
//!
//! Concerts are small and few people want the same seats, so that they get in each other's way.
//! What somebody sent before is sent again, with the same body and with another; people give back
//! what is theirs and what is not; and now and then somebody sends rubbish.

mod concerts;
mod visitors;

pub(crate) use visitors::Crowd;

/// When the world begins, in unix milliseconds. Scripts count from here.
pub(crate) const START_MS: i64 = 1_700_000_000_000;
