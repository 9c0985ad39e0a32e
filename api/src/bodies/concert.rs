//! The body of `PUT /v1/concerts/{concert}`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use stagedoor_processors::concert::records::{PutConcert, SectionPlan};
use utoipa::ToSchema;

use crate::config::Settings;
use crate::problem::Problem;

/// A concert to put on sale.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConcertBody {
    /// Title shown to fans.
    pub(crate) title: String,
    /// Who plays.
    pub(crate) artist: String,
    /// Where.
    pub(crate) venue: String,
    /// Hall inside the venue.
    pub(crate) hall: Option<String>,
    /// Shared by several dates of one show.
    pub(crate) run: Option<String>,
    /// IANA name of the venue's time zone.
    pub(crate) time_zone: String,
    /// Doors.
    pub(crate) starts_at: Timestamp,
    /// End of the show.
    pub(crate) ends_at: Timestamp,
    /// Holds are accepted from here on.
    pub(crate) sale_opens_at: Timestamp,
    /// Holds are accepted before this.
    pub(crate) sale_closes_at: Timestamp,
    /// ISO 4217 code of every price.
    pub(crate) currency: String,
    /// Live seats one user may have; the service's default where absent.
    pub(crate) max_seats_per_user: Option<i32>,
    /// How long a hold lasts; the service's default where absent.
    pub(crate) hold_seconds: Option<i32>,
    /// Sections, in the order in which a wish for any section tries them.
    pub(crate) sections: Vec<SectionBody>,
}

/// A section: `rows` and `seats_per_row`, or `capacity`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionBody {
    /// 1 to 16 letters and digits.
    pub(crate) id: String,
    /// Name shown to fans.
    pub(crate) name: String,
    /// Grade, such as `VIP`.
    pub(crate) grade: String,
    /// Price of one seat or place, in minor units.
    pub(crate) price_minor: i64,
    /// Reserved seating: number of rows.
    pub(crate) rows: Option<i32>,
    /// Reserved seating: seats in every row.
    pub(crate) seats_per_row: Option<i32>,
    /// General admission: number of places.
    pub(crate) capacity: Option<i32>,
}

impl ConcertBody {
    /// The command. Defaults are written into it here, because whatever decides is in the log.
    ///
    /// # Errors
    /// An unknown time zone: the processor knows no names, as they change with the calendar's data.
    pub(crate) fn into_command(
        self,
        user: String,
        command_id: String,
        settings: &Settings,
    ) -> Result<PutConcert, Problem> {
        if TimeZone::get(&self.time_zone).is_err() {
            return Err(Problem::invalid_field(
                "time_zone",
                "not an IANA time zone, such as Asia/Seoul",
            ));
        }
        let defaults = &settings.defaults;
        Ok(PutConcert {
            user,
            command_id,
            title: self.title,
            artist: self.artist,
            venue: self.venue,
            hall: self.hall,
            run: self.run,
            time_zone: self.time_zone,
            starts_at_ms: self.starts_at.as_millisecond(),
            ends_at_ms: self.ends_at.as_millisecond(),
            sale_opens_at_ms: self.sale_opens_at.as_millisecond(),
            sale_closes_at_ms: self.sale_closes_at.as_millisecond(),
            currency: self.currency,
            max_seats_per_user: self
                .max_seats_per_user
                .unwrap_or(defaults.max_seats_per_user),
            hold_seconds: self.hold_seconds.unwrap_or(defaults.hold_seconds),
            sections: self
                .sections
                .into_iter()
                .map(SectionBody::into_plan)
                .collect(),
        })
    }
}

impl SectionBody {
    fn into_plan(self) -> SectionPlan {
        SectionPlan {
            id: self.id,
            name: self.name,
            grade: self.grade,
            price_minor: self.price_minor,
            rows: self.rows,
            seats_per_row: self.seats_per_row,
            capacity: self.capacity,
        }
    }
}

/// Whether a text may name a concert: `[a-z0-9][a-z0-9._-]{0,63}`.
pub(crate) fn is_concert_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::problem::Code;

    fn body() -> Value {
        json!({
            "title": "t", "artist": "a", "venue": "v", "time_zone": "Asia/Seoul",
            "starts_at": "2026-05-01T19:00:00+09:00", "ends_at": "2026-05-01T12:00:00Z",
            "sale_opens_at": "2026-04-01T00:00:00Z", "sale_closes_at": "2026-05-01T00:00:00Z",
            "currency": "KRW",
            "sections": [{"id": "A", "name": "n", "grade": "VIP", "price_minor": 1, "rows": 2, "seats_per_row": 3}]
        })
    }

    fn command(body: Value) -> Result<PutConcert, Problem> {
        let body: ConcertBody = serde_json::from_value(body).unwrap();
        body.into_command("org".into(), "k".into(), &Settings::default())
    }

    #[test]
    fn defaults_are_written_into_the_command_and_times_lose_their_offset() {
        let command = command(body()).unwrap();
        assert_eq!((command.max_seats_per_user, command.hold_seconds), (4, 300));
        assert_eq!(command.starts_at_ms, 1_777_629_600_000);
    }

    #[test]
    fn an_unknown_time_zone_is_refused() {
        let mut body = body();
        body["time_zone"] = "Mars/Olympus".into();
        assert_eq!(command(body).unwrap_err().code(), Code::InvalidRequest);
    }

    #[test]
    fn what_this_service_would_not_honour_is_refused_and_not_ignored() {
        for field in ["waiting_room", "presale", "sale_open_at"] {
            let mut body = body();
            body[field] = json!({});
            assert!(
                serde_json::from_value::<ConcertBody>(body).is_err(),
                "{field}"
            );
        }
    }

    #[test]
    fn concert_ids_are_plain() {
        for id in ["a", "0", "a.b_c-d", &"x".repeat(64)] {
            assert!(is_concert_id(id), "{id}");
        }
        for id in ["", "A", "-a", ".a", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(!is_concert_id(id), "{id}");
        }
    }
}
