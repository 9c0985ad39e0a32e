//! The load against a service of a few lines that does as it is told.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::mix::{Kind, Mix};

/// What the service does with its `n`-th request: an answer, or a broken connection.
type Behaviour = dyn Fn(usize) -> Option<&'static str> + Send + Sync;

#[derive(Clone)]
struct Service {
    keys: Arc<Mutex<Vec<String>>>,
    behaviour: Arc<Behaviour>,
}

impl Service {
    /// Starts it on a free port; returns its URL.
    fn start(
        behaviour: impl Fn(usize) -> Option<&'static str> + Send + Sync + 'static,
    ) -> (String, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Self {
            keys: Arc::default(),
            behaviour: Arc::new(behaviour),
        };
        let serving = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (service, stream) = (serving.clone(), stream.unwrap());
                std::thread::spawn(move || service.serve(stream));
            }
        });
        (url, service)
    }

    fn serve(&self, stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(key) = read_request(&mut lines) {
            let number = {
                let mut keys = self.keys.lock().unwrap();
                keys.push(key);
                keys.len() - 1
            };
            let Some(status) = (self.behaviour)(number) else {
                return;
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Reads one request; returns its idempotency key, or nothing at the end of the connection.
fn read_request(lines: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name {
            "idempotency-key" => value.clone_into(&mut key),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some(key)
}

fn plan(url: &str, pace: Pace) -> Plan {
    let mix = Mix::new(Kind::Headline, 1, 1_000, 10, "test", 5).unwrap();
    Plan {
        pace,
        connections: 4,
        warm_up: Duration::ZERO,
        measured: Duration::from_millis(500),
        request_timeout: Duration::from_secs(5),
        ..Plan::new(url, b"0123456789abcdef0123456789abcdef", mix)
    }
}

#[test]
fn a_stall_of_the_service_shows_in_every_request_that_was_due_meanwhile() {
    let stalled_until = Instant::now() + Duration::from_millis(400);
    let (url, _service) = Service::start(move |_| {
        std::thread::sleep(stalled_until.saturating_duration_since(Instant::now()));
        Some("201 Created")
    });
    let outcome = run(&plan(&url, Pace::Open { per_second: 200.0 })).unwrap();
    assert_eq!(outcome.answers, 100, "{outcome:?}");
    // Only four were sent into the stall; measured from their sending the others would be quick.
    assert!(outcome.latency.p50_ms > 50.0, "{:?}", outcome.latency);
    assert_eq!((outcome.unsent, outcome.failed), (0, 0));
}

#[test]
fn every_request_is_sent_once() {
    let (url, service) = Service::start(|_| Some("201 Created"));
    let outcome = run(&plan(&url, Pace::Open { per_second: 400.0 })).unwrap();
    let keys = service.keys.lock().unwrap();
    let different: HashSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (200, 200));
    assert_eq!((outcome.answers, outcome.held), (200, 200));
}

#[test]
fn answers_are_told_apart_from_overload_and_failure() {
    let (url, _service) = Service::start(|number| match number % 4 {
        0 => Some("201 Created"),
        1 => Some("409 Conflict"),
        2 => Some("503 Service Unavailable"),
        _ => Some("500 Internal Server Error"),
    });
    let outcome = run(&plan(&url, Pace::Open { per_second: 400.0 })).unwrap();
    assert_eq!((outcome.answers, outcome.held), (100, 50));
    assert_eq!((outcome.overloaded, outcome.failed), (50, 50));
    assert_eq!(outcome.by_second.iter().sum::<u64>(), 100);
}

#[test]
fn a_broken_connection_is_counted_and_made_anew() {
    let (url, _service) = Service::start(|number| (number % 10 != 9).then_some("201 Created"));
    let outcome = run(&plan(&url, Pace::Open { per_second: 200.0 })).unwrap();
    assert_eq!(outcome.broken, 10, "{outcome:?}");
    assert_eq!(outcome.answers, 90);
}

#[test]
fn what_takes_too_long_has_failed() {
    let (url, _service) = Service::start(|number| {
        if number == 0 {
            std::thread::sleep(Duration::from_secs(2));
        }
        Some("201 Created")
    });
    let plan = Plan {
        request_timeout: Duration::from_millis(300),
        ..plan(&url, Pace::Closed)
    };
    let outcome = run(&plan).unwrap();
    assert_eq!(outcome.timed_out, 1, "{outcome:?}");
    assert!(outcome.answers > 10);
}

#[test]
fn the_warm_up_is_not_counted() {
    let (url, service) = Service::start(|_| Some("201 Created"));
    let plan = Plan {
        warm_up: Duration::from_millis(250),
        measured: Duration::from_millis(250),
        ..plan(&url, Pace::Open { per_second: 400.0 })
    };
    let outcome = run(&plan).unwrap();
    assert_eq!(service.keys.lock().unwrap().len(), 200);
    assert_eq!(outcome.answers, 100);
}

#[test]
fn nonsense_is_refused_with_the_setting_and_its_bounds() {
    let open = |per_second| plan("http://127.0.0.1:1", Pace::Open { per_second });
    for (plan, expected) in [
        (open(0.0), "rate"),
        (
            Plan {
                connections: 0,
                ..open(1.0)
            },
            "connections",
        ),
        (
            Plan {
                threads: 5,
                ..open(1.0)
            },
            "threads",
        ),
        (
            Plan {
                measured: Duration::ZERO,
                ..open(1.0)
            },
            "measured",
        ),
        (
            Plan {
                url: "https://x".into(),
                ..open(1.0)
            },
            "only http",
        ),
        (
            Plan {
                url: "nothing".into(),
                ..open(1.0)
            },
            "http",
        ),
        (open(1.0), "connecting failed"),
    ] {
        let error = run(&plan).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
