//! Simulated visitors of `stagedoor dev --crowd`: they look, hold seats, and some give them back,
//! all over HTTP as anybody would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::demo;
use crate::exit::Failure;
use crate::service::fresh_name;

/// Visitors at the door at the same time.
const AT_ONCE: u64 = 128;

/// How long a visitor waits for one answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What became of the crowd.
#[derive(Default)]
struct Tally {
    arrived: AtomicU64,
    held: AtomicU64,
    seats: AtomicU64,
    released: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// Makes a token for a user.
pub(crate) type Tokens = Arc<dyn Fn(&str) -> Result<String, Failure> + Send + Sync>;

/// Sends visitors to the demo concert, shows how far they have come, and returns a summary.
pub(crate) async fn visit(base: &str, visitors: u64, tokens: &Tokens) -> Result<String, Failure> {
    let client = Client::builder().no_proxy().timeout(PATIENCE).build();
    let client = client.map_err(|error| Failure::Problem(error.to_string()))?;
    let tally = Arc::new(Tally::default());
    let progress = progress(visitors);
    let run = fresh_name("crowd");
    let began = Instant::now();
    let mut doors = tokio::task::JoinSet::new();
    for door in 0..AT_ONCE.min(visitors) {
        let visitor = Visitor {
            client: client.clone(),
            base: base.to_owned(),
            run: run.clone(),
            tokens: Arc::clone(tokens),
            tally: Arc::clone(&tally),
        };
        let progress = progress.clone();
        doors.spawn(async move {
            for number in (door..visitors).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
                visitor.act(number).await;
                progress.inc(1);
            }
        });
    }
    while doors.join_next().await.is_some() {}
    progress.finish_and_clear();
    Ok(tally.summary(began.elapsed()))
}

fn progress(visitors: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} visitors, {per_sec}, {eta}");
    let bar = ProgressBar::new(visitors);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

struct Visitor {
    client: Client,
    base: String,
    run: String,
    tokens: Tokens,
    tally: Arc<Tally>,
}

impl Visitor {
    /// One visit. What goes wrong is counted and not mended.
    async fn act(&self, number: u64) {
        self.tally.arrived.fetch_add(1, Ordering::Relaxed);
        if self.tried(number).await.is_none() {
            self.tally.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn tried(&self, number: u64) -> Option<()> {
        let user = format!("{}-{number}", self.run);
        let token = (self.tokens)(&user).ok()?;
        let concert = format!("{}/v1/concerts/{}", self.base, demo::CONCERT);
        let dice = mixed(number);
        if dice.is_multiple_of(4) {
            self.client.get(&concert).send().await.ok()?;
        }
        let quantity = 1 + dice / 4 % 3;
        let body = match dice / 16 % 4 {
            0 => json!({"general": {"section": "GA", "quantity": quantity}}),
            _ => json!({"best": {"quantity": quantity, "split": true}}),
        };
        let answer = self
            .client
            .post(format!("{concert}/reservations"))
            .bearer_auth(&token)
            .header("idempotency-key", "visit")
            .json(&body)
            .send()
            .await
            .ok()?;
        match answer.status() {
            StatusCode::CREATED => {}
            status if status.is_client_error() => {
                self.tally.refused.fetch_add(1, Ordering::Relaxed);
                return Some(());
            }
            _ => return None,
        }
        self.tally.held.fetch_add(1, Ordering::Relaxed);
        self.tally.seats.fetch_add(quantity, Ordering::Relaxed);
        let held: Value = answer.json().await.ok()?;
        if (dice / 64).is_multiple_of(5) {
            self.give_back(held["id"].as_str()?, &token).await?;
        }
        Some(())
    }

    async fn give_back(&self, reservation: &str, token: &str) -> Option<()> {
        let answer = self
            .client
            .delete(format!("{}/v1/reservations/{reservation}", self.base))
            .bearer_auth(token)
            .header("idempotency-key", "leave")
            .send()
            .await
            .ok()?;
        if answer.status().is_success() {
            self.tally.released.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }
}

impl Tally {
    fn summary(&self, took: Duration) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let arrived = count(&self.arrived);
        let seconds = took.as_secs_f64().max(0.001);
        format!(
            "{arrived} visitors in {seconds:.1} s ({:.0} a second): {} reservations of {} seats, {} \
             given back, {} turned away, {} without an answer.",
            arrived as f64 / seconds,
            count(&self.held),
            count(&self.seats),
            count(&self.released),
            count(&self.refused),
            count(&self.failed),
        )
    }
}

/// A number that looks drawn: the finalizer of splitmix64.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_every_outcome() {
        let tally = Tally::default();
        tally.arrived.store(10, Ordering::Relaxed);
        tally.refused.store(7, Ordering::Relaxed);
        let text = tally.summary(Duration::from_secs(2));
        assert!(text.contains("10 visitors in 2.0 s (5 a second)"), "{text}");
        assert!(text.contains("7 turned away"), "{text}");
    }
}
