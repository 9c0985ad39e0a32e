//! What became of a command that was not answered in time.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::{LOCATION, RETRY_AFTER};
use serde::Serialize;
use stagedoor_processors::concert::queries as concert;
use stagedoor_processors::concert::records::CommandResult;
use stagedoor_processors::concert::stores::CONCERTS;
use stagedoor_state::{ReadState, StateError, TypedRead as _};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Principal;
use crate::bodies::time::now_ms;
use crate::commands::CommandTicket;
use crate::http::params::Segment;
use crate::problem::{Code, Problem};
use crate::queries::{self, Call};
use crate::results::CommandKey;
use crate::routes::concerts::require_concert_id;
use crate::routes::header;

/// A command that may still take effect.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pending {
    /// Id of the command.
    id: String,
    /// Always `pending`.
    status: &'static str,
}

/// What the owner's state knows of a command.
enum Effect {
    /// It had this answer.
    Answered(Box<CommandResult>),
    /// It made the concert.
    MadeConcert {
        /// Who sent it.
        organiser: String,
    },
    /// Nothing.
    None,
}

/// State of a command.
#[utoipa::path(
    get, path = "/v1/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "from the Location of a 202")),
    responses((status = 200, description = "not decided yet", body = Pending),
              (status = 303, description = "decided: the Location is what it made"),
              (status = 403, description = "`not_owner`"),
              (status = 404, description = "`no_effect`: it has none and never will; safe to \
                  send again")),
    security(("bearer" = []))
)]
pub(crate) async fn status(
    State(app): State<App>,
    Segment(text): Segment,
    principal: Principal,
    call: Call,
) -> Result<Response, Problem> {
    let ticket = CommandTicket::parse(&text)
        .filter(|ticket| require_concert_id(&ticket.id.partition_key).is_ok())
        .ok_or_else(|| no_effect("there is no such command"))?;
    let (of, hash) = (ticket.id.partition_key.clone(), ticket.id.hash);
    // Before the snapshot is taken: what is committed at this log time must be in it.
    let log_time_ms = log_time(&app, &of);
    let read = move |state: &dyn ReadState| effect(state, &of, &hash);
    queries::answer(
        &app,
        &call,
        &ticket.id.partition_key,
        read,
        |effect| match effect {
            Effect::Answered(result) => seen(&principal, &result.user, &made_by(&result)),
            Effect::MadeConcert { organiser } => {
                let place = format!("/v1/concerts/{}", ticket.id.partition_key);
                seen(&principal, &organiser, &place)
            }
            Effect::None => undecided(&app, &principal, &ticket, &text, log_time_ms),
        },
    )
    .await
}

fn effect(state: &dyn ReadState, of: &str, hash: &[u8; 16]) -> Result<Effect, StateError> {
    if let Some(result) = concert::answer(state, of, hash, now_ms())? {
        return Ok(Effect::Answered(Box::new(result)));
    }
    let row = state
        .get(&CONCERTS, &of.to_owned())?
        .filter(|row| row.command == *hash);
    let details = concert::details(state, of)?;
    let made = row.and(details).map(|it| Effect::MadeConcert {
        organiser: it.organiser,
    });
    Ok(made.unwrap_or(Effect::None))
}

/// Stream time of the concert's partition as of its last commit; 0 where it is not here.
fn log_time(app: &App, concert: &str) -> i64 {
    let Ok(runtime) = app.runtime() else { return 0 };
    let Some(partition) = runtime.partition(concert) else {
        return 0;
    };
    let tasks = runtime.tasks();
    let task = tasks.iter().find(|task| task.id.partition == partition);
    task.map_or(0, |task| task.stream_time_ms)
}

fn made_by(result: &CommandResult) -> String {
    match &result.reservation {
        Some(view) => format!("/v1/reservations/{}", view.id),
        None => format!("/v1/concerts/{}", result.concert),
    }
}

/// 303 for whoever sent it.
fn seen(principal: &Principal, sender: &str, place: &str) -> Result<Response, Problem> {
    if sender != principal.user {
        return Err(Problem::new(
            Code::NotOwner,
            "the command was sent by somebody else",
        ));
    }
    let location = header(place).ok_or_else(|| Problem::internal("an id is no header value"))?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

fn undecided(
    app: &App,
    principal: &Principal,
    ticket: &CommandTicket,
    text: &str,
    log_time_ms: i64,
) -> Result<Response, Problem> {
    let id = &ticket.id;
    let key = CommandKey {
        concert: id.partition_key.as_str().into(),
        hash: id.hash,
    };
    if log_time_ms > ticket.valid_until_ms && !app.hub().holds(&key) {
        return Err(no_effect(
            "the command had no effect and never will; send it again",
        ));
    }
    if now_ms() > ticket.valid_until_ms {
        app.nudges()
            .nudge(app, &id.partition_key, &principal.user)?;
    }
    let body = Json(Pending {
        id: text.to_owned(),
        status: "pending",
    });
    Ok(([(RETRY_AFTER, "1")], body).into_response())
}

fn no_effect(detail: &str) -> Problem {
    Problem::new(Code::NoEffect, detail)
}
