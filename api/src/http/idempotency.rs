//! The `Idempotency-Key` header: a structured-field string, or the same text without its quotes.

use axum::extract::FromRequestParts;
use hyper::HeaderMap;
use hyper::http::request::Parts;

use crate::problem::{Code, Problem};

/// Name of the header.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest key, in characters.
const LONGEST: usize = 255;

/// The key of a command that must have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) String);

/// The key of a command that may have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionalKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(&parts.headers)?.map(Self).ok_or_else(|| {
            let detail = "send an Idempotency-Key header of 1 to 255 characters, \
                          and the same one whenever you repeat this request";
            Problem::new(Code::IdempotencyKeyMissing, detail)
        })
    }
}

impl<S: Sync> FromRequestParts<S> for OptionalKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

/// The key of a request. Two headers are a malformed one, since neither can be preferred.
fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = match (value.to_str(), values.next()) {
        (Ok(text), None) => parse(text),
        _ => None,
    };
    key.map(Some).ok_or_else(|| {
        Problem::malformed("the Idempotency-Key is not one string of 1 to 255 visible characters")
            .error(
                "Idempotency-Key",
                "1 to 255 visible ASCII characters, quotes optional",
            )
    })
}

fn parse(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest)?,
        None => text.to_owned(),
    };
    let visible = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    (visible && (1..=LONGEST).contains(&key.len())).then_some(key)
}

/// The rest of an RFC 9651 string after its opening quote. Parameters after it are allowed by the
/// RFC and mean nothing here, so they are refused rather than ignored.
fn unquote(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(
                characters
                    .next()
                    .filter(|next| matches!(next, '"' | '\\'))?,
            ),
            other => key.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn quotes_are_optional_and_not_part_of_the_key() {
        assert_eq!(parse("abc-1").as_deref(), Some("abc-1"));
        assert_eq!(parse("\"abc-1\"").as_deref(), Some("abc-1"));
        assert_eq!(parse(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(parse(" spaced ").as_deref(), Some("spaced"));
    }

    #[test]
    fn a_key_has_1_to_255_visible_characters() {
        let longest = "k".repeat(255);
        assert_eq!(parse(&longest), Some(longest.clone()));
        for bad in [
            "",
            "\"\"",
            &"k".repeat(256),
            "a\u{7f}",
            "tab\tinside",
            "\"open",
            "\"a\";b",
            r#""\n""#,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn two_keys_are_a_malformed_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers).unwrap(), None);
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("one"));
        assert_eq!(read(&headers).unwrap().as_deref(), Some("one"));
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("two"));
        assert_eq!(read(&headers).unwrap_err().code(), Code::InvalidRequest);
    }
}
