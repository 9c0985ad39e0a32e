//! Redis: which seats are marked as somebody's. It keeps the crowd away from the database and is
//! not the truth.

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, RedisError, Script};

use crate::halls::Hall;

/// How long an idempotency key is remembered.
const KEY_SECONDS: u32 = 24 * 60 * 60;

/// The marks, over one connection that all requests share.
pub(crate) struct Marks {
    connection: MultiplexedConnection,
    hold: Script,
}

/// What marking did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// All seats are the caller's now.
    All,
    /// These, by their place in the request, are somebody else's; nothing was marked.
    Taken(Vec<usize>),
    /// The same request was marked before.
    Repeated,
    /// The idempotency key stands for another request.
    Mismatch,
}

impl Marks {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url).context("--redis-url is not a Redis URL")?;
        let connection = client
            .get_multiplexed_async_connection()
            .await
            .with_context(|| format!("Redis does not answer at {url}: start it with servers.sh"))?;
        Ok(Self {
            connection,
            hold: Script::new(include_str!("hold.lua")),
        })
    }

    /// Marks all seats or none, in one round trip.
    pub(crate) async fn mark(
        &self,
        hall: &Hall,
        seats: &[i32],
        id: &[u8; 16],
        body_hash: &[u8; 16],
    ) -> Result<Marked, RedisError> {
        let mut call = self.hold.prepare_invoke();
        call.key(key_of(id));
        for seat in seats {
            call.key(seat_key(hall, *seat));
        }
        call.arg(body_hash.as_slice())
            .arg(hall.plan.hold_seconds)
            .arg(KEY_SECONDS);
        let answer: Vec<usize> = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(match answer.split_first() {
            Some((0, _)) => Marked::All,
            Some((2, _)) => Marked::Repeated,
            Some((3, _)) => Marked::Mismatch,
            Some((_, taken)) => Marked::Taken(taken.iter().map(|place| place - 1).collect()),
            None => Marked::Taken(Vec::new()),
        })
    }

    /// Takes back what [`Marks::mark`] did.
    pub(crate) async fn release(
        &self,
        hall: &Hall,
        seats: &[i32],
        id: &[u8; 16],
    ) -> Result<(), RedisError> {
        let mut keys = vec![key_of(id)];
        keys.extend(seats.iter().map(|seat| seat_key(hall, *seat)));
        self.connection.clone().unlink(keys).await
    }
}

fn key_of(id: &[u8; 16]) -> Vec<u8> {
    [b"k:".as_slice(), id.as_slice()].concat()
}

fn seat_key(hall: &Hall, seat: i32) -> Vec<u8> {
    format!("s:{}:{seat}", hall.number).into_bytes()
}
