//! What runs with kills share: the concerts on sale, and what must be true of them afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use stagedoor_processors::concert::records::{CommandResult, ReservationState};
use stagedoor_tests::http::{Client, Request};
use stagedoor_tests::service::{ServiceOptions, token};
use stagedoor_tests::topics;
use stagedoor_topology::log::Log;
use stagedoor_topology::partition_for;

use crate::fans::Crowd;

/// How long a hold lasts.
pub(crate) const HOLD_SECONDS: i64 = 10;

/// How late a hold may expire in a run in which the service is down again and again.
pub(crate) const MOST_LATE_MS: i64 = 30_000;

/// `STAGEDOOR_TEST_SEED`, or one that no other run has.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("STAGEDOOR_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |now| now.as_secs())
    };
    given.unwrap_or_else(clock)
}

/// Two concerts in each partition.
pub(crate) fn put_concerts(options: &ServiceOptions) -> Vec<String> {
    let mut client = Client::new(options.address);
    let token = token("organiser", &["organiser"]).expect("a token");
    let mut per_partition = BTreeMap::new();
    let mut concerts = Vec::new();
    for number in 0.. {
        let concert = format!("kill-{number}");
        let count: &mut i32 = per_partition
            .entry(partition_for(concert.as_bytes(), options.partitions))
            .or_default();
        *count += 1;
        if *count > 2 {
            continue;
        }
        let request = Request {
            token: Some(token.clone()),
            key: Some(format!("put-{number}")),
            body: Some(concert_body()),
            ..Request::new("PUT", format!("/v1/concerts/{concert}"))
        };
        let answer = client.send(&request).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        concerts.push(concert);
        if concerts.len() == 8 {
            break;
        }
    }
    concerts
}

fn concert_body() -> String {
    serde_json::json!({
        "title": "Kill", "artist": "Nobody", "venue": "Nowhere", "time_zone": "UTC",
        "starts_at": "2099-01-01T20:00:00Z", "ends_at": "2099-01-01T23:00:00Z",
        "sale_opens_at": "2020-01-01T00:00:00Z", "sale_closes_at": "2098-01-01T00:00:00Z",
        "currency": "EUR", "max_seats_per_user": 6, "hold_seconds": HOLD_SECONDS,
        "sections": [
            {"id": "A", "name": "A", "grade": "VIP", "price_minor": 15_000, "rows": 8, "seats_per_row": 10},
            {"id": "B", "name": "B", "grade": "R", "price_minor": 9_000, "rows": 8, "seats_per_row": 10},
            {"id": "GA", "name": "Floor", "grade": "G", "price_minor": 5_000, "capacity": 60}
        ]
    })
    .to_string()
}

/// No seat of any concert is held any more.
pub(crate) fn is_free(options: &ServiceOptions, crowd: &Crowd) -> bool {
    let mut client = Client::new(options.address);
    crowd.concerts.iter().all(|concert| {
        let answer = client.send(&Request::get(format!("/v1/concerts/{concert}")));
        answer.is_ok_and(|answer| answer.status == 200 && held(&answer.json()) == Some(0))
    })
}

/// The sum of every `held` in an answer; `None` where there is none.
fn held(json: &serde_json::Value) -> Option<i64> {
    let own = json.get("held").and_then(serde_json::Value::as_i64);
    let items = json.as_array().into_iter().flatten();
    let fields = json
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.values());
    let inner: Vec<Option<i64>> = items.chain(fields).map(held).collect();
    inner
        .into_iter()
        .chain([own])
        .flatten()
        .reduce(|sum, more| sum + more)
}

/// C2: what was answered with 2xx is in the committed log.
pub(crate) fn not_in_the_log(
    log: &dyn Log,
    options: &ServiceOptions,
    crowd: &Crowd,
) -> Vec<String> {
    let mut effects = BTreeSet::new();
    let topic = options.naming().topic("results");
    topics::read(log, &topic, options.partitions, &mut |record| {
        let result: Result<CommandResult, _> =
            stagedoor_avro::decode(record.value.unwrap_or_default());
        let Ok(result) = result else { return };
        if let (None, Some(view)) = (result.rejection, result.reservation) {
            let is_hold = view.state == ReservationState::Pending;
            effects.insert((
                result.concert,
                result.user,
                result.command_id,
                view.id,
                is_hold,
            ));
        }
    })
    .expect("the results can be read");
    let acknowledged = crowd.acknowledged.lock().expect("no fan panicked");
    let missing = acknowledged.iter().filter(|done| {
        let (concert, user, key) = (
            done.concert.clone(),
            done.user.clone(),
            done.key().to_owned(),
        );
        !effects.contains(&(concert, user, key, done.reservation(), done.is_hold()))
    });
    missing
        .map(|done| format!("acknowledged and not in the log: {done:?}"))
        .collect()
}
