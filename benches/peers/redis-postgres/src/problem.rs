//! RFC 9457 problems, with the codes and fields that Stagedoor has.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal or failure.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    code: &'static str,
    detail: String,
    taken: Option<Vec<String>>,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            taken: None,
        }
    }

    /// 409 with the labels of the seats that somebody else has.
    pub(crate) fn seat_taken(taken: Vec<String>) -> Self {
        let detail = format!("taken already: {}; nothing was held", taken.join(", "));
        Self {
            taken: Some(taken),
            ..Self::new(409, "seat_taken", detail)
        }
    }

    /// A server behind this one failed: the caller may try again with the same key.
    pub(crate) fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            503,
            "unavailable",
            "try again with the same Idempotency-Key",
        )
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        static REQUESTS: AtomicU64 = AtomicU64::new(0);
        let trace_id = format!("{:032x}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        let mut body = json!({
            "type": format!("urn:stagedoor:problem:{}", self.code),
            "title": self.code.replace('_', " "),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.status == 503 || self.code == "in_flight",
            "trace_id": trace_id,
        });
        if let Some(taken) = self.taken {
            body["taken"] = taken.into();
            body["alternatives"] = json!([]);
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Ok(value) = HeaderValue::from_str(&trace_id) {
            headers.insert(HeaderName::from_static("x-request-id"), value);
        }
        response
    }
}
