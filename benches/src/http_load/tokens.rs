//! Bearer tokens, made up front: signing one costs as much as sending a request.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use super::LoadError;

/// How long tokens hold.
const VALID_SECONDS: u64 = 24 * 60 * 60;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    roles: [&'a str; 1],
    exp: u64,
}

/// The `Authorization` of a user in a role.
pub(super) fn authorization(
    secret: &[u8],
    user: &str,
    role: &str,
) -> Result<HeaderValue, LoadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let claims = Claims {
        sub: user,
        roles: [role],
        exp: now.unwrap_or_default().as_secs() + VALID_SECONDS,
    };
    let key = EncodingKey::from_secret(secret);
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| LoadError::Generator(error.to_string()))?;
    HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|error| LoadError::Generator(error.to_string()))
}
