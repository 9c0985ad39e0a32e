//! Commands: what callers ask of a concert. The key of the record is the concert's id.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

/// Put a concert on sale. The organiser is `user`. Nothing is changed by a repeated one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PutConcert {
    /// Who sends it, and organises the concert.
    pub user: String,
    /// 1-255 characters, scoped to the user and the concert.
    pub command_id: String,
    /// Title shown to fans.
    pub title: String,
    /// Who plays.
    pub artist: String,
    /// Where.
    pub venue: String,
    /// Hall inside the venue.
    pub hall: Option<String>,
    /// Shared by several dates of one show.
    pub run: Option<String>,
    /// IANA name of the venue's time zone.
    pub time_zone: String,
    /// Doors, unix milliseconds.
    pub starts_at_ms: i64,
    /// End of the show, unix milliseconds.
    pub ends_at_ms: i64,
    /// Holds are accepted from this log time on.
    pub sale_opens_at_ms: i64,
    /// Holds are accepted before this log time.
    pub sale_closes_at_ms: i64,
    /// ISO 4217 code of every price.
    pub currency: String,
    /// Live seats one user may have, over all holds together; defaulted by ingress.
    pub max_seats_per_user: i32,
    /// How long a hold lasts; defaulted by ingress.
    pub hold_seconds: i32,
    /// Sections in the order in which any-section requests try them.
    pub sections: Vec<SectionPlan>,
}

/// A section as its organiser plans it: either `rows` and `seats_per_row`, or `capacity`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SectionPlan {
    /// `[A-Za-z0-9]{1,16}`, unique in the concert.
    pub id: String,
    /// Name shown to fans.
    pub name: String,
    /// Grade, such as `VIP`.
    pub grade: String,
    /// Price of one seat or place.
    pub price_minor: i64,
    /// Reserved seating: number of rows; row 1 is nearest the front.
    pub rows: Option<i32>,
    /// Reserved seating: seats in every row.
    pub seats_per_row: Option<i32>,
    /// General admission: number of places.
    pub capacity: Option<i32>,
}

/// Hold seats until the deadline: exactly one of `seats`, `best` and `general` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoldSeats {
    /// Who holds.
    pub user: String,
    /// 1-255 characters, scoped to the user and the concert.
    pub command_id: String,
    /// Labels of chosen seats, such as `A-3-7`; all or nothing.
    pub seats: Vec<String>,
    /// The best seats still free.
    pub best: Option<BestAvailable>,
    /// Places in a general-admission section.
    pub general: Option<GeneralPlaces>,
}

/// A wish for the best seats still free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BestAvailable {
    /// How many.
    pub quantity: i32,
    /// Where; none: the first section in the concert's order that can serve.
    pub section: Option<String>,
    /// Whether they may be spread over several rows.
    pub split: bool,
}

/// A number of places in a general-admission section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneralPlaces {
    /// Id of the section.
    pub section: String,
    /// How many.
    pub quantity: i32,
}

/// Give a hold back before its deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReleaseHold {
    /// Who asks; must own the hold.
    pub user: String,
    /// 1-255 characters, scoped to the user and the concert.
    pub command_id: String,
    /// Opaque id of the reservation.
    pub reservation: String,
}

impl AvroRecord for PutConcert {
    const SCHEMA_ID: u32 = 20;
    const NAME: &'static str = "stagedoor.concert.PutConcert";
}

impl AvroRecord for HoldSeats {
    const SCHEMA_ID: u32 = 21;
    const NAME: &'static str = "stagedoor.concert.HoldSeats";
}

impl AvroRecord for ReleaseHold {
    const SCHEMA_ID: u32 = 22;
    const NAME: &'static str = "stagedoor.concert.ReleaseHold";
}
