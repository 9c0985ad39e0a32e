//! The demo concert of `stagedoor dev`: the same body at every start, so that it is put on sale
//! once and found there afterwards.

use std::time::Duration;

use serde_json::{Value, json};

use crate::exit::Failure;

/// Id of the demo concert.
pub(crate) const CONCERT: &str = "demo";

/// How long a first start may take: topics are made and tasks are handed out.
const PATIENCE: Duration = Duration::from_secs(120);

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Waits until the service is ready, then puts the concert on sale by its own HTTP, as anybody
/// would.
pub(crate) async fn put_on_sale(base: &str, token: &str) -> Result<(), Failure> {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| Failure::Problem(error.to_string()))?;
    let ready = async {
        while !is_ready(&client, base).await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready)
        .await
        .map_err(|_| Failure::TryAgain("the service was not ready in time; see its log".into()))?;
    let put = client
        .put(format!("{base}/v1/concerts/{CONCERT}"))
        .bearer_auth(token)
        .json(&body())
        .send()
        .await
        .map_err(|error| Failure::TryAgain(error.to_string()))?;
    if put.status().is_success() {
        return Ok(());
    }
    let text = put.text().await.unwrap_or_default();
    Err(Failure::Problem(format!(
        "the demo concert was refused: {text}"
    )))
}

async fn is_ready(client: &reqwest::Client, base: &str) -> bool {
    let answer = client.get(format!("{base}/readyz")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

fn body() -> Value {
    json!({
        "title": "First Night",
        "artist": "The Understudies",
        "venue": "Stagedoor Hall",
        "time_zone": "Europe/Berlin",
        "starts_at": "2099-06-01T18:00:00Z",
        "ends_at": "2099-06-01T21:00:00Z",
        "sale_opens_at": "2020-01-01T00:00:00Z",
        "sale_closes_at": "2099-06-01T17:00:00Z",
        "currency": "EUR",
        "max_seats_per_user": 4,
        "hold_seconds": 300,
        "sections": [
            {"id": "A", "name": "Stalls", "grade": "VIP", "price_minor": 9_000, "rows": 20, "seats_per_row": 30},
            {"id": "B", "name": "Balcony", "grade": "S", "price_minor": 5_500, "rows": 10, "seats_per_row": 40},
            {"id": "GA", "name": "Standing", "grade": "GENERAL", "price_minor": 3_000, "capacity": 500}
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bodies::concert::ConcertBody;
    use crate::config::Settings;

    #[test]
    fn the_demo_concert_is_one_that_the_service_takes() {
        let body: ConcertBody = serde_json::from_value(body()).unwrap();
        body.into_command("organiser".into(), "k".into(), &Settings::default())
            .unwrap();
    }
}
