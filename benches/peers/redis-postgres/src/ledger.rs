//! PostgreSQL: the truth. A hold is one call of one function: one round trip, one transaction.

use std::time::SystemTime;

use anyhow::Context as _;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use jiff::Timestamp;
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{Error, NoTls};

use crate::problem::Problem;

/// The pool.
pub(crate) struct Ledger(Pool);

/// A hold as the function takes it.
pub(crate) struct Hold<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) concert: i32,
    pub(crate) user: &'a str,
    pub(crate) key: &'a str,
    pub(crate) body_hash: &'a [u8],
    pub(crate) seats: &'a [i32],
    pub(crate) labels: &'a [String],
    pub(crate) amount_minor: i64,
    pub(crate) limit: i32,
    pub(crate) hold_seconds: i32,
}

/// The reservation, whether it was made now or before.
pub(crate) struct Held {
    pub(crate) body_hash: Vec<u8>,
    pub(crate) amount_minor: i64,
    pub(crate) expires_at: Timestamp,
}

/// Why a hold was taken back.
pub(crate) enum NotHeld {
    /// The user would have more seats than the concert allows.
    Limit,
    /// A seat is somebody else's.
    Taken,
    /// Whether it happened is not known.
    Unknown(Problem),
}

const HOLD: &str = "SELECT body_hash, amount_minor, expires_at \
                    FROM hold_seats($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Ledger {
    pub(crate) async fn connect(url: &str, size: usize) -> anyhow::Result<Self> {
        let config = url
            .parse::<tokio_postgres::Config>()
            .context("--postgres-url is not a PostgreSQL URL")?;
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager).max_size(size).build()?;
        let client = pool.get().await.with_context(|| {
            format!("PostgreSQL does not answer at {url}: start it with servers.sh")
        })?;
        client.batch_execute(include_str!("schema.sql")).await?;
        drop(client);
        Ok(Self(pool))
    }

    async fn client(&self) -> Result<Object, Problem> {
        let client = self.0.get().await;
        client.map_err(|error| Problem::unavailable(&error))
    }

    /// Number and plan of a concert.
    pub(crate) async fn plan(&self, concert: &str) -> Result<Option<(i32, String)>, Problem> {
        let client = self.client().await?;
        let found = client
            .query_opt(
                "SELECT number, plan FROM concerts WHERE id = $1",
                &[&concert],
            )
            .await
            .map_err(|error| Problem::unavailable(&error))?;
        Ok(found.map(|row| (row.get(0), row.get(1))))
    }

    /// Puts a concert with its seats on sale. Returns whether it was new.
    pub(crate) async fn put(&self, concert: &str, plan: &str, seats: i32) -> Result<bool, Problem> {
        let client = self.client().await?;
        let made = client
            .query_opt(
                "WITH made AS (INSERT INTO concerts (id, plan) VALUES ($1, $2) \
                               ON CONFLICT (id) DO NOTHING RETURNING number), \
                      filled AS (INSERT INTO seats (seat) \
                                 SELECT (number::bigint << 32) + generate_series(0, $3 - 1) \
                                 FROM made) \
                 SELECT number FROM made",
                &[&concert, &plan, &seats],
            )
            .await
            .map_err(|error| Problem::unavailable(&error))?;
        Ok(made.is_some())
    }

    /// Holds, or finds what the same id held before.
    pub(crate) async fn hold(&self, hold: &Hold<'_>) -> Result<Held, NotHeld> {
        let client = self.client().await.map_err(NotHeld::Unknown)?;
        let statement = client
            .prepare_cached(HOLD)
            .await
            .map_err(|error| not_held(&error))?;
        let id = Uuid(hold.id);
        let of_concert = i64::from(hold.concert) << 32;
        let seats = hold.seats.iter().map(|seat| of_concert + i64::from(*seat));
        let seats: Vec<i64> = seats.collect();
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &id,
            &hold.concert,
            &hold.user,
            &hold.key,
            &hold.body_hash,
            &seats,
            &hold.labels,
            &hold.amount_minor,
            &hold.limit,
            &hold.hold_seconds,
        ];
        let row = client.query_one(&statement, &parameters).await;
        let row = row.map_err(|error| not_held(&error))?;
        let expires_at: SystemTime = row.get(2);
        Ok(Held {
            body_hash: row.get(0),
            amount_minor: row.get(1),
            expires_at: Timestamp::try_from(expires_at).unwrap_or(Timestamp::MAX),
        })
    }
}

fn not_held(error: &Error) -> NotHeld {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("SD001") => NotHeld::Limit,
        Some("SD002") => NotHeld::Taken,
        _ => NotHeld::Unknown(Problem::unavailable(error)),
    }
}

/// 128 bits in the database's own type for them.
#[derive(Debug)]
struct Uuid([u8; 16]);

impl ToSql for Uuid {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }

    tokio_postgres::types::to_sql_checked!();
}
