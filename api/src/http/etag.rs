//! Entity tags: `If-None-Match` against the version of what is served.

use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};

/// Whether the caller already has the version with this tag. Weak comparison, as RFC 9110 asks
/// for `If-None-Match`.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|candidate| {
        let candidate = candidate.trim();
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    })
}

/// JSON with its tag, or 304 where the caller has it.
pub(crate) fn respond(
    headers: &HeaderMap,
    tag: &str,
    cache: &'static str,
    json: String,
) -> Response {
    let mut answer = if has(headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            json,
        )
            .into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn a_tag_is_found_alone_in_a_list_weak_or_by_a_star() {
        for value in ["\"7\"", "\"6\", \"7\"", "W/\"7\"", "*"] {
            assert!(has(&asked(value), "\"7\""), "{value}");
        }
        for value in ["\"6\"", "7", "\"77\""] {
            assert!(!has(&asked(value), "\"7\""), "{value}");
        }
        assert!(!has(&HeaderMap::new(), "\"7\""));
    }

    #[test]
    fn a_known_version_is_304_without_a_body_but_with_its_tag() {
        let known = respond(&asked("\"7\""), "\"7\"", "no-cache", "{}".into());
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.headers()[ETAG], "\"7\"");
        let fresh = respond(&asked("\"6\""), "\"7\"", "no-cache", "{}".into());
        assert_eq!(fresh.status(), StatusCode::OK);
        assert_eq!(fresh.headers()[CACHE_CONTROL], "no-cache");
    }
}
