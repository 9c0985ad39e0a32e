//! `Prefer: respond-async` (RFC 7240): do not wait for the result.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use hyper::HeaderMap;
use hyper::http::request::Parts;

/// Whether the caller wants 202 at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RespondAsync(pub(crate) bool);

impl<S: Sync> FromRequestParts<S> for RespondAsync {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(respond_async(&parts.headers)))
    }
}

fn respond_async(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| {
        let name = preference.split([';', '=']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_preference_is_found_among_others() {
        for (value, expected) in [
            ("respond-async", true),
            ("Respond-Async, wait=10", true),
            ("wait=10, respond-async; x=y", true),
            ("wait=10", false),
            ("not-respond-async", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            assert_eq!(respond_async(&headers), expected, "{value}");
        }
    }
}
