//! The accept loop: bounded connections, a header-read timer, and a graceful end with a deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Bounds of the accept loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most connections at once; further ones wait in the listener's backlog.
    pub(crate) connections: usize,
    /// How long the head of a request may take. An idle kept-alive connection ends by it too.
    pub(crate) header_read: Duration,
    /// How long connections may finish what they are at after the end was asked for.
    pub(crate) finish: Duration,
}

/// Serves `router` until `stop`, then lets requests that are under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let builder = Arc::new(connection_builder(bounds));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let Some(stream) = usable(accepted).await else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(bounds.finish, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("connections were still busy at the deadline and are cut");
    }
}

fn connection_builder(bounds: Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Without a timer the header-read timeout is inert, and a slow client holds its place for ever.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(bounds.header_read);
    builder
}

async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<TcpStream> {
    match accepted {
        Ok((stream, _)) => {
            // Answers are small and waited for: never hold one back for the next.
            stream.set_nodelay(true).ok()?;
            Some(stream)
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            // Out of file descriptors: the same error comes at once, until some are free again.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        connections: 8,
        header_read: Duration::from_millis(100),
        finish: Duration::from_secs(10),
    };

    async fn started(
        router: Router,
    ) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, BOUNDS, stop.clone()));
        (address, stop, server)
    }

    #[tokio::test]
    async fn a_client_that_never_finishes_its_head_is_cut() {
        let (address, _stop, _server) = started(Router::new()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            .await
            .unwrap();
        let mut rest = Vec::new();
        // Ends only because the server closes the connection.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished_and_new_connections_are_not_taken() {
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (entering, leaving) = (Arc::clone(&entered), Arc::clone(&leave));
        let handler = move || async move {
            entering.notify_one();
            leaving.notified().await;
            "done"
        };
        let (address, stop, server) = started(Router::new().route("/", get(handler))).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        entered.notified().await;
        stop.cancel();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        leave.notify_one();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"done"));
        server.await.unwrap();
    }
}
