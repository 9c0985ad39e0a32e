//! JSON bodies: bounded in size and time, refused with the field that is wrong.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, body::Bytes};
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// Largest body. The largest valid one is a concert of 1,000 sections, about 300 KB.
pub(crate) const LARGEST: usize = 512 * 1024;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = collect(request).await?;
        parse(&bytes).map(Self)
    }
}

/// Content types that are read as JSON besides `…+json`: the second is what `curl -d` says of every
/// body.
const TAKEN: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

/// A body without a content type is taken as JSON; one that says to be something else is refused.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let suffixed = essence.starts_with("application/") && essence.ends_with("+json");
    if suffixed || TAKEN.contains(&essence.as_str()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "send the body as application/json",
    ))
}

async fn collect(request: Request) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), LARGEST);
    match tokio::time::timeout(ARRIVAL, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
            Code::BodyTooLarge,
            format!("a body has at most {LARGEST} bytes"),
        )),
        Ok(Err(error)) => Err(Problem::malformed("the body broke off").because(error.to_string())),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

/// Bytes that are no JSON are 400; JSON of another shape is 422 and names the field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Keeping track of the path costs as much as reading: it is done for what is wrong.
    serde_json::from_slice(bytes).or_else(|_| parse_with_path(bytes))
}

fn parse_with_path<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::invalid_field(&field, inner.to_string()),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => {
                Problem::malformed(format!("the body is not JSON: {inner}"))
            }
        }
    })?;
    reader
        .end()
        .map_err(|error| Problem::malformed(format!("the body is not one JSON value: {error}")))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse as _;
    use hyper::StatusCode;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    struct Line {
        count: u8,
    }

    async fn read(body: impl Into<Body>) -> Result<Order, Problem> {
        JsonBody::from_request(Request::new(body.into()), &())
            .await
            .map(|JsonBody(order)| order)
    }

    #[tokio::test]
    async fn a_wrong_field_is_named_by_its_path() {
        assert_eq!(
            read(r#"{"lines":[{"count":1}]}"#).await.unwrap().lines[0].count,
            1
        );
        let problem = read(r#"{"lines":[{"count":1},{"count":"x"}]}"#)
            .await
            .unwrap_err();
        assert!(
            format!("{problem:?}").contains("lines[1].count"),
            "{problem:?}"
        );
        assert_eq!(
            problem.into_response().status(),
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }

    #[tokio::test]
    async fn what_is_no_json_is_a_malformed_request() {
        for body in ["", "{", "nonsense", r#"{"lines":[]} more"#] {
            let problem = read(body).await.unwrap_err();
            assert_eq!(
                problem.into_response().status(),
                StatusCode::BAD_REQUEST,
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn a_body_of_two_megabytes_is_refused_unread() {
        let problem = read("x".repeat(2_000_000)).await.unwrap_err();
        assert_eq!(problem.code(), Code::BodyTooLarge);
    }

    #[tokio::test]
    async fn another_content_type_is_refused() {
        let mut request = Request::new(Body::from(r#"{"lines":[]}"#));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, "text/plain".parse().unwrap());
        let problem = JsonBody::<Order>::from_request(request, &())
            .await
            .unwrap_err();
        assert_eq!(problem.code(), Code::UnsupportedMediaType);
    }
}
