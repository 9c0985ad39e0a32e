//! HTTP without the domain: the accept loop, what every request passes, headers, bodies.

pub(crate) mod body;
pub(crate) mod durations;
pub(crate) mod etag;
pub(crate) mod idempotency;
pub(crate) mod layers;
pub(crate) mod params;
pub(crate) mod position;
pub(crate) mod prefer;
pub(crate) mod server;
pub(crate) mod trace;
