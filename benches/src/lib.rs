//! What measurements are made of: the mixes, the load over HTTP, and what is read off processes and
//! rounds.
//!
//! Reading order: `mix` (the requests), `http_load` (sends them), `measure` (what it cost, and how
//! it is shown).

pub mod http_load;
pub mod measure;
pub mod mix;
