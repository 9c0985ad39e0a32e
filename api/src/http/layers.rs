//! What every request passes: its trace, its span, security headers, metrics, and the panic net.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use tracing::Instrument as _;

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

/// Wraps a request in its trace and span, and its answer in the common headers and metrics.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let context = TraceContext::from_headers(request.headers());
    let trace_id = context.trace_id.clone();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let span = tracing::info_span!("request", %method, path = request.uri().path(), trace_id);
    let started = Instant::now();
    let mut response = trace::scope(context, next.run(request).instrument(span)).await;
    measure(&method, route, &response, started);
    finish(response.headers_mut(), &trace_id);
    response
}

fn finish(headers: &mut HeaderMap, trace_id: &str) {
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(trace_id) {
        headers.insert("x-request-id", value);
    }
}

/// Labels are the route's pattern and never the path: a path would make one series per concert.
fn measure(method: &Method, route: Option<String>, response: &Response, started: Instant) {
    let labels = [
        ("http_request_method", method.as_str().to_owned()),
        ("http_route", route.unwrap_or_else(|| "none".to_owned())),
        (
            "http_response_status_code",
            response.status().as_u16().to_string(),
        ),
    ];
    metrics::histogram!("http_server_request_duration_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
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
