//! What is free: per section in a concert's detail, per seat in its map; and the layout under both.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::ConcertItem;

/// A concert in full.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConcertDetail {
    /// What lists show of it.
    #[serde(flatten)]
    pub(crate) item: ConcertItem,
    /// Live seats one user may have.
    pub(crate) max_seats_per_user: i32,
    /// How long a hold lasts.
    pub(crate) hold_seconds: i32,
    /// When it was put on sale.
    pub(crate) created_at: Timestamp,
    /// Sections with what is free in them.
    pub(crate) sections: Vec<SectionDetail>,
}

/// A section with its counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SectionDetail {
    /// The section itself.
    #[serde(flatten)]
    pub(crate) layout: SectionLayout,
    /// Seats or places nobody has.
    pub(crate) free: i64,
    /// In live holds.
    pub(crate) held: i64,
    /// Sold.
    pub(crate) sold: i64,
}

/// The parts of a concert that never change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Layout {
    /// Id of the concert.
    pub(crate) concert: String,
    /// ISO 4217 code of every price.
    pub(crate) currency: String,
    /// Sections in the concert's own order.
    pub(crate) sections: Vec<SectionLayout>,
}

/// A section: reserved seating has rows, general admission a capacity.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SectionLayout {
    /// Id, the first part of a seat's label.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// Grade, such as `VIP`.
    pub(crate) grade: String,
    /// Price of one seat or place, in minor units.
    pub(crate) price_minor: i64,
    /// Number of rows; row 1 is nearest the front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u16>,
    /// Seats in every row, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seats_per_row: Option<u16>,
    /// Places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capacity: Option<u32>,
}

/// Every seat of a concert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeatMapBody {
    /// Grows with every change.
    pub(crate) version: i64,
    /// Sections with reserved seating.
    pub(crate) sections: Vec<SectionSeats>,
    /// Sections with general admission.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) general: Vec<GeneralCounts>,
}

/// The seats of a section.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SectionSeats {
    /// Id of the section.
    pub(crate) id: String,
    /// One digit a seat, row after row: 0 free, 1 held, 2 sold, 3 blocked.
    pub(crate) seats: String,
}

/// The places of a section.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GeneralCounts {
    /// Id of the section.
    pub(crate) id: String,
    /// Places nobody has.
    pub(crate) free: i64,
    /// In live holds.
    pub(crate) held: i64,
    /// Sold.
    pub(crate) sold: i64,
}
