//! The caller, as handlers ask for it.

use axum::extract::{FromRef, FromRequestParts};
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

use super::{Claims, Role};
use crate::app::App;
use crate::problem::{Code, Problem};

/// Longest user id in bytes; it becomes part of keys.
const LONGEST_USER: usize = 255;

/// Whoever sent the request, proven by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// User id.
    pub(crate) user: String,
    /// Known roles.
    pub(crate) roles: Vec<Role>,
}

/// A caller with the role of an organiser or an admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Organiser(pub(crate) Principal);

/// A caller with the role of an admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin(pub(crate) Principal);

impl Principal {
    /// The caller that verified claims speak of.
    pub(crate) fn new(claims: Claims) -> Result<Self, Problem> {
        if claims.sub.is_empty() || claims.sub.len() > LONGEST_USER {
            let detail = "the token's subject is not 1 to 255 bytes long";
            return Err(Problem::new(Code::Unauthenticated, detail));
        }
        let roles = claims
            .roles
            .iter()
            .filter_map(|name| Role::parse(name))
            .collect();
        Ok(Self {
            user: claims.sub,
            roles,
        })
    }

    /// Whether the caller may put concerts on sale.
    pub(crate) fn organises(&self) -> bool {
        self.roles
            .iter()
            .any(|role| matches!(role, Role::Organiser | Role::Admin))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?.to_owned();
        App::from_ref(state).verifier().verify(&token).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Organiser
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        if !principal.organises() {
            return Err(Problem::new(
                Code::Forbidden,
                "this takes the role organiser",
            ));
        }
        Ok(Self(principal))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        if !principal.roles.contains(&Role::Admin) {
            return Err(Problem::new(Code::Forbidden, "this takes the role admin"));
        }
        Ok(Self(principal))
    }
}

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| {
        Problem::new(
            Code::Unauthenticated,
            "send an Authorization header with a bearer token",
        )
    })?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        let detail = "the Authorization header is not \"Bearer\" and a token";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    Ok(token.trim())
}
