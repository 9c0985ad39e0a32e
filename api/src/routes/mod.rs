//! The routes, one file a group; documentation and router come from the same list.

mod admin;
mod commands;
mod concerts;
mod dev_tokens;
mod health;
mod layout;
mod openapi;
mod outcome;
mod reservations;
mod schemas;
mod seats;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use hyper::header::HeaderValue;
use hyper::{Method, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Code, Problem};

/// Every route of the service, and its description at `/openapi.json`.
pub(crate) fn router(app: App, dev: bool) -> Router {
    let (router, document) = all(dev).split_for_parts();
    let document = openapi::complete(document);
    router
        .route(
            "/openapi.json",
            axum::routing::get(move || openapi::show(document.clone())),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

fn all(dev: bool) -> OpenApiRouter<App> {
    let router = OpenApiRouter::new()
        .routes(routes!(concerts::put, concerts::detail))
        .routes(routes!(concerts::list))
        .routes(routes!(layout::layout))
        .routes(routes!(seats::seats))
        .routes(routes!(reservations::create))
        .routes(routes!(reservations::read, reservations::release))
        .routes(routes!(commands::status))
        .routes(routes!(admin::tasks))
        .routes(routes!(admin::rebuild))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(schemas::by_id))
        .routes(routes!(schemas::subjects))
        .routes(routes!(schemas::versions))
        .routes(routes!(schemas::version));
    if dev {
        router.routes(routes!(dev_tokens::issue))
    } else {
        router
    }
}

async fn not_found(uri: Uri) -> Response {
    Problem::new(
        Code::NotFound,
        format!("there is nothing at {}", uri.path()),
    )
    .into_response()
}

/// The router has put the methods that there are into the answer's `Allow`; it wraps this one.
async fn method_not_allowed(method: Method) -> Response {
    let detail = format!("{method} is not a method of this resource");
    Problem::new(Code::MethodNotAllowed, detail).into_response()
}

/// A header value of text that may hold anything; what is no header is left out.
fn header(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests;
