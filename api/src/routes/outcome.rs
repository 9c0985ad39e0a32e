//! What became of a command, as an HTTP answer.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::LOCATION;
use serde::Serialize;
use stagedoor_processors::concert::records::{CommandResult, Rejection};
use utoipa::ToSchema;

use crate::bodies::reservation::ReservationBody;
use crate::commands::{CommandTicket, Outcome};
use crate::problem::{Code, Problem};
use crate::routes::header;

/// A command that is in the log and not answered yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Id to ask about it at `/v1/commands/{id}`.
    id: String,
    /// Always `pending`.
    status: &'static str,
}

/// A concert that exists now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcertPut {
    /// Id of the concert.
    id: String,
    /// Whether this request made it.
    created: bool,
}

/// 202 with where to ask, or the decision as `render` shows it.
pub(crate) fn respond(
    outcome: Outcome,
    respond_async: bool,
    render: impl FnOnce(CommandResult) -> Response,
) -> Result<Response, Problem> {
    let (result, position) = match outcome {
        Outcome::Accepted(ticket) => return Ok(accepted(&ticket, respond_async)),
        Outcome::Decided(result, position) => (*result, position),
    };
    let mut response = match result.rejection {
        Some(rejection) => refused(rejection).into_response(),
        None => render(result),
    };
    if let Some(position) = position {
        position.write(response.headers_mut());
    }
    Ok(response)
}

fn accepted(ticket: &CommandTicket, respond_async: bool) -> Response {
    let id = ticket.to_string();
    let location = format!("/v1/commands/{id}");
    let body = Accepted {
        id,
        status: "pending",
    };
    let mut response = located(StatusCode::ACCEPTED, &location, body);
    if respond_async && let Some(value) = header("respond-async") {
        response.headers_mut().insert("preference-applied", value);
    }
    response
}

/// The problem that a rejection is.
pub(crate) fn refused(rejection: Rejection) -> Problem {
    let Some(code) = Code::parse(&rejection.code) else {
        // Written by a newer version: the caller gets what we do understand of it.
        let detail = format!("{}: {}", rejection.code, rejection.detail);
        return Problem::new(Code::WrongState, detail);
    };
    let mut problem = Problem::new(code, rejection.detail);
    if code == Code::SeatTaken {
        problem = problem
            .with("taken", rejection.taken)
            .with("alternatives", rejection.alternatives);
    }
    rejection.errors.iter().fold(problem, |problem, error| {
        problem.error(&error.field, &error.detail)
    })
}

/// The answer to `PUT` of a concert.
pub(crate) fn concert(result: CommandResult) -> Response {
    let created = result.concert_created.unwrap_or(false);
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let location = format!("/v1/concerts/{}", result.concert);
    located(
        status,
        &location,
        ConcertPut {
            id: result.concert,
            created,
        },
    )
}

/// The answer to a hold.
pub(crate) fn held(result: CommandResult) -> Response {
    match result.reservation {
        Some(view) => {
            let location = format!("/v1/reservations/{}", view.id);
            located(StatusCode::CREATED, &location, ReservationBody::from(view))
        }
        None => Problem::internal("a hold was answered without a reservation").into_response(),
    }
}

/// The answer to a release.
pub(crate) fn released(result: CommandResult) -> Response {
    match result.reservation {
        Some(view) => Json(ReservationBody::from(view)).into_response(),
        None => Problem::internal("a release was answered without a reservation").into_response(),
    }
}

fn located(status: StatusCode, location: &str, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Some(location) = header(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use stagedoor_processors::concert::records::{FieldError, ReservationView};
    use stagedoor_processors::id::Id;

    use super::*;
    use crate::http::position::{Position, X_POSITION};

    fn rejection(code: &str) -> Rejection {
        Rejection {
            code: code.into(),
            detail: "because".into(),
            ..Rejection::default()
        }
    }

    fn status(code: &str) -> u16 {
        refused(rejection(code)).into_response().status().as_u16()
    }

    #[test]
    fn rejections_have_the_documented_status() {
        let documented = [
            ("seat_taken", 409),
            ("not_enough_seats", 409),
            ("limit_reached", 409),
            ("sale_not_open", 409),
            ("sale_closed", 409),
            ("hold_expired", 409),
            ("hold_not_found", 404),
            ("not_owner", 403),
            ("concert_not_found", 404),
            ("unknown_seat", 422),
            ("invalid_request", 422),
            ("idempotency_mismatch", 422),
            ("concert_differs", 409),
            ("wrong_state", 409),
            ("command_expired", 409),
            ("internal", 500),
            ("a_code_of_tomorrow", 409),
        ];
        for (code, expected) in documented {
            assert_eq!(status(code), expected, "{code}");
        }
    }

    #[test]
    fn a_taken_seat_comes_with_what_is_taken_and_what_is_not() {
        let mut rejection = rejection("seat_taken");
        rejection.taken = vec!["A-1-1".into()];
        rejection.alternatives = vec!["A-1-3".into()];
        let shown = format!("{:?}", refused(rejection));
        assert!(
            shown.contains("A-1-1") && shown.contains("A-1-3"),
            "{shown}"
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        let mut rejection = rejection("invalid_request");
        let error = |field: &str| FieldError {
            field: field.into(),
            detail: "no".into(),
        };
        rejection.errors = vec![error("sections[0].rows"), error("currency")];
        let shown = format!("{:?}", refused(rejection));
        assert!(
            shown.contains("sections[0].rows") && shown.contains("currency"),
            "{shown}"
        );
    }

    #[test]
    fn a_hold_is_201_with_its_place_and_its_position() {
        let id = Id::reservation("c1", [7; 16]).to_string();
        let view = ReservationView {
            id: id.clone(),
            ..ReservationView::default()
        };
        let result = CommandResult {
            reservation: Some(view),
            ..CommandResult::default()
        };
        let position = Some(Position {
            partition: 3,
            offset: 8,
        });
        let outcome = Outcome::Decided(Box::new(result), position);
        let response = respond(outcome, false, held).unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(
            response.headers()[LOCATION],
            format!("/v1/reservations/{id}")
        );
        assert_eq!(response.headers()[X_POSITION], "3:8");
    }

    #[test]
    fn what_is_not_decided_in_time_is_202_with_where_to_ask() {
        let ticket = CommandTicket {
            id: Id::command("c1", [7; 16]),
            valid_until_ms: 9,
        };
        let location = format!("/v1/commands/{ticket}");
        let response = respond(Outcome::Accepted(ticket), true, held).unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.headers()[LOCATION], location);
        assert_eq!(response.headers()["preference-applied"], "respond-async");
    }

    #[test]
    fn a_concert_is_201_when_made_and_200_when_there_already() {
        let put = |created| CommandResult {
            concert_created: Some(created),
            ..CommandResult::default()
        };
        assert_eq!(concert(put(true)).status(), StatusCode::CREATED);
        assert_eq!(concert(put(false)).status(), StatusCode::OK);
    }
}
