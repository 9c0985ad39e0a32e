//! Queries: the committed local store, at least as new as the caller may expect, or the owner.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Uri};
use stagedoor_state::{ReadState, StateError, StoreReader};
use stagedoor_topology::{ReadError, snapshot_position};

use crate::app::App;
use crate::forward::FORWARDED;
use crate::http::position::{MinPosition, Position};
use crate::problem::Problem;

/// Longest wait for a position that the caller asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a read needs to know of its request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What the answer must reflect.
    pub(crate) least: MinPosition,
    /// Path and query, to ask another instance the same.
    pub(crate) uri: Uri,
    /// Headers, likewise.
    pub(crate) headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let least = MinPosition::from_request_parts(parts, state).await?;
        Ok(Self {
            least,
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
        })
    }
}

/// Answers from one snapshot of the concert's partition: `read` takes what it needs from it, off
/// the async workers; `render` makes the answer, which then gets its `X-Position`. Where another
/// instance owns the partition, its answer is passed on.
pub(crate) async fn answer<T, R>(
    app: &App,
    call: &Call,
    concert: &str,
    read: R,
    render: impl FnOnce(T) -> Result<Response, Problem>,
) -> Result<Response, Problem>
where
    T: Send + 'static,
    R: Fn(&dyn ReadState) -> Result<T, StateError> + Send + Sync + 'static,
{
    let runtime = app.runtime()?;
    let starting = || Problem::unavailable("the log has not answered yet");
    let partition = runtime.partition(concert).ok_or_else(starting)?;
    let asked = call.least.offset_in(partition);
    let least = asked.max(app.positions().promised(partition));
    match runtime.reader(partition) {
        Ok(_) => {}
        Err(ReadError::NotOwner) => return elsewhere(app, call, partition, least).await,
        Err(error @ (ReadError::Moving | ReadError::LeaseLost)) => {
            return Err(Problem::unavailable(error.to_string()));
        }
    }
    let (offset, found) = wait_and_read(app, partition, least, Arc::new(read)).await?;
    let mut response = render(found)?;
    Position { partition, offset }.write(response.headers_mut());
    Ok(response)
}

async fn elsewhere(
    app: &App,
    call: &Call,
    partition: i32,
    least: i64,
) -> Result<Response, Problem> {
    let owner = app.runtime()?.owner(partition);
    match owner.filter(|_| !call.headers.contains_key(FORWARDED)) {
        Some(owner) => {
            let least = Position {
                partition,
                offset: least,
            };
            app.forwarder().ask(&owner, call, least).await
        }
        None => Err(Problem::unavailable(
            "the owner of this concert is not known at the moment",
        )),
    }
}

/// Reads once the snapshot is new enough; each round reads from a snapshot of its own.
async fn wait_and_read<T, R>(
    app: &App,
    partition: i32,
    least: i64,
    read: Arc<R>,
) -> Result<(i64, T), Problem>
where
    T: Send + 'static,
    R: Fn(&dyn ReadState) -> Result<T, StateError> + Send + Sync + 'static,
{
    for _ in 0..2 {
        let reader = app
            .runtime()?
            .reader(partition)
            .map_err(|error| Problem::unavailable(error.to_string()))?;
        let read = Arc::clone(&read);
        let found = tokio::task::spawn_blocking(move || snapshot(&reader, least, &*read));
        let found = found
            .await
            .map_err(|error| Problem::internal(error.to_string()))?;
        if let Some(found) = found.map_err(|error| Problem::internal(error.to_string()))? {
            return Ok(found);
        }
        if !app.positions().reached(partition, least, PATIENCE).await {
            break;
        }
    }
    Err(Problem::unavailable(
        "this instance has not reached the asked position yet",
    ))
}

/// Position and answer of one snapshot; none if it is older than `least`.
fn snapshot<T>(
    reader: &StoreReader,
    least: i64,
    read: &dyn Fn(&dyn ReadState) -> Result<T, StateError>,
) -> Result<Option<(i64, T)>, StateError> {
    reader.read(|state| {
        let position = snapshot_position(state).map_err(|error| StateError::Corrupted {
            store: "meta".to_owned(),
            key: "checkpoint".to_owned(),
            reason: error.to_string(),
        })?;
        let offset = position.map_or(0, |position| position.next_offset);
        if offset < least {
            return Ok(None);
        }
        read(state).map(|found| Some((offset, found)))
    })
}
