//! Logs: for people on a terminal, as JSON otherwise; always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. `STAGEDOOR_LOG` filters it, as in `debug` or `stagedoor_topology=trace,info`.
pub(crate) fn start(quiet: bool) {
    let level = if quiet { "warn" } else { "info" };
    let filter = std::env::var("STAGEDOOR_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only where a subscriber is set already, as between tests of one process.
    let _ = if std::io::stderr().is_terminal() {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}
