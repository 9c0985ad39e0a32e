//! What the routes answer before any record is written: identity, keys, bodies, paths, health.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::{App, Parts};
use crate::auth::{Role, Verifier};
use crate::config::{Secret, Settings};
use crate::positions::Positions;
use crate::results::Hub;

fn app() -> App {
    let mut settings = Settings::default();
    settings.auth.secret = Some(Secret::new("0123456789abcdef0123456789abcdef".into()));
    settings.bootstrap_servers = Some("broker.test:9092".into());
    let (hub, positions) = (Arc::new(Hub::new(10)), Arc::new(Positions::default()));
    App::new(Parts {
        settings,
        hub,
        positions,
        runtime: None,
    })
    .unwrap()
}

fn token(role: Role) -> String {
    let app = app();
    let Verifier::Shared(shared) = app.verifier() else {
        panic!("a shared secret")
    };
    shared
        .issue("u1", &[role], Duration::from_secs(60))
        .unwrap()
}

async fn send(request: Request) -> Response {
    app().router(false).oneshot(request).await.unwrap()
}

async fn body(response: Response) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

async fn refused(request: Request) -> (u16, String) {
    let response = send(request).await;
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let problem = body(response).await;
    assert_eq!(problem["status"], status);
    assert_eq!(problem["trace_id"].as_str().unwrap().len(), 32);
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn get(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

fn hold(token: Option<&str>, key: Option<&str>, body: &str) -> Request {
    let mut request = Request::post("/v1/concerts/c1/reservations");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

const BEST: &str = r#"{"best":{"quantity":2}}"#;

#[tokio::test]
async fn a_command_needs_a_token_that_holds() {
    let expected = (401, "unauthenticated".to_owned());
    assert_eq!(refused(hold(None, Some("k"), BEST)).await, expected);
    assert_eq!(
        refused(hold(Some("forged"), Some("k"), BEST)).await,
        expected
    );
    let token = token(Role::Fan);
    let tampered = format!("{}x", token);
    assert_eq!(
        refused(hold(Some(&tampered), Some("k"), BEST)).await,
        expected
    );
}

#[tokio::test]
async fn a_command_needs_its_key() {
    let token = token(Role::Fan);
    let missing = refused(hold(Some(&token), None, BEST)).await;
    assert_eq!(missing, (400, "idempotency_key_missing".into()));
    let too_long = "k".repeat(256);
    let bad = refused(hold(Some(&token), Some(&too_long), BEST)).await;
    assert_eq!(bad, (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_wrong_body_never_becomes_a_command() {
    let token = token(Role::Fan);
    for (text, status) in [
        ("{", 400),
        (r#"{"best":{"quantity":"two"}}"#, 422),
        (r#"{"seets":["A-1-1"]}"#, 422),
        (r#"{"seats":[]}"#, 422),
        ("{}", 422),
    ] {
        let answer = refused(hold(Some(&token), Some("k"), text)).await;
        assert_eq!(answer, (status, "invalid_request".into()), "{text}");
    }
    let many = json!({ "seats": vec!["A-1-1"; 10_000] }).to_string();
    assert_eq!(refused(hold(Some(&token), Some("k"), &many)).await.0, 422);
    let huge = "x".repeat(2_000_000);
    let answer = refused(hold(Some(&token), Some("k"), &huge)).await;
    assert_eq!(answer, (413, "body_too_large".into()));
}

#[tokio::test]
async fn while_nothing_runs_commands_and_reads_are_unavailable() {
    let token = token(Role::Fan);
    let expected = (503, "unavailable".to_owned());
    assert_eq!(refused(hold(Some(&token), Some("k"), BEST)).await, expected);
    for path in ["/v1/concerts", "/v1/concerts/c1", "/v1/concerts/c1/seats"] {
        let response = send(get(path)).await;
        assert!(response.headers().contains_key("retry-after"), "{path}");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}

#[tokio::test]
async fn only_admins_see_tasks_and_rebuild_them() {
    let ask = |method: &str, path: &str, role: Option<Role>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(role) = role {
            request = request.header("authorization", format!("Bearer {}", token(role)));
        }
        request.body(Body::empty()).unwrap()
    };
    for (method, path) in [
        ("GET", "/v1/admin/tasks"),
        ("POST", "/v1/admin/tasks/0_3/rebuild"),
    ] {
        let outcome = |role| refused(ask(method, path, role));
        assert_eq!(outcome(None).await, (401, "unauthenticated".into()));
        assert_eq!(outcome(Some(Role::Fan)).await, (403, "forbidden".into()));
        assert_eq!(
            outcome(Some(Role::Organiser)).await,
            (403, "forbidden".into())
        );
        // Nothing runs in these tests.
        assert_eq!(
            outcome(Some(Role::Admin)).await,
            (503, "unavailable".into())
        );
    }
    let wrong = ask("POST", "/v1/admin/tasks/three/rebuild", Some(Role::Admin));
    assert_eq!(refused(wrong).await, (404, "not_found".into()));
}

#[tokio::test]
async fn only_organisers_put_concerts_on_sale() {
    let put = |role| {
        Request::put("/v1/concerts/c1")
            .header("authorization", format!("Bearer {}", token(role)))
            .body(Body::from("{}"))
            .unwrap()
    };
    assert_eq!(refused(put(Role::Fan)).await, (403, "forbidden".into()));
    assert_eq!(
        refused(put(Role::Organiser)).await,
        (422, "invalid_request".into())
    );
}

#[tokio::test]
async fn a_malformed_id_is_nothing() {
    let token = token(Role::Fan);
    let read = |path: &str| {
        let bearer = format!("Bearer {token}");
        Request::get(path)
            .header("authorization", bearer)
            .body(Body::empty())
            .unwrap()
    };
    let none = |code: &str| (404, code.to_owned());
    assert_eq!(
        refused(read("/v1/reservations/nonsense")).await,
        none("hold_not_found")
    );
    assert_eq!(
        refused(read("/v1/reservations/cAAAA")).await,
        none("hold_not_found")
    );
    assert_eq!(
        refused(read("/v1/commands/nonsense")).await,
        none("no_effect")
    );
    assert_eq!(
        refused(read("/v1/concerts/UPPER")).await,
        none("concert_not_found")
    );
    assert_eq!(refused(read("/v1/nothing")).await, none("not_found"));
    assert_eq!(
        refused(read("/v1/concerts/c1/%FF")).await,
        none("not_found")
    );
}

#[tokio::test]
async fn another_method_is_refused_and_the_right_ones_named() {
    let response = send(Request::post("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        response.headers()["allow"]
            .to_str()
            .unwrap()
            .contains("GET")
    );
    assert_eq!(body(response).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn alive_is_not_ready_and_the_broker_is_named() {
    assert_eq!(send(get("/livez")).await.status(), StatusCode::OK);
    let response = send(get("/readyz")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem = body(response).await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("broker.test:9092"),
        "{problem}"
    );
    assert_eq!(
        send(get("/readyz?verbose")).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_security_headers() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::get("/livez")
        .header("traceparent", parent)
        .body(Body::empty())
        .unwrap();
    let response = send(request).await;
    let headers = response.headers();
    assert_eq!(headers["x-request-id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
}

#[tokio::test]
async fn the_description_has_the_routes_that_exist_and_no_other() {
    let document = body(send(get("/openapi.json")).await).await;
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, methods) in [
        ("/v1/concerts/{concert}", vec!["get", "put"]),
        ("/v1/concerts/{concert}/reservations", vec!["post"]),
        ("/v1/reservations/{id}", vec!["delete", "get"]),
        ("/v1/commands/{id}", vec!["get"]),
        ("/readyz", vec!["get"]),
    ] {
        let mut found: Vec<&str> = paths[path]
            .as_object()
            .unwrap()
            .keys()
            .map(|it| it.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, methods, "{path}");
    }
    assert!(!paths.contains_key("/v1/dev/tokens"));
    assert!(document["components"]["securitySchemes"]["bearer"].is_object());
}

#[tokio::test]
async fn tokens_for_the_asking_exist_in_dev_only() {
    let ask = || {
        let body = json!({ "user": "u1", "roles": ["fan"] }).to_string();
        Request::post("/v1/dev/tokens")
            .body(Body::from(body))
            .unwrap()
    };
    assert_eq!(refused(ask()).await, (404, "not_found".into()));
    let app = app();
    let response = app.clone().router(true).oneshot(ask()).await.unwrap();
    let token = body(response).await["token"].as_str().unwrap().to_owned();
    assert_eq!(app.verifier().verify(&token).await.unwrap().user, "u1");
}

#[tokio::test]
async fn schemas_are_served_as_a_registry_serves_them() {
    let subjects = body(send(get("/subjects")).await).await;
    assert!(
        subjects
            .as_array()
            .unwrap()
            .contains(&"stagedoor.concert.HoldSeats".into())
    );
    let path = "/subjects/stagedoor.concert.HoldSeats/versions";
    assert_eq!(body(send(get(path)).await).await, json!([1]));
    let latest = body(send(get(&format!("{path}/latest"))).await).await;
    let by_id = body(send(get(&format!("/schemas/ids/{}", latest["id"]))).await).await;
    assert_eq!(by_id["schema"], latest["schema"]);
    let missing = send(get("/schemas/ids/9999")).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(body(missing).await["error_code"], 40_403);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    send(get("/livez")).await;
    let response = send(get("/metrics")).await;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        text.contains("http_server_request_duration_seconds_bucket"),
        "{text}"
    );
    assert!(text.contains("http_route=\"/livez\""), "{text}");
}
