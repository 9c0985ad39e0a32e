//! Requests of a mix as HTTP. What repeats is made once: only the key and the body of a request are
//! new.

use std::fmt::Write as _;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};

use super::plan::Plan;
use super::{LoadError, Target, tokens};
use crate::mix::{Mix, Wish, user_name};

/// Header of a command's id.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Media type of every body.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Makes requests.
pub(super) struct Requests {
    mix: Mix,
    paths: Vec<Uri>,
    host: HeaderValue,
    authorizations: Vec<HeaderValue>,
}

impl Requests {
    pub(super) fn new(plan: &Plan, target: &Target) -> Result<Self, LoadError> {
        let failed = |error: hyper::http::Error| LoadError::Generator(error.to_string());
        let path = |concert: &String| {
            Uri::builder()
                .path_and_query(format!("/v1/concerts/{concert}/reservations"))
                .build()
        };
        let paths = plan.mix.concerts().iter().map(path);
        let authorizations = (0..plan.mix.users())
            .map(|user| tokens::authorization(&plan.auth_secret, &user_name(user), "fan"));
        Ok(Self {
            mix: plan.mix.clone(),
            paths: paths.collect::<Result<_, _>>().map_err(failed)?,
            host: host(target)?,
            authorizations: authorizations.collect::<Result<_, _>>()?,
        })
    }

    /// The `index`-th request of the mix.
    pub(super) fn make(&self, index: u64) -> Request<Full<Bytes>> {
        let wanted = self.mix.request(index);
        let user = usize::try_from(wanted.user).unwrap_or_default();
        let mut request = Request::new(Full::new(Bytes::from(body(wanted.wish))));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.paths[wanted.concert].clone();
        let headers = request.headers_mut();
        headers.reserve(6);
        headers.insert(HOST, self.host.clone());
        headers.insert(AUTHORIZATION, self.authorizations[user].clone());
        headers.insert(CONTENT_TYPE, JSON);
        if let Ok(key) = HeaderValue::from_maybe_shared(Bytes::from(self.mix.command_id(index))) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        request
    }
}

/// The `Host` of a target.
pub(super) fn host(target: &Target) -> Result<HeaderValue, LoadError> {
    HeaderValue::from_str(target.authority.as_str())
        .map_err(|error| LoadError::Generator(error.to_string()))
}

fn body(wish: Wish) -> String {
    let Wish::Seats {
        section,
        row,
        first,
        quantity,
    } = wish
    else {
        return r#"{"general":{"section":"GA","quantity":1}}"#.to_owned();
    };
    let mut body = String::with_capacity(72);
    body.push_str(r#"{"seats":["#);
    for number in first..first + quantity {
        let comma = if number == first { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(body, r#"{comma}"S{section}-{row}-{number}""#);
    }
    body.push_str("]}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_what_the_service_documents() {
        let seats = Wish::Seats {
            section: 7,
            row: 3,
            first: 19,
            quantity: 2,
        };
        assert_eq!(body(seats), r#"{"seats":["S7-3-19","S7-3-20"]}"#);
        let place: serde_json::Value = serde_json::from_str(&body(Wish::Place)).unwrap();
        assert_eq!(place["general"]["quantity"], 1);
    }
}
