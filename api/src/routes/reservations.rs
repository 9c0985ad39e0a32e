//! Reservations: made, read and released by their owners.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use stagedoor_processors::concert::queries as concert;
use stagedoor_processors::concert::records::ReleaseHold;
use stagedoor_processors::id::{Id, IdKind};
use stagedoor_state::ReadState;

use crate::app::App;
use crate::auth::Principal;
use crate::bodies::reservation::{HoldBody, ReservationBody};
use crate::commands::{Envelope, submit};
use crate::http::body::JsonBody;
use crate::http::idempotency::IdempotencyKey;
use crate::http::params::Segment;
use crate::http::prefer::RespondAsync;
use crate::problem::{Code, Problem};
use crate::queries::{self, Call};
use crate::routes::concerts::require_concert_id;
use crate::routes::outcome::{self, Accepted};

/// Hold seats.
#[utoipa::path(
    post, path = "/v1/concerts/{concert}/reservations", tag = "reservations",
    params(("concert" = String, Path, description = "id of the concert"),
           ("Idempotency-Key" = String, Header, description = "1 to 255 characters")),
    request_body = HoldBody,
    responses((status = 201, description = "held", body = ReservationBody),
              (status = 202, description = "not decided yet", body = Accepted),
              (status = 400, description = "`idempotency_key_missing`, `invalid_request`"),
              (status = 404, description = "`concert_not_found`"),
              (status = 409, description = "`seat_taken`, `not_enough_seats`, `limit_reached`, \
                  `sale_not_open`, `sale_closed`, `in_flight`, `command_expired`"),
              (status = 422, description = "`unknown_seat`, `invalid_request`, \
                  `idempotency_mismatch`"),
              (status = 503, description = "`too_busy`, `unavailable`")),
    security(("bearer" = []))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Segment(concert): Segment,
    principal: Principal,
    IdempotencyKey(key): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
    JsonBody(body): JsonBody<HoldBody>,
) -> Result<Response, Problem> {
    require_concert_id(&concert)?;
    let command = body.into_command(principal.user.clone(), key.clone())?;
    let envelope = Envelope {
        concert: &concert,
        user: &principal.user,
        command_id: &key,
        respond_async,
    };
    let outcome = submit(&app, envelope, &command).await?;
    outcome::respond(outcome, envelope.respond_async, outcome::held)
}

/// A reservation of the caller.
#[utoipa::path(
    get, path = "/v1/reservations/{id}", tag = "reservations",
    params(("id" = String, Path, description = "id of the reservation"),
           ("X-Min-Position" = Option<String>, Header, description = "an earlier X-Position")),
    responses((status = 200, description = "the reservation", body = ReservationBody),
              (status = 403, description = "`not_owner`"),
              (status = 404, description = "`hold_not_found`")),
    security(("bearer" = []))
)]
pub(crate) async fn read(
    State(app): State<App>,
    Segment(id): Segment,
    principal: Principal,
    call: Call,
) -> Result<Response, Problem> {
    let id = parse(&id)?;
    let (of, hash) = (id.partition_key.clone(), id.hash);
    let read = move |state: &dyn ReadState| concert::reservation(state, &of, &hash);
    queries::answer(&app, &call, &id.partition_key, read, |found| {
        let view = found.ok_or_else(not_found)?;
        if view.user != principal.user {
            return Err(Problem::new(
                Code::NotOwner,
                "the reservation belongs to somebody else",
            ));
        }
        Ok(Json(ReservationBody::from(view)).into_response())
    })
    .await
}

/// Give a hold back.
#[utoipa::path(
    delete, path = "/v1/reservations/{id}", tag = "reservations",
    params(("id" = String, Path, description = "id of the reservation"),
           ("Idempotency-Key" = String, Header, description = "1 to 255 characters")),
    responses((status = 200, description = "released", body = ReservationBody),
              (status = 202, description = "not decided yet", body = Accepted),
              (status = 403, description = "`not_owner`"),
              (status = 404, description = "`hold_not_found`"),
              (status = 409, description = "`hold_expired`, `wrong_state`")),
    security(("bearer" = []))
)]
pub(crate) async fn release(
    State(app): State<App>,
    Segment(id): Segment,
    principal: Principal,
    IdempotencyKey(key): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
) -> Result<Response, Problem> {
    let id = parse(&id)?;
    let command = ReleaseHold {
        user: principal.user.clone(),
        command_id: key.clone(),
        reservation: id.to_string(),
    };
    let envelope = Envelope {
        concert: &id.partition_key,
        user: &principal.user,
        command_id: &key,
        respond_async,
    };
    let outcome = submit(&app, envelope, &command).await?;
    outcome::respond(outcome, envelope.respond_async, outcome::released)
}

/// A text that is no reservation's id is a reservation that does not exist.
fn parse(text: &str) -> Result<Id, Problem> {
    let id = Id::parse(text).filter(|id| id.kind == IdKind::Reservation);
    let id = id.filter(|id| require_concert_id(&id.partition_key).is_ok());
    id.ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(Code::HoldNotFound, "there is no such reservation")
}
