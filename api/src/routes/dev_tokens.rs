//! Tokens for the asking, in `stagedoor dev` only.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Role, Verifier};
use crate::http::body::JsonBody;
use crate::problem::Problem;

/// How long such a token holds.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);

/// Whom a token is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// User id.
    user: String,
    /// `fan`, `organiser`, `admin`.
    #[serde(default)]
    roles: Vec<String>,
}

/// The token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// To be sent as `Authorization: Bearer`.
    token: String,
}

/// A token for anybody.
#[utoipa::path(
    post, path = "/v1/dev/tokens", tag = "dev", request_body = TokenRequest,
    responses((status = 200, description = "the token", body = TokenAnswer))
)]
pub(crate) async fn issue(
    State(app): State<App>,
    JsonBody(request): JsonBody<TokenRequest>,
) -> Result<Json<TokenAnswer>, Problem> {
    if request.user.is_empty() || request.user.len() > 255 {
        return Err(Problem::invalid_field("user", "1 to 255 bytes"));
    }
    let known = |name: &String| {
        Role::parse(name).ok_or_else(|| Problem::invalid_field("roles", "fan, organiser or admin"))
    };
    let roles = request
        .roles
        .iter()
        .map(known)
        .collect::<Result<Vec<_>, _>>()?;
    let Verifier::Shared(shared) = app.verifier() else {
        return Err(Problem::internal(
            "tokens of a provider cannot be made here",
        ));
    };
    let token = shared.issue(&request.user, &roles, VALID);
    let token = token.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(TokenAnswer { token }))
}
