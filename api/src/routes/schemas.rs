//! The read paths of Confluent's schema registry, from the schemas that the binary carries.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::json;
use stagedoor_avro::{SubjectError, registry};
use utoipa::ToSchema;

use crate::http::params::Segment;

/// Media type of the registry's answers; its clients read errors in its shape only.
const REGISTRY_JSON: &str = "application/vnd.schemaregistry.v1+json";

/// A schema by its id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SchemaText {
    /// The Avro schema.
    schema: &'static str,
}

/// A version of a subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectVersion {
    /// Full name of the record.
    subject: &'static str,
    /// From 1.
    version: u32,
    /// Id of the schema in every record written with it.
    id: u32,
    /// The Avro schema.
    schema: &'static str,
}

/// The schema that a record names by id.
#[utoipa::path(get, path = "/schemas/ids/{id}", tag = "schemas",
    params(("id" = u32, Path, description = "the id in front of a record's value")),
    responses((status = 200, description = "the schema", body = SchemaText,
               content_type = "application/vnd.schemaregistry.v1+json"),
              (status = 404, description = "no such schema")))]
pub(crate) async fn by_id(Segment(id): Segment) -> Response {
    let found = id.parse().ok().and_then(|id| registry().by_id(id));
    found.map_or_else(
        || refusal(StatusCode::NOT_FOUND, 40_403, "Schema not found"),
        |schema| {
            show(&SchemaText {
                schema: schema.text,
            })
        },
    )
}

/// Every subject.
#[utoipa::path(get, path = "/subjects", tag = "schemas",
    responses((status = 200, description = "full names of records", body = Vec<String>,
               content_type = "application/vnd.schemaregistry.v1+json")))]
pub(crate) async fn subjects() -> Response {
    show(&registry().subjects().collect::<Vec<_>>())
}

/// The versions of a subject.
#[utoipa::path(get, path = "/subjects/{subject}/versions", tag = "schemas",
    params(("subject" = String, Path, description = "full name of a record")),
    responses((status = 200, description = "version numbers", body = Vec<u32>,
               content_type = "application/vnd.schemaregistry.v1+json"),
              (status = 404, description = "no such subject")))]
pub(crate) async fn versions(Segment(subject): Segment) -> Response {
    let versions: Vec<u32> = registry().versions(&subject).map(|it| it.version).collect();
    if versions.is_empty() {
        return unknown(SubjectError::UnknownSubject);
    }
    show(&versions)
}

/// One version of a subject.
#[utoipa::path(get, path = "/subjects/{subject}/versions/{version}", tag = "schemas",
    params(("subject" = String, Path, description = "full name of a record"),
           ("version" = String, Path, description = "a number, or `latest`")),
    responses((status = 200, description = "the version", body = SubjectVersion,
               content_type = "application/vnd.schemaregistry.v1+json"),
              (status = 404, description = "no such subject or version"),
              (status = 422, description = "no version number")))]
pub(crate) async fn version(Path((subject, version)): Path<(String, String)>) -> Response {
    match registry().lookup(&subject, &version) {
        Err(error) => unknown(error),
        Ok(found) => show(&SubjectVersion {
            subject: found.name,
            version: found.version,
            id: found.id,
            schema: found.text,
        }),
    }
}

/// The first three digits of the registry's codes are the status.
fn unknown(error: SubjectError) -> Response {
    let status = u16::try_from(error.code() / 100).unwrap_or_default();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
    refusal(status, error.code(), &error.to_string())
}

fn refusal(status: StatusCode, code: u32, message: &str) -> Response {
    let mut response = show(&json!({ "error_code": code, "message": message }));
    *response.status_mut() = status;
    response
}

fn show(body: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static(REGISTRY_JSON);
    let text = serde_json::to_string(body).unwrap_or_default();
    ([(CONTENT_TYPE, kind)], text).into_response()
}
