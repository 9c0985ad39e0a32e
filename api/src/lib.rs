//! The `stagedoor` binary as a library: HTTP, results, queries, command line, configuration.
//!
//! Reading order, along one hold: `routes/reservations.rs` (a request), `commands.rs` (its command
//! in the log), `results.rs` (its answer), `queries.rs` (reads). Around them: `app.rs` (what
//! handlers share), `runtime.rs` (the boundary to the stream runtime), `service.rs` (start and
//! end), `http/` (what every request passes), `auth/`, `config/`, `problem/`, `bodies/` (JSON),
//! `cli/` (the commands of the binary).

mod app;
mod auth;
mod bodies;
mod cli;
mod commands;
mod config;
mod exit;
mod forward;
mod http;
mod overload;
mod positions;
mod problem;
mod queries;
mod results;
mod routes;
mod runtime;
mod service;
mod snapshots;
mod telemetry;

pub use cli::run;
