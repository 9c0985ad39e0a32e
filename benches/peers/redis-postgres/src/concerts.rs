//! `PUT /v1/concerts/{concert}`: the body of Stagedoor's, with numbered seats only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::halls::{Hall, Plan};
use crate::problem::Problem;

/// 201 where it is new, 200 for the same body again, 409 for another one.
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(concert): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    app.verifier.caller(&headers)?.organiser()?;
    let text = body.to_string();
    let plan: Plan = serde_json::from_value(body)
        .map_err(|error| Problem::new(422, "invalid_request", error.to_string()))?;
    let created = app.ledger.put(&concert, &text, Hall::seats(&plan)).await?;
    if !created {
        let known = app.ledger.plan(&concert).await?;
        if known.is_none_or(|(_, known)| known != text) {
            let detail = "the concert exists with another body";
            return Err(Problem::new(409, "concert_differs", detail));
        }
    }
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(json!({"id": concert, "created": created}))).into_response())
}
