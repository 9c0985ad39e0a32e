//! `/openapi.json`: what the router offers, completed by what is the same everywhere.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Info, OpenApi};

/// The document, as the routes made it.
pub(crate) async fn show(document: OpenApi) -> Json<OpenApi> {
    Json(document)
}

/// Title, version and how to authenticate.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Stagedoor", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Sells concert seats. Refusals are application/problem+json with a `code`; commands carry \
         an Idempotency-Key and may be repeated with it; answers carry X-Position."
            .to_owned(),
    );
    document.info = info;
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document
}
