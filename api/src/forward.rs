//! Reads of concerts that another instance owns: asked there, and passed on as they are.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};

use crate::http::position::{Position, X_MIN_POSITION, X_POSITION};
use crate::http::trace;
use crate::problem::Problem;
use crate::queries::Call;

/// Marks a request that an instance sends on: whoever gets it answers or refuses, so that two
/// instances that disagree about the owner do not pass it to and fro.
pub(crate) const FORWARDED: &str = "x-stagedoor-forwarded";

/// Headers of the request that the owner needs.
const SENT: [HeaderName; 3] = [ACCEPT, AUTHORIZATION, IF_NONE_MATCH];

/// Headers of the owner's answer that the caller gets.
const PASSED: [HeaderName; 6] = [
    CACHE_CONTROL,
    CONTENT_TYPE,
    ETAG,
    LOCATION,
    RETRY_AFTER,
    HeaderName::from_static(X_POSITION),
];

/// Asks other instances.
pub(crate) struct Forwarder {
    client: Option<reqwest::Client>,
}

impl Forwarder {
    /// A client that gives up after `timeout`.
    pub(crate) fn new(timeout: Duration) -> Self {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(1))
            // A 303 is the caller's to follow.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        Self {
            client: client
                .inspect_err(|error| tracing::error!(%error, "no client"))
                .ok(),
        }
    }

    /// The owner's answer to the same request, at least at `least`.
    pub(crate) async fn ask(
        &self,
        (host, port): &(String, u16),
        call: &Call,
        least: Position,
    ) -> Result<Response, Problem> {
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| Problem::internal("no HTTP client"))?;
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = client
            .get(format!("http://{host}:{port}{path}"))
            .header(FORWARDED, "1")
            .header(X_MIN_POSITION, least.to_string())
            .header("traceparent", trace::current().traceparent());
        for name in SENT {
            if let Some(value) = call.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = request
            .send()
            .await
            .map_err(|error| unreachable_owner(&error))?;
        let (status, headers) = (answer.status(), passed(answer.headers()));
        let body = answer
            .bytes()
            .await
            .map_err(|error| unreachable_owner(&error))?;
        Ok((status, headers, Body::from(body)).into_response())
    }
}

fn passed(from: &HeaderMap) -> HeaderMap {
    let kept = PASSED
        .into_iter()
        .filter_map(|name| Some((name.clone(), from.get(name)?.clone())));
    kept.collect()
}

fn unreachable_owner(error: &reqwest::Error) -> Problem {
    Problem::unavailable("the owner of this concert does not answer at the moment")
        .because(error.to_string())
}
