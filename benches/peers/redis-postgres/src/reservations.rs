//! `POST /v1/concerts/{concert}/reservations`: mark in Redis, hold in PostgreSQL, unmark what was
//! not held.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stagedoor_processors::id::{Hash, Id, scoped_hash};

use crate::app::App;
use crate::halls::{Hall, Wanted};
use crate::ledger::{Held, Hold, NotHeld};
use crate::marks::Marked;
use crate::problem::Problem;

/// Most seats of one hold.
const MOST_SEATS: usize = 10;

/// What a fan asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldBody {
    seats: Vec<String>,
}

/// What a fan has.
#[derive(Debug, Serialize)]
struct ReservationBody<'a> {
    id: &'a str,
    concert: &'a str,
    user: &'a str,
    state: &'static str,
    seats: &'a [String],
    amount_minor: i64,
    currency: &'a str,
    expires_at: jiff::Timestamp,
}

/// One request on its way.
struct Request<'a> {
    user: &'a str,
    key: &'a str,
    labels: &'a [String],
    hash: Hash,
    body_hash: Hash,
}

/// Holds chosen seats, all or none.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Path(concert): Path<String>,
    headers: HeaderMap,
    body: Result<Json<HoldBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = app.verifier.caller(&headers)?;
    let key = idempotency_key(&headers)?;
    let Json(HoldBody { seats }) =
        body.map_err(|error| Problem::new(422, "invalid_request", error.body_text()))?;
    if !(1..=MOST_SEATS).contains(&seats.len()) {
        let detail = format!("seats: must be 1 to {MOST_SEATS} seats");
        return Err(Problem::new(422, "invalid_request", detail));
    }
    let hall = app.halls.get(&concert, &app.ledger).await?;
    hall.on_sale()?;
    let wanted = hall.wanted(&seats)?;
    let request = Request {
        user: &caller.user,
        key,
        labels: &seats,
        // Of the concert too: the same key may be used at another one.
        hash: scoped_hash(&concert, &format!("{}\u{0}{key}", caller.user)),
        body_hash: body_hash(&seats),
    };
    let held = hold(&app, &hall, &request, &wanted).await?;
    Ok(answer(&concert, &hall, &request, &held))
}

async fn hold(
    app: &App,
    hall: &Hall,
    request: &Request<'_>,
    wanted: &Wanted,
) -> Result<Held, Problem> {
    let marked = app
        .marks
        .mark(hall, &wanted.seats, &request.hash, &request.body_hash)
        .await
        .map_err(|error| Problem::unavailable(&error))?;
    match marked {
        // A repeated request finds its reservation by the same call that would make it.
        Marked::All | Marked::Repeated => {}
        Marked::Taken(places) => {
            let labels = places.iter().filter_map(|place| request.labels.get(*place));
            return Err(Problem::seat_taken(labels.cloned().collect()));
        }
        Marked::Mismatch => return Err(mismatch()),
    }
    let outcome = app.ledger.hold(&hold_of(hall, request, wanted)).await;
    let problem = match outcome {
        Ok(held) if held.body_hash == request.body_hash => return Ok(held),
        Ok(_) => mismatch(),
        Err(NotHeld::Limit) => limit_reached(hall),
        // Only where Redis has lost its marks; the database does not tell which seat it is.
        Err(NotHeld::Taken) => Problem::seat_taken(request.labels.to_vec()),
        // It may have happened: the marks stay until they lapse by themselves.
        Err(NotHeld::Unknown(problem)) => return Err(problem),
    };
    if let Err(error) = app.marks.release(hall, &wanted.seats, &request.hash).await {
        tracing::error!(%error, "marks stay until they lapse");
    }
    Err(problem)
}

fn hold_of<'a>(hall: &Hall, request: &'a Request<'_>, wanted: &'a Wanted) -> Hold<'a> {
    Hold {
        id: request.hash,
        concert: hall.number,
        user: request.user,
        key: request.key,
        body_hash: &request.body_hash,
        seats: &wanted.seats,
        labels: request.labels,
        amount_minor: wanted.amount_minor,
        limit: hall.plan.max_seats_per_user,
        hold_seconds: hall.plan.hold_seconds,
    }
}

fn limit_reached(hall: &Hall) -> Problem {
    let limit = hall.plan.max_seats_per_user;
    let detail = format!("one user may have {limit} seats of this concert");
    Problem::new(409, "limit_reached", detail)
}

fn mismatch() -> Problem {
    let detail = "the Idempotency-Key was used for another request";
    Problem::new(422, "idempotency_mismatch", detail)
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get("idempotency-key");
    let key = value.and_then(|value| value.to_str().ok());
    let key = key.map(|key| key.trim_matches('"'));
    key.filter(|key| (1..=255).contains(&key.len()))
        .ok_or_else(|| {
            let detail = "send an Idempotency-Key header of 1 to 255 characters";
            Problem::new(400, "idempotency_key_missing", detail)
        })
}

fn body_hash(seats: &[String]) -> Hash {
    let mut digest = Sha256::new();
    for seat in seats {
        digest.update(seat.as_bytes());
        digest.update([0]);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&digest.finalize()[..16]);
    hash
}

fn answer(concert: &str, hall: &Hall, request: &Request<'_>, held: &Held) -> Response {
    let id = Id::reservation(concert, request.hash).to_string();
    let body = ReservationBody {
        id: &id,
        concert,
        user: request.user,
        state: "PENDING",
        seats: request.labels,
        amount_minor: held.amount_minor,
        currency: &hall.plan.currency,
        expires_at: held.expires_at,
    };
    let location = [(LOCATION, format!("/v1/reservations/{id}"))];
    (StatusCode::CREATED, location, Json(body)).into_response()
}
