//! One HTTP/1.1 connection: a request, its answer, the next request.

use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Connection as Driver, SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Target;

/// A kept-alive connection. Its driver runs inside the exchange and not as a task of its own, which
/// saves two task switches a request.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<Driver<TokioIo<TcpStream>, Full<Bytes>>>>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    /// The connection was refused, or it broke.
    Connection,
    /// No answer in time.
    Timeout,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self, Lost> {
        let stream = TcpStream::connect(target.address).await;
        let stream = stream.map_err(|_| Lost::Connection)?;
        stream.set_nodelay(true).map_err(|_| Lost::Connection)?;
        let (sender, driver) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Lost::Connection)?;
        Ok(Self {
            sender,
            driver: Box::pin(driver),
        })
    }

    /// Sends a request and reads its answer to the end. After an error the connection is of no use.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<StatusCode, Lost> {
        let read = async |response: Response<Incoming>| {
            let (parts, mut body) = response.into_parts();
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Ok(parts.status)
        };
        self.drive(request, timeout, read).await
    }

    /// The same, with the body.
    pub(super) async fn exchange_text(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<(StatusCode, String), Lost> {
        let read = async |response: Response<Incoming>| {
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await?.to_bytes();
            Ok((parts.status, String::from_utf8_lossy(&bytes).into_owned()))
        };
        self.drive(request, timeout, read).await
    }

    async fn drive<T>(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        read: impl AsyncFnOnce(Response<Incoming>) -> hyper::Result<T>,
    ) -> Result<T, Lost> {
        let Self { sender, driver } = self;
        let exchange = async {
            sender.ready().await?;
            read(sender.send_request(request).await?).await
        };
        let either = async {
            tokio::select! {
                biased;
                _ = driver.as_mut() => Err(Lost::Connection),
                answer = exchange => answer.map_err(|_| Lost::Connection),
            }
        };
        let bounded = tokio::time::timeout(timeout, either).await;
        bounded.unwrap_or(Err(Lost::Timeout))
    }
}
