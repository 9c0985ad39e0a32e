//! The listing: what a concert publishes about itself in the catalogue.

use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;

use super::SectionPlan;

/// A concert as lists, detail pages and layouts show it. Holds do not change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConcertListing {
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
    /// Live seats one user may have.
    pub max_seats_per_user: i32,
    /// How long a hold lasts.
    pub hold_seconds: i32,
    /// Who organises it.
    pub organiser: String,
    /// Log time of its creation.
    pub created_at_ms: i64,
    /// Sections in the concert's own order.
    pub sections: Vec<SectionPlan>,
}

impl AvroRecord for ConcertListing {
    const SCHEMA_ID: u32 = 50;
    const NAME: &'static str = "stagedoor.concert.ConcertListing";
}
