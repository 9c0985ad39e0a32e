//! How long requests took, by method, route and status.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use metrics::Histogram;

type OfRoute = HashMap<(&'static str, StatusCode), Histogram>;

thread_local! {
    /// What this thread has recorded into before: to find one by its labels costs more than to
    /// route the request.
    static KNOWN: RefCell<HashMap<Box<str>, OfRoute>> = RefCell::default();
}

/// Records a duration. `route` is the route's pattern and never the path: a path would make one
/// series per concert.
pub(crate) fn record(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = label(method);
    KNOWN.with_borrow_mut(|known| {
        if !known.contains_key(route) {
            known.insert(route.into(), OfRoute::default());
        }
        let Some(of_route) = known.get_mut(route) else {
            return;
        };
        of_route
            .entry((method, status))
            .or_insert_with(|| histogram(method, route, status))
            .record(took.as_secs_f64());
    });
}

/// Whoever sends a request may invent a method: those have one series together, with the name that
/// OpenTelemetry gives them.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

fn histogram(method: &'static str, route: &str, status: StatusCode) -> Histogram {
    let labels = [
        ("http_request_method", method.to_owned()),
        ("http_route", route.to_owned()),
        ("http_response_status_code", status.as_u16().to_string()),
    ];
    metrics::histogram!("http_server_request_duration_seconds", &labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_somebody_invents_makes_no_series_of_its_own() {
        let invented = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(label(&invented), "_OTHER");
        assert_eq!(label(&Method::POST), "POST");
    }
}
