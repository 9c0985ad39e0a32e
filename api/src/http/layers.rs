//! What every request passes: its trace, its span, security headers, metrics, and the panic net.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::HeaderMap;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use tracing::Instrument as _;

use crate::http::durations;
use crate::http::trace::{self, TraceContext};
use crate::problem::Problem;

/// Headers that every answer has unless its route says otherwise.
const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    ),
    (
        HeaderName::from_static("x-frame-options"),
        HeaderValue::from_static("DENY"),
    ),
    (
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request in its trace and span, and its answer in the common headers and metrics.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let context = TraceContext::from_headers(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // Failures log their trace id themselves; a span that is made costs as much as parsing the head.
    let (path, trace_id) = (request.uri().path(), context.trace_id());
    let span = tracing::debug_span!("request", %method, path, trace_id);
    let started = Instant::now();
    let mut response = trace::scope(context, next.run(request).instrument(span)).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    durations::record(&method, route, response.status(), started.elapsed());
    finish(response.headers_mut(), &context);
    response
}

fn finish(headers: &mut HeaderMap, context: &TraceContext) {
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(context.trace_id()) {
        headers.insert(X_REQUEST_ID, value);
    }
}

/// Turns a handler's panic into a 500, so that one request cannot take its connection along.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is tower-http's"
)]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    Problem::internal(message.unwrap_or_else(|| "a handler panicked".to_owned())).into_response()
}
