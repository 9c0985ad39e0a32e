//! Rows: what the state stores of a concert keep.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stagedoor_avro::AvroRecord;

use super::GeneralPlaces;

/// What every hold needs of a concert, and no more, because every hold decodes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Concert {
    /// Scoped id of the command that made it: the row is that command's receipt.
    #[serde(with = "stagedoor_avro::bytes")]
    pub command: [u8; 16],
    /// Hash of the body that made it; another body is another concert.
    #[serde(with = "stagedoor_avro::bytes")]
    pub body_hash: [u8; 16],
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
    /// Log time of its creation.
    pub created_at_ms: i64,
}

/// What only readers need of a concert, and the order of its sections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConcertDetails {
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
    /// Who organises it.
    pub organiser: String,
    /// Section ids in the concert's own order.
    pub sections: Vec<String>,
}

/// One section: reserved seating if it has rows, general admission otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    /// Name shown to fans.
    pub name: String,
    /// Grade, such as `VIP`.
    pub grade: String,
    /// Price of one seat or place.
    pub price_minor: i64,
    /// Number of rows; 0 for general admission.
    pub rows: u16,
    /// Seats in every row; 0 for general admission.
    pub seats_per_row: u16,
    /// Places of a general-admission section; 0 for reserved seating.
    pub capacity: u32,
}

/// The seats of some whole rows, 2 bits each (see [`crate::concert::seats`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeatBlock {
    /// Number of its changes. The sum over a concert grows with every change.
    pub version: i64,
    /// 2 bits a seat, lowest bits first: 0 free, 1 held, 2 sold, 3 blocked.
    #[serde(with = "stagedoor_avro::bytes")]
    pub bits: Vec<u8>,
}

/// Taken places of a general-admission section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneralStock {
    /// Number of its changes.
    pub version: i64,
    /// Places in live holds.
    pub held: u32,
    /// Places sold.
    pub sold: u32,
}

/// A reservation, and the receipt of the command that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reservation {
    /// The owner.
    pub user: String,
    /// The command that made it, as it was sent.
    pub command_id: String,
    /// Hash of that command's body.
    #[serde(with = "stagedoor_avro::bytes")]
    pub body_hash: [u8; 16],
    /// Its seats in the order of the first answer; a section may come twice.
    pub seats: Vec<SeatGroup>,
    /// Its places in general-admission sections.
    pub general: Vec<GeneralPlaces>,
    /// Price of everything in it.
    pub amount_minor: i64,
    /// ISO 4217 code of the price.
    pub currency: String,
    /// Where in its life it is.
    pub state: ReservationState,
    /// Log time of the hold.
    pub held_at_ms: i64,
    /// The deadline that the first answer named, so that it can be given again.
    pub first_deadline_ms: i64,
    /// The deadline that counts.
    pub deadline_ms: i64,
    /// Log time of its end; none while it lives.
    pub ended_at_ms: Option<i64>,
}

/// Seats of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeatGroup {
    /// Id of the section.
    pub section: String,
    /// The seats.
    pub seats: Vec<Place>,
}

/// A seat inside its section; both numbers count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Row; 1 is nearest the front.
    pub row: u16,
    /// Number in the row.
    pub number: u16,
}

/// Where in its life a reservation is; the diagram stands in [`crate::concert`]. In records it is
/// text, because an Avro enum could not take in later states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReservationState {
    /// Held until the deadline.
    #[default]
    Pending,
    /// The deadline passed.
    Expired,
    /// The owner gave it back.
    Released,
}

impl ReservationState {
    /// The state as records and HTTP bodies carry it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Expired => "EXPIRED",
            Self::Released => "RELEASED",
        }
    }
}

impl Serialize for ReservationState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReservationState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = [Self::Pending, Self::Expired, Self::Released];
        let state = known.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| D::Error::custom(format_args!("{text:?} is no state of a reservation")))
    }
}

/// The answer to a command whose effect made no row that could remember it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Hash of the command's body.
    #[serde(with = "stagedoor_avro::bytes")]
    pub body_hash: [u8; 16],
    /// The framed answer, given again byte for byte.
    #[serde(with = "stagedoor_avro::bytes")]
    pub answer: Vec<u8>,
    /// From this log time on the receipt is forgotten.
    pub expires_at_ms: i64,
}

impl AvroRecord for Concert {
    const SCHEMA_ID: u32 = 60;
    const NAME: &'static str = "stagedoor.concert.Concert";
}

impl AvroRecord for ConcertDetails {
    const SCHEMA_ID: u32 = 61;
    const NAME: &'static str = "stagedoor.concert.ConcertDetails";
}

impl AvroRecord for Section {
    const SCHEMA_ID: u32 = 62;
    const NAME: &'static str = "stagedoor.concert.Section";
}

impl AvroRecord for SeatBlock {
    const SCHEMA_ID: u32 = 63;
    const NAME: &'static str = "stagedoor.concert.SeatBlock";
}

impl AvroRecord for GeneralStock {
    const SCHEMA_ID: u32 = 64;
    const NAME: &'static str = "stagedoor.concert.GeneralStock";
}

impl AvroRecord for Reservation {
    const SCHEMA_ID: u32 = 65;
    const NAME: &'static str = "stagedoor.concert.Reservation";
}

impl AvroRecord for Receipt {
    const SCHEMA_ID: u32 = 66;
    const NAME: &'static str = "stagedoor.concert.Receipt";
}
