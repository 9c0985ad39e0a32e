//! Who calls: the subject of an HS256 bearer token, verified as Stagedoor does.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::problem::Problem;

/// The secret, ready for use.
pub(crate) struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
}

/// Who calls.
pub(crate) struct Caller {
    /// User id.
    pub(crate) user: String,
    roles: Vec<String>,
}

impl Verifier {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 5;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            key: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// The caller, or 401.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| Problem::new(401, "unauthenticated", "send a bearer token"))?;
        let claims = decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|_| Problem::new(401, "unauthenticated", "the token is not valid"))?
            .claims;
        Ok(Caller {
            user: claims.sub,
            roles: claims.roles,
        })
    }
}

impl Caller {
    /// Refuses everybody who may not put concerts on sale.
    pub(crate) fn organiser(&self) -> Result<(), Problem> {
        let allowed = self.roles.iter().any(|role| role == "organiser");
        let refusal = || Problem::new(403, "forbidden", "only an organiser may do this");
        allowed.then_some(()).ok_or_else(refusal)
    }
}
