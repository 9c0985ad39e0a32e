//! The seats of a concert as they are now, with the version as entity tag.

use axum::extract::State;
use axum::response::Response;
use stagedoor_state::ReadState;

use crate::app::App;
use crate::bodies::availability::SeatMapBody;
use crate::http::etag;
use crate::http::params::Segment;
use crate::problem::Problem;
use crate::queries::{self, Call};
use crate::routes::concerts::{not_found, require_concert_id};
use crate::snapshots;

/// May be kept, and must be asked about each time.
const ASK_EACH_TIME: &str = "no-cache";

/// Every seat: one digit each, row after row.
#[utoipa::path(
    get, path = "/v1/concerts/{concert}/seats", tag = "concerts",
    params(("concert" = String, Path, description = "id of the concert"),
           ("If-None-Match" = Option<String>, Header, description = "an earlier ETag"),
           ("X-Min-Position" = Option<String>, Header, description = "an earlier X-Position")),
    responses((status = 200, description = "the seats", body = SeatMapBody),
              (status = 304, description = "nothing has changed"),
              (status = 404, description = "`concert_not_found`"))
)]
pub(crate) async fn seats(
    State(app): State<App>,
    Segment(concert): Segment,
    call: Call,
) -> Result<Response, Problem> {
    require_concert_id(&concert)?;
    let id = concert.clone();
    let read = move |state: &dyn ReadState| snapshots::seats(state, &id);
    queries::answer(&app, &call, &concert, read, |found| {
        let map = found.ok_or_else(|| not_found(&concert))?;
        let json = serde_json::to_string(&map);
        let json = json.map_err(|error| Problem::internal(error.to_string()))?;
        Ok(etag::respond(
            &call.headers,
            &format!("\"{}\"", map.version),
            ASK_EACH_TIME,
            json,
        ))
    })
    .await
}
