//! `stagedoor-bench-peer`: what a team would build instead of Stagedoor, for comparison: Redis
//! marks seats, PostgreSQL keeps them.
//!
//! Reading order: `reservations` (one hold), `marks` (Redis), `ledger` (PostgreSQL), `halls`,
//! `auth`, `problem`.

mod app;
mod auth;
mod concerts;
mod halls;
mod ledger;
mod marks;
mod problem;
mod reservations;

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;

use crate::app::App;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Holds seats over HTTP as `POST /v1/concerts/{id}/reservations` of Stagedoor does, on Redis and
/// PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// As `servers.sh start` prints it.
    #[arg(long)]
    postgres_url: String,
    /// As `servers.sh start` prints it.
    #[arg(long)]
    redis_url: String,
    /// Port of 127.0.0.1; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Connections to PostgreSQL: as many holds as share one flush of its log.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=200))]
    pool: u16,
    /// Signs and verifies HS256 tokens.
    #[arg(long, env = "STAGEDOOR_AUTH_SECRET", hide_env_values = true)]
    auth_secret: String,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    reason = "the address is read by whoever starts it"
)]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let app = App::connect(
        &arguments.postgres_url,
        &arguments.redis_url,
        usize::from(arguments.pool),
        arguments.auth_secret.as_bytes(),
    )
    .await?;
    let address = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("port {} is in use: choose another --port", arguments.port))?;
    println!("url=http://{}", listener.local_addr()?);
    axum::serve(app::WithoutDelay(listener), app::router(app))
        .with_graceful_shutdown(async {
            // Without a signal handler there is nothing to wait for, and the process ends by the
            // signal itself.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}
