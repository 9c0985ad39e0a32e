//! Health and metrics, for operators.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use stagedoor_topology::{StreamsState, TaskPhase};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;
use crate::runtime::Runtime;

/// One thing that must be well.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What is checked.
    name: &'static str,
    /// Whether it is well.
    ok: bool,
    /// What was found.
    detail: String,
}

/// The state of the instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// Every check, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// `?verbose`, with or without a value.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Verbosity {
    verbose: Option<String>,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", tag = "operations",
    responses((status = 200, description = "alive", body = Health)))]
pub(crate) async fn livez() -> Response {
    Json(Health {
        status: "ok",
        checks: Vec::new(),
    })
    .into_response()
}

/// The instance serves.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    params(("verbose" = Option<String>, Query, description = "show every check")),
    responses((status = 200, description = "ready", body = Health),
              (status = 503, description = "not ready; `checks` says why")))]
pub(crate) async fn readyz(
    State(app): State<App>,
    verbosity: Result<Query<Verbosity>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let verbose = verbosity.is_ok_and(|Query(asked)| asked.verbose.is_some());
    let checks = checks(&app);
    let failed: Vec<&Check> = checks.iter().filter(|check| !check.ok).collect();
    if failed.is_empty() {
        let checks = if verbose { checks } else { Vec::new() };
        return Json(Health {
            status: "ok",
            checks,
        })
        .into_response();
    }
    let detail: Vec<String> = failed
        .iter()
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    let shown = serde_json::to_value(&checks).unwrap_or_default();
    Problem::unavailable(detail.join("; "))
        .with("checks", shown)
        .into_response()
}

/// Figures in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Prometheus text", content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], app.metrics().render(&app)).into_response()
}

fn checks(app: &App) -> Vec<Check> {
    let state = app.runtime().map(|runtime| runtime.state());
    let mut checks = vec![accepting(app), kafka(app), streams(app, state.ok())];
    checks.extend(stores(app));
    checks
}

fn accepting(app: &App) -> Check {
    let ok = !app.draining();
    let detail = if ok {
        "taking requests"
    } else {
        "shutting down"
    };
    Check {
        name: "instance",
        ok,
        detail: detail.to_owned(),
    }
}

fn kafka(app: &App) -> Check {
    let servers = app
        .settings()
        .bootstrap_servers
        .as_deref()
        .unwrap_or("(not configured)");
    let answered = app
        .runtime()
        .is_ok_and(|runtime| runtime.reply_to().is_some());
    let confirmed = app.runtime().is_ok_and(Runtime::is_confirmed);
    let found = match (answered, confirmed) {
        (false, _) => "has not answered yet",
        (true, false) => "does not answer at the moment",
        (true, true) => "answers",
    };
    let ok = answered && confirmed;
    Check {
        name: "kafka",
        ok,
        detail: format!("the broker at {servers} {found}"),
    }
}

fn streams(app: &App, state: Option<StreamsState>) -> Check {
    let failure = app.runtime().ok().and_then(|runtime| runtime.failure());
    let name = state.map_or_else(|| "CREATED".to_owned(), |state| state.to_string());
    let detail = failure.map_or_else(|| name.clone(), |reason| format!("{name}: {reason}"));
    Check {
        name: "streams",
        ok: state == Some(StreamsState::Running),
        detail,
    }
}

fn stores(app: &App) -> Option<Check> {
    let tasks = app.runtime().ok()?.tasks();
    let restoring = tasks
        .iter()
        .filter(|task| task.phase != TaskPhase::Running && !task.on_request)
        .count();
    let detail = format!(
        "{} of {} tasks restored",
        tasks.len() - restoring,
        tasks.len()
    );
    Some(Check {
        name: "stores",
        ok: restoring == 0,
        detail,
    })
}
