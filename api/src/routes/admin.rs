//! What operators ask of an instance: its tasks, and the rebuild of one of them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde::Serialize;
use stagedoor_topology::{ReadError, RebuildError, TaskId, TaskPhase, TaskStatus};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Admin;
use crate::http::params::Segment;
use crate::problem::{Code, Problem};

/// Where the tasks are shown.
const TASKS: &str = "/v1/admin/tasks";

/// A task of this instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskView {
    /// Sub-topology and partition, such as `0_3`.
    task: String,
    /// Name of the sub-topology.
    sub_topology: &'static str,
    /// `restoring`, `rebuilding` or `running`.
    phase: &'static str,
    /// Whether somebody asked for a rebuild that is not over yet.
    rebuild_asked: bool,
    /// Restoring: changelog records so far. Rebuilding: offset of the replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<i64>,
    /// Rebuilding: the offset at which the replay is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// Offset of the next input record, as of the last commit.
    position: i64,
    /// Age of the oldest undecided record in milliseconds when it was last looked at.
    lag_ms: i64,
    /// Dead letters since the task came to this instance.
    dead_letters: u64,
}

/// The tasks of this instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskList {
    /// In the order of their ids.
    tasks: Vec<TaskView>,
}

impl From<TaskStatus> for TaskView {
    fn from(status: TaskStatus) -> Self {
        let (phase, done, until) = match status.phase {
            TaskPhase::Restoring { restored } => (
                "restoring",
                Some(i64::try_from(restored).unwrap_or(i64::MAX)),
                None,
            ),
            TaskPhase::Rebuilding { replayed, until } => {
                ("rebuilding", Some(replayed), Some(until))
            }
            TaskPhase::Running => ("running", None, None),
        };
        Self {
            task: status.id.to_string(),
            sub_topology: status.sub_topology,
            phase,
            rebuild_asked: status.on_request,
            done,
            until,
            position: status.position,
            lag_ms: status.lag_ms,
            dead_letters: status.dead_letters,
        }
    }
}

/// The tasks of this instance, and how far they are.
#[utoipa::path(
    get, path = "/v1/admin/tasks", tag = "operations",
    responses((status = 200, description = "the tasks of this instance", body = TaskList),
              (status = 403, description = "`forbidden`: it takes the role admin")),
    security(("bearer" = []))
)]
pub(crate) async fn tasks(State(app): State<App>, _: Admin) -> Result<Response, Problem> {
    let tasks = app.runtime()?.tasks().into_iter().map(TaskView::from);
    let tasks = tasks.collect();
    Ok(Json(TaskList { tasks }).into_response())
}

/// Rebuild the state of a task from the command log, in place. It stops meanwhile, and no other.
#[utoipa::path(
    post, path = "/v1/admin/tasks/{task}/rebuild", tag = "operations",
    params(("task" = String, Path, description = "sub-topology and partition, such as `0_3`")),
    responses((status = 202, description = "it begins; `GET /v1/admin/tasks` says how far it is"),
              (status = 403, description = "`forbidden`: it takes the role admin"),
              (status = 404, description = "`not_found`: another instance serves it, or none"),
              (status = 409, description = "`wrong_state`: the start of the command log is gone"),
              (status = 503, description = "`unavailable`: it is moving, or the log does not answer")),
    security(("bearer" = []))
)]
pub(crate) async fn rebuild(
    State(app): State<App>,
    Segment(task): Segment,
    Admin(admin): Admin,
) -> Result<Response, Problem> {
    let id = parse(&task).ok_or_else(|| unknown(&task))?;
    app.runtime()?;
    let asking = app.clone();
    let ask = move || asking.runtime().map(|runtime| runtime.rebuild(id));
    let asked = tokio::task::spawn_blocking(ask).await;
    let asked = asked.map_err(|error| Problem::internal(error.to_string()))?;
    asked?.map_err(|error| refusal(&task, &error))?;
    tracing::warn!(task, user = admin.user, "a rebuild was asked for");
    let place = [(LOCATION, HeaderValue::from_static(TASKS))];
    Ok((StatusCode::ACCEPTED, place).into_response())
}

/// A task id as it is shown.
fn parse(text: &str) -> Option<TaskId> {
    let (sub_topology, partition) = text.split_once('_')?;
    let id = TaskId {
        sub_topology: sub_topology.parse().ok()?,
        partition: partition.parse().ok()?,
    };
    (id.to_string() == text).then_some(id)
}

fn unknown(task: &str) -> Problem {
    let detail = format!("this instance does not serve the task {task:?}; ask the one that does");
    Problem::new(Code::NotFound, detail)
}

fn refusal(task: &str, error: &RebuildError) -> Problem {
    match error {
        RebuildError::Task(ReadError::NotOwner) => unknown(task),
        RebuildError::Task(ReadError::Moving | ReadError::LeaseLost) | RebuildError::Log(_) => {
            Problem::unavailable(error.to_string())
        }
        RebuildError::Cut(..) => Problem::new(Code::WrongState, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_is_read_as_it_is_shown_and_in_no_other_way() {
        let id = TaskId {
            sub_topology: 0,
            partition: 3,
        };
        assert_eq!(parse("0_3"), Some(id));
        for wrong in ["", "0", "0_", "_3", "00_3", "0_+3", "0_3_4", "0-3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
