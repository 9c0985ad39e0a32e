//! Concerts: put on sale, listed, shown.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hyper::Uri;
use hyper::header::LINK;
use stagedoor_processors::concert::records::{CommandResult, ConcertListing};
use stagedoor_state::ReadState;
use stagedoor_topology::GlobalTableReader;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Organiser;
use crate::bodies::availability::ConcertDetail;
use crate::bodies::concert::{ConcertBody, is_concert_id};
use crate::bodies::listing::{ConcertPage, ListQuery, PageBuilder};
use crate::bodies::time::now_ms;
use crate::commands::{Envelope, Outcome, submit};
use crate::http::body::JsonBody;
use crate::http::idempotency::OptionalKey;
use crate::http::params::{Parameters, Segment};
use crate::http::prefer::RespondAsync;
use crate::problem::{Code, Problem};
use crate::queries::{self, Call};
use crate::routes::header;
use crate::routes::outcome::{self, Accepted, ConcertPut};
use crate::snapshots;

/// Put a concert on sale. The same body again changes nothing.
#[utoipa::path(
    put, path = "/v1/concerts/{concert}", tag = "concerts",
    params(("concert" = String, Path, description = "`[a-z0-9][a-z0-9._-]{0,63}`"),
           ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    request_body = ConcertBody,
    responses((status = 201, description = "made", body = ConcertPut),
              (status = 200, description = "there already, with the same body", body = ConcertPut),
              (status = 202, description = "not decided yet", body = Accepted),
              (status = 409, description = "`concert_differs`, `in_flight`"),
              (status = 422, description = "`invalid_request`, `idempotency_mismatch`")),
    security(("bearer" = []))
)]
pub(crate) async fn put(
    State(app): State<App>,
    Segment(concert): Segment,
    Organiser(organiser): Organiser,
    OptionalKey(key): OptionalKey,
    RespondAsync(respond_async): RespondAsync,
    JsonBody(body): JsonBody<ConcertBody>,
) -> Result<Response, Problem> {
    if !is_concert_id(&concert) {
        return Err(Problem::invalid_field(
            "concert",
            "must be [a-z0-9][a-z0-9._-]{0,63}",
        ));
    }
    // Path and body say enough: without a key every request is a command of its own.
    let command_id = key.unwrap_or_else(|| Uuid::now_v7().to_string());
    let command = body.into_command(organiser.user.clone(), command_id.clone(), app.settings())?;
    let envelope = Envelope {
        concert: &concert,
        user: &organiser.user,
        command_id: &command_id,
        respond_async,
    };
    let outcome = submit(&app, envelope, &command).await?;
    if let Outcome::Decided(result, _) = &outcome {
        await_listing(&app, result).await;
    }
    outcome::respond(outcome, envelope.respond_async, outcome::concert)
}

/// How long a new concert may take into this instance's catalogue.
const LISTING_PATIENCE: Duration = Duration::from_secs(1);

/// Whoever has just put a concert on sale finds it in the list. The catalogue follows its topic
/// by itself and is no part of the commit, hence the wait; it is short and its end is no failure.
async fn await_listing(app: &App, result: &CommandResult) {
    if result.concert_created != Some(true) {
        return;
    }
    let Some(catalogue) = app.runtime().ok().and_then(|runtime| runtime.catalogue()) else {
        return;
    };
    let listed = async {
        while catalogue.get(result.concert.as_bytes()).is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(LISTING_PATIENCE, listed)
        .await
        .is_err()
    {
        tracing::debug!(concert = result.concert, "not in the catalogue yet");
    }
}

/// Concerts, filtered and paged.
#[utoipa::path(
    get, path = "/v1/concerts", tag = "concerts", params(ListQuery),
    responses((status = 200, description = "a page", body = ConcertPage))
)]
pub(crate) async fn list(
    State(app): State<App>,
    uri: Uri,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let catalogue = app
        .runtime()?
        .catalogue()
        .filter(|table| table.is_caught_up());
    let catalogue = catalogue.ok_or_else(|| Problem::unavailable("the catalogue is being read"))?;
    let page = tokio::task::spawn_blocking(move || page(&catalogue, &query)).await;
    let page = page.map_err(|error| Problem::internal(error.to_string()))??;
    let link = page.next.as_deref().and_then(|next| next_link(&uri, next));
    let mut response = Json(page).into_response();
    if let Some(link) = link.as_deref().and_then(header) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

fn page(catalogue: &Arc<GlobalTableReader>, query: &ListQuery) -> Result<ConcertPage, Problem> {
    let after = query.after.as_ref().map_or(Bound::Unbounded, |id| {
        Bound::Excluded(id.as_bytes().to_vec())
    });
    let mut page = PageBuilder::new(query, now_ms());
    catalogue.read(|rows| {
        for (key, value) in rows.range((after, Bound::Unbounded)) {
            // A row that cannot be read would hide every concert behind it; it is passed over.
            let Ok(listing) = stagedoor_avro::decode::<ConcertListing>(value) else {
                continue;
            };
            let Ok(id) = std::str::from_utf8(key) else {
                continue;
            };
            if !page.offer(id, listing) {
                break;
            }
        }
    });
    Ok(page.finish())
}

/// The same query from the next item on.
fn next_link(uri: &Uri, next: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let kept = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    // Ids of concerts need no escaping in a query.
    let pairs: Vec<String> = kept
        .map(str::to_owned)
        .chain([format!("after={next}")])
        .collect();
    is_concert_id(next).then(|| format!("<{}?{}>; rel=\"next\"", uri.path(), pairs.join("&")))
}

/// A concert with what is free in every section.
#[utoipa::path(
    get, path = "/v1/concerts/{concert}", tag = "concerts",
    params(("concert" = String, Path, description = "id of the concert"),
           ("X-Min-Position" = Option<String>, Header, description = "an earlier X-Position")),
    responses((status = 200, description = "the concert", body = ConcertDetail),
              (status = 404, description = "`concert_not_found`"))
)]
pub(crate) async fn detail(
    State(app): State<App>,
    Segment(concert): Segment,
    call: Call,
) -> Result<Response, Problem> {
    require_concert_id(&concert)?;
    let id = concert.clone();
    let read = move |state: &dyn ReadState| snapshots::detail(state, &id, now_ms());
    queries::answer(&app, &call, &concert, read, |found| {
        found
            .map(|detail| Json(detail).into_response())
            .ok_or_else(|| not_found(&concert))
    })
    .await
}

/// What cannot be a concert's id is none.
pub(crate) fn require_concert_id(concert: &str) -> Result<(), Problem> {
    if is_concert_id(concert) {
        Ok(())
    } else {
        Err(not_found(concert))
    }
}

/// 404 for a concert.
pub(crate) fn not_found(concert: &str) -> Problem {
    Problem::new(
        Code::ConcertNotFound,
        format!("there is no concert {concert:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filters() {
        let link = |uri: &str| next_link(&uri.parse().unwrap(), "c2").unwrap();
        assert_eq!(
            link("/v1/concerts"),
            "</v1/concerts?after=c2>; rel=\"next\""
        );
        assert_eq!(
            link("/v1/concerts?q=a%20b&after=c1&limit=2"),
            "</v1/concerts?q=a%20b&limit=2&after=c2>; rel=\"next\""
        );
    }
}
