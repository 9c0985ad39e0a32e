//! What handlers share, and the routes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use crate::auth::Verifier;
use crate::halls::Halls;
use crate::ledger::Ledger;
use crate::marks::Marks;
use crate::{concerts, reservations};

/// Shared by all requests.
pub(crate) struct App {
    pub(crate) verifier: Verifier,
    pub(crate) halls: Halls,
    pub(crate) marks: Marks,
    pub(crate) ledger: Ledger,
}

impl App {
    /// Connects to both servers and lays out the tables where they are missing.
    pub(crate) async fn connect(
        postgres_url: &str,
        redis_url: &str,
        pool: usize,
        secret: &[u8],
    ) -> anyhow::Result<Arc<Self>> {
        let ledger = Ledger::connect(postgres_url, pool).await?;
        let marks = Marks::connect(redis_url).await?;
        Ok(Arc::new(Self {
            verifier: Verifier::new(secret),
            halls: Halls::default(),
            marks,
            ledger,
        }))
    }
}

/// The routes that the comparison needs.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/readyz", get(|| async { "ready" }))
        .route("/v1/concerts/{concert}", put(concerts::put))
        .route(
            "/v1/concerts/{concert}/reservations",
            post(reservations::create),
        )
        .with_state(app)
}

/// Answers leave at once instead of waiting for more bytes.
pub(crate) struct WithoutDelay(pub(crate) TcpListener);

impl Listener for WithoutDelay {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's delay");
        }
        (stream, peer)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
