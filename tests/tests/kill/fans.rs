//! Fans: threads that hold, release and repeat over HTTP until they have an answer to everything.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stagedoor_tests::http::{Client, Request, Response};
use stagedoor_tests::random::Random;
use stagedoor_tests::{service, wait};

/// How long a fan tries to get an answer to one command.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that was answered with 2xx.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) concert: String,
    pub(crate) user: String,
    request: Request,
    response: Response,
}

impl Acknowledged {
    /// The Idempotency-Key.
    pub(crate) fn key(&self) -> &str {
        self.request.key.as_deref().unwrap_or_default()
    }

    /// The reservation in the answer.
    pub(crate) fn reservation(&self) -> String {
        self.response.json()["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether it was a hold.
    pub(crate) fn is_hold(&self) -> bool {
        self.request.method == "POST"
    }
}

/// What all fans share.
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    pub(crate) concerts: Vec<String>,
    pub(crate) stop: AtomicBool,
    pub(crate) answered: AtomicUsize,
    pub(crate) repeated: AtomicUsize,
    pub(crate) mismatched: AtomicUsize,
    pub(crate) retried: AtomicUsize,
    pub(crate) acknowledged: Mutex<Vec<Acknowledged>>,
    pub(crate) mistakes: Mutex<Vec<String>>,
}

impl Crowd {
    pub(crate) fn new(address: SocketAddr, concerts: Vec<String>) -> Self {
        Self {
            address,
            concerts,
            stop: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
            repeated: AtomicUsize::new(0),
            mismatched: AtomicUsize::new(0),
            retried: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            mistakes: Mutex::default(),
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub(crate) fn mistake(&self, text: String) {
        self.mistakes.lock().expect("no fan panicked").push(text);
    }

    /// Sends a command until it has an answer that is one: nothing that says "later", "not known"
    /// or "in flight".
    pub(crate) fn insist(&self, client: &mut Client, request: &Request) -> Option<Response> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match client.send(request) {
                Ok(answer) if !is_open(&answer) => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    return Some(answer);
                }
                Ok(_) | Err(_) => {
                    self.retried.fetch_add(1, Ordering::SeqCst);
                    wait::until(Duration::from_millis(40), || self.stopping());
                }
            }
        }
        self.mistake(format!("no answer to {request:?} in {PATIENCE:?}"));
        None
    }
}

fn is_open(answer: &Response) -> bool {
    let code = || {
        answer.json()["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    match answer.status {
        202 | 429 | 503 => true,
        409 => matches!(code().as_str(), "in_flight" | "command_expired"),
        _ => false,
    }
}

/// One of them, with some users of its own.
pub(crate) struct Fan<'a> {
    crowd: &'a Crowd,
    client: Client,
    random: Random,
    name: String,
    tokens: Vec<(String, String)>,
    commands: u64,
    done: Vec<Acknowledged>,
}

impl<'a> Fan<'a> {
    pub(crate) fn new(crowd: &'a Crowd, number: u64, seed: u64) -> Self {
        let user = |index: u64| {
            let user = format!("fan-{number}-{index}");
            let token = service::token(&user, &["fan"]).expect("a token");
            (user, token)
        };
        Self {
            crowd,
            client: Client::new(crowd.address),
            random: Random::new(seed.wrapping_add(number)),
            name: format!("fan-{number}"),
            tokens: (0..30).map(user).collect(),
            commands: 0,
            done: Vec::new(),
        }
    }

    /// Acts until it is told to stop.
    pub(crate) fn run(mut self) {
        while !self.crowd.stopping() {
            match self.random.below(100) {
                0..=69 => self.hold(),
                70..=81 => self.release(),
                82..=91 => self.repeat(),
                92..=95 => self.repeat_with_another_body(),
                _ => self.ask_for_nonsense(),
            }
        }
    }

    fn hold(&mut self) {
        let body = match self.random.below(10) {
            0..=4 => self.chosen(),
            5..=7 => {
                let quantity = self.random.below(3) + 1;
                format!(r#"{{"best":{{"quantity":{quantity},"split":true}}}}"#)
            }
            _ => {
                let quantity = self.random.below(3) + 1;
                format!(r#"{{"general":{{"section":"GA","quantity":{quantity}}}}}"#)
            }
        };
        let concert = self.concert();
        self.post(&concert, body, &[201, 409]);
    }

    fn chosen(&mut self) -> String {
        let row = self.random.below(8) + 1;
        let number = self.random.below(9) + 1;
        match self.random.below(2) {
            0 => format!(r#"{{"seats":["A-{row}-{number}"]}}"#),
            _ => format!(
                r#"{{"seats":["A-{row}-{number}","B-{row}-{}"]}}"#,
                number + 1
            ),
        }
    }

    fn ask_for_nonsense(&mut self) {
        let concert = self.concert();
        match self.random.below(3) {
            0 => self.post(&concert, r#"{"seats":["A-99-1"]}"#.to_owned(), &[422]),
            1 => self.post("there-is-none", r#"{"seats":["A-1-1"]}"#.to_owned(), &[404]),
            _ => self.post(
                &concert,
                r#"{"best":{"quantity":77}}"#.to_owned(),
                &[400, 409, 422],
            ),
        }
    }

    fn concert(&mut self) -> String {
        self.random
            .pick(&self.crowd.concerts)
            .cloned()
            .unwrap_or_default()
    }

    fn post(&mut self, concert: &str, body: String, expected: &[u16]) {
        let (user, token) = self.random.pick(&self.tokens).cloned().unwrap_or_default();
        let path = format!("/v1/concerts/{concert}/reservations");
        let key = self.key();
        let request = Request {
            token: Some(token),
            key: Some(key),
            body: Some(body),
            ..Request::new("POST", path)
        };
        self.submit(concert, &user, request, expected);
    }

    fn release(&mut self) {
        let holds: Vec<Acknowledged> = self
            .done
            .iter()
            .filter(|done| done.is_hold())
            .cloned()
            .collect();
        let Some(hold) = self.random.pick(&holds).cloned() else {
            return;
        };
        let request = Request {
            token: hold.request.token.clone(),
            key: Some(self.key()),
            ..Request::new("DELETE", format!("/v1/reservations/{}", hold.reservation()))
        };
        self.submit(&hold.concert, &hold.user, request, &[200, 409]);
    }

    fn submit(&mut self, concert: &str, user: &str, request: Request, expected: &[u16]) {
        let Some(response) = self.crowd.insist(&mut self.client, &request) else {
            return;
        };
        if !expected.contains(&response.status) {
            self.crowd
                .mistake(format!("{request:?} was answered {response:?}"));
        }
        if response.status < 300 {
            let (concert, user) = (concert.to_owned(), user.to_owned());
            let done = Acknowledged {
                concert,
                user,
                request,
                response,
            };
            self.crowd
                .acknowledged
                .lock()
                .expect("no fan panicked")
                .push(done.clone());
            self.done.push(done);
            // A fan repeats recent things, some of which are over and some of which are not.
            if self.done.len() > 200 {
                self.done.drain(..100);
            }
        }
    }

    fn repeat(&mut self) {
        let Some(done) = self.random.pick(&self.done).cloned() else {
            return;
        };
        let Some(again) = self.crowd.insist(&mut self.client, &done.request) else {
            return;
        };
        self.crowd.repeated.fetch_add(1, Ordering::SeqCst);
        if (again.status, &again.body) != (done.response.status, &done.response.body) {
            let text = format!(
                "{:?}\nfirst {:?}\nthen {again:?}",
                done.request, done.response
            );
            self.crowd.mistake(text);
        }
    }

    fn repeat_with_another_body(&mut self) {
        let holds: Vec<Acknowledged> = self
            .done
            .iter()
            .filter(|done| done.is_hold())
            .cloned()
            .collect();
        let Some(hold) = self.random.pick(&holds) else {
            return;
        };
        let body = Some(r#"{"general":{"section":"GA","quantity":9}}"#.to_owned());
        let request = Request {
            body,
            ..hold.request.clone()
        };
        let Some(answer) = self.crowd.insist(&mut self.client, &request) else {
            return;
        };
        self.crowd.mismatched.fetch_add(1, Ordering::SeqCst);
        if answer.json()["code"] != "idempotency_mismatch" {
            self.crowd.mistake(format!(
                "{request:?} with another body was answered {answer:?}"
            ));
        }
    }

    fn key(&mut self) -> String {
        self.commands += 1;
        format!("{}-{}", self.name, self.commands)
    }
}
