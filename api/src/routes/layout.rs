//! The layout of a concert: immutable, so it may be kept for ever.

use axum::extract::State;
use axum::response::Response;
use stagedoor_state::ReadState;

use crate::app::App;
use crate::bodies::availability::Layout;
use crate::http::etag;
use crate::http::params::Segment;
use crate::problem::Problem;
use crate::queries::{self, Call};
use crate::routes::concerts::{not_found, require_concert_id};
use crate::snapshots;

/// A concert's id is never used for another layout.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Sections, rows and prices.
#[utoipa::path(
    get, path = "/v1/concerts/{concert}/layout", tag = "concerts",
    params(("concert" = String, Path, description = "id of the concert")),
    responses((status = 200, description = "the layout", body = Layout),
              (status = 304, description = "the caller has it"),
              (status = 404, description = "`concert_not_found`"))
)]
pub(crate) async fn layout(
    State(app): State<App>,
    Segment(concert): Segment,
    call: Call,
) -> Result<Response, Problem> {
    require_concert_id(&concert)?;
    let id = concert.clone();
    let read = move |state: &dyn ReadState| snapshots::layout(state, &id);
    queries::answer(&app, &call, &concert, read, |found| {
        let (layout, hash) = found.ok_or_else(|| not_found(&concert))?;
        let json = serde_json::to_string(&layout);
        let json = json.map_err(|error| Problem::internal(error.to_string()))?;
        Ok(etag::respond(&call.headers, &tag(&hash), FOR_EVER, json))
    })
    .await
}

fn tag(hash: &[u8]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
