//! Puts the concerts of a mix on sale, as an organiser would.

use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::connection::Connection;
use super::plan::Plan;
use super::requests::{IDEMPOTENCY_KEY, JSON, host};
use super::{LoadError, Target, tokens};
use crate::mix::{Mix, PRICE_MINOR, SEATS_PER_USER};

/// How long a service may take until it is ready, or a concert until it is on sale.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits until the service is ready, then puts every concert on sale.
///
/// # Errors
/// A service that is not ready within a minute, or that refuses a concert.
pub fn set_up(plan: &Plan) -> Result<(), LoadError> {
    plan.check()?;
    let target = Target::parse(&plan.url)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LoadError::Generator(error.to_string()))?;
    runtime.block_on(async {
        until(&target, "readiness", Method::GET, "/readyz", None, None).await?;
        let organiser = tokens::authorization(&plan.auth_secret, "organiser", "organiser")?;
        for concert in plan.mix.concerts() {
            let step = format!("putting concert {concert} on sale");
            let path = format!("/v1/concerts/{concert}");
            let body = concert_body(&plan.mix).to_string();
            let authorization = Some(organiser.clone());
            until(
                &target,
                &step,
                Method::PUT,
                &path,
                Some(body),
                authorization,
            )
            .await?;
        }
        Ok(())
    })
}

/// Repeats a request until it is answered by 200 or 201. A refusal ends it at once.
async fn until(
    target: &Target,
    step: &str,
    method: Method,
    path: &str,
    body: Option<String>,
    authorization: Option<HeaderValue>,
) -> Result<(), LoadError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut request = Request::new(Full::new(Bytes::from(body.clone().unwrap_or_default())));
        *request.method_mut() = method.clone();
        *request.uri_mut() = path
            .parse()
            .map_err(|_| LoadError::Generator(format!("{path} is no path")))?;
        let headers = request.headers_mut();
        headers.insert(HOST, host(target)?);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static("load-set-up"));
        if let Some(authorization) = authorization.clone() {
            headers.insert(AUTHORIZATION, authorization);
        }
        let reason = match once(target, request).await {
            Ok((StatusCode::OK | StatusCode::CREATED, _)) => return Ok(()),
            Ok((status, text)) if status.is_client_error() => {
                return Err(failure(target, step, format!("{status}: {text}")));
            }
            Ok((status, text)) => format!("{status}: {text}"),
            Err(reason) => reason,
        };
        if Instant::now() >= deadline {
            return Err(failure(target, step, reason));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn once(
    target: &Target,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), String> {
    let mut connection = Connection::open(target)
        .await
        .map_err(|lost| format!("{lost:?}"))?;
    let answer = connection.exchange_text(request, PATIENCE).await;
    answer.map_err(|lost| format!("{lost:?}"))
}

fn failure(target: &Target, step: &str, reason: String) -> LoadError {
    LoadError::Target {
        step: step.to_owned(),
        reason,
        url: target.url.clone(),
    }
}

/// What goes on sale: the same for every concert of a mix.
fn concert_body(mix: &Mix) -> Value {
    let sections = mix.sections().into_iter().map(|section| {
        let mut shown = json!({
            "id": section.id, "name": section.id, "grade": "A", "price_minor": PRICE_MINOR,
        });
        if let Some((rows, seats_per_row)) = section.rows {
            shown["rows"] = rows.into();
            shown["seats_per_row"] = seats_per_row.into();
        }
        if let Some(capacity) = section.capacity {
            shown["capacity"] = capacity.into();
        }
        shown
    });
    json!({
        "title": "Load", "artist": "Nobody", "venue": "Nowhere", "time_zone": "UTC",
        "starts_at": "2099-06-01T18:00:00Z", "ends_at": "2099-06-01T21:00:00Z",
        "sale_opens_at": "2020-01-01T00:00:00Z", "sale_closes_at": "2099-06-01T17:00:00Z",
        "currency": "EUR", "max_seats_per_user": SEATS_PER_USER, "hold_seconds": 3600,
        "sections": sections.collect::<Vec<_>>(),
    })
}
