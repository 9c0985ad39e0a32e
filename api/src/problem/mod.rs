//! RFC 9457 problems: the one shape of every answer that is not a success.

mod code;

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value, json};

pub(crate) use code::Code;

use crate::http::trace;

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// One refusal or failure. It has a public side, and an internal cause that is only logged.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    cause: Option<String>,
    retry_after: Option<Duration>,
    fields: Map<String, Value>,
}

impl Problem {
    /// A problem with the code's own status.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.facts().status,
            detail: detail.into(),
            cause: None,
            retry_after: None,
            fields: Map::new(),
        }
    }

    /// A request that cannot be read at all: 400, where a readable but wrong one is 422.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::InvalidRequest, detail);
        problem.status = StatusCode::BAD_REQUEST;
        problem
    }

    /// A readable request with one wrong field.
    pub(crate) fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Code::InvalidRequest, format!("{field}: {detail}")).error(field, &detail)
    }

    /// A fault of ours: callers learn nothing of `cause`, the log does.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "the request failed through no fault of yours; it is logged by its trace id";
        Self::new(Code::Internal, detail).because(cause)
    }

    /// The owner of what was asked for cannot answer at this moment.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, detail).retry_after(Duration::from_secs(1))
    }

    /// Adds the internal cause.
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds `Retry-After`, in whole seconds rounded up and at least one.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a field of the code's own.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds one entry of `errors`: which field is wrong, and how.
    pub(crate) fn error(mut self, field: &str, detail: &str) -> Self {
        let errors = self
            .fields
            .entry("errors")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(errors) = errors {
            errors.push(json!({ "field": field, "detail": detail }));
        }
        self
    }

    /// The code.
    #[cfg(test)]
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    fn body(&self, trace_id: &str) -> String {
        let body = Body {
            problem: self,
            trace_id,
        };
        // Nothing in it can fail: its keys are text, and it is written to memory.
        serde_json::to_string(&body).unwrap_or_default()
    }

    fn log(&self, trace_id: &str) {
        let (code, detail) = (self.code.facts().name, self.detail.as_str());
        match &self.cause {
            Some(cause) if self.status.is_server_error() => {
                tracing::error!(trace_id, code, detail, cause, "request failed");
            }
            Some(cause) => tracing::debug!(trace_id, code, detail, cause, "request refused"),
            None => tracing::debug!(trace_id, code, detail, "request refused"),
        }
    }
}

/// The members of a problem. Refusals are most answers of a stampede: they are written as they are.
struct Body<'a> {
    problem: &'a Problem,
    trace_id: &'a str,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (problem, facts) = (self.problem, self.problem.code.facts());
        let mut body = serializer.serialize_map(None)?;
        let kind = format_args!("urn:stagedoor:problem:{}", facts.name);
        body.serialize_entry("type", &kind)?;
        body.serialize_entry("title", facts.title)?;
        body.serialize_entry("status", &problem.status.as_u16())?;
        body.serialize_entry("detail", &problem.detail)?;
        body.serialize_entry("code", facts.name)?;
        body.serialize_entry("retryable", &facts.retryable)?;
        body.serialize_entry("trace_id", self.trace_id)?;
        for (name, value) in &problem.fields {
            body.serialize_entry(name, value)?;
        }
        body.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let context = trace::current();
        self.log(context.trace_id());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (self.status, headers, self.body(context.trace_id())).into_response()
    }
}

/// Seconds rounded up, at least one: a client that waits less would only come back too early.
fn whole_seconds(after: Duration) -> u64 {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    seconds.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_rfc_and_its_own() {
        let problem = Problem::new(Code::SeatTaken, "A-1-1 is taken").with("taken", vec!["A-1-1"]);
        let body: Value = serde_json::from_str(&problem.body("abc")).expect("JSON");
        assert_eq!(
            body,
            json!({
                "type": "urn:stagedoor:problem:seat_taken", "title": "A seat is taken",
                "status": 409, "detail": "A-1-1 is taken", "code": "seat_taken",
                "retryable": false, "trace_id": "abc", "taken": ["A-1-1"]
            })
        );
    }

    #[test]
    fn an_internal_cause_is_never_shown() {
        let body = Problem::internal("disk 7 is on fire").body("abc");
        assert!(!body.contains("disk"));
    }

    #[test]
    fn retry_after_is_whole_seconds_and_never_zero() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(7)), 7);
    }

    #[test]
    fn an_unauthenticated_answer_names_its_scheme() {
        let response = Problem::new(Code::Unauthenticated, "no token").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
    }
}
