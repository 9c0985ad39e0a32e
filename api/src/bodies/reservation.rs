//! Reservations: what a fan asks for, and what a fan has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stagedoor_processors::concert::records::{
    BestAvailable, GeneralPlaces, HoldSeats, ReservationState, ReservationView,
};
use utoipa::ToSchema;

use super::time::timestamp;
use crate::problem::Problem;

/// Exactly one of `seats`, `best` and `general`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldBody {
    /// Labels of chosen seats, such as `A-3-7`; all of them or none.
    pub(crate) seats: Option<Vec<String>>,
    /// The best seats still free.
    pub(crate) best: Option<BestBody>,
    /// Places in a general-admission section.
    pub(crate) general: Option<GeneralBody>,
    /// Proof of admission; means nothing for a concert without a waiting room.
    #[serde(rename = "admission_token")]
    pub(crate) _admission_token: Option<String>,
    /// Code of a presale; means nothing for a concert without one.
    #[serde(rename = "presale_code")]
    pub(crate) _presale_code: Option<String>,
}

/// A wish for the best seats.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BestBody {
    /// How many.
    pub(crate) quantity: i32,
    /// Where; any section if absent.
    pub(crate) section: Option<String>,
    /// Whether they may be spread over several rows.
    #[serde(default)]
    pub(crate) split: bool,
}

/// Places in a general-admission section.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GeneralBody {
    /// Id of the section.
    pub(crate) section: String,
    /// How many.
    pub(crate) quantity: i32,
}

/// Seats named in one request beyond which nobody needs to look at them.
const MOST_SEATS: usize = 100;

impl HoldBody {
    /// The command.
    ///
    /// # Errors
    /// None or several of the three ways to choose, or far more seats than any limit allows.
    pub(crate) fn into_command(
        self,
        user: String,
        command_id: String,
    ) -> Result<HoldSeats, Problem> {
        let given = [
            self.seats.is_some(),
            self.best.is_some(),
            self.general.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(Problem::invalid_field(
                "seats",
                "give exactly one of seats, best and general",
            ));
        }
        let seats = self.seats.unwrap_or_default();
        if given[0] && !(1..=MOST_SEATS).contains(&seats.len()) {
            let detail = format!("name 1 to {MOST_SEATS} seats");
            return Err(Problem::invalid_field("seats", detail));
        }
        Ok(HoldSeats {
            user,
            command_id,
            seats,
            best: self.best.map(BestBody::into_record),
            general: self.general.map(|it| GeneralPlaces {
                section: it.section,
                quantity: it.quantity,
            }),
        })
    }
}

impl BestBody {
    fn into_record(self) -> BestAvailable {
        BestAvailable {
            quantity: self.quantity,
            section: self.section,
            split: self.split,
        }
    }
}

/// A reservation as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReservationBody {
    /// Opaque id.
    id: String,
    /// Id of the concert.
    concert: String,
    /// The owner.
    user: String,
    /// Where in its life it is.
    state: &'static str,
    /// Labels of its seats.
    seats: Vec<String>,
    /// Its places in general-admission sections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    general: Vec<GeneralBody>,
    /// Price of everything in it, in minor units.
    amount_minor: i64,
    /// ISO 4217 code of the price.
    currency: String,
    /// The hold ends here unless it is bought.
    expires_at: Timestamp,
}

impl From<ReservationView> for ReservationBody {
    fn from(view: ReservationView) -> Self {
        let places = |it: GeneralPlaces| GeneralBody {
            section: it.section,
            quantity: it.quantity,
        };
        Self {
            id: view.id,
            concert: view.concert,
            user: view.user,
            state: state_name(view.state),
            seats: view.seats,
            general: view.general.into_iter().map(places).collect(),
            amount_minor: view.amount_minor,
            currency: view.currency,
            expires_at: timestamp(view.expires_at_ms),
        }
    }
}

const fn state_name(state: ReservationState) -> &'static str {
    match state {
        ReservationState::Pending => "PENDING",
        ReservationState::Expired => "EXPIRED",
        ReservationState::Released => "RELEASED",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn command(body: Value) -> Result<HoldSeats, Problem> {
        let body: HoldBody = serde_json::from_value(body).unwrap();
        body.into_command("u1".into(), "k".into())
    }

    #[test]
    fn there_is_one_way_to_choose_at_a_time() {
        assert_eq!(
            command(json!({"seats": ["A-1-1"]})).unwrap().seats,
            ["A-1-1"]
        );
        let best = command(json!({"best": {"quantity": 2}}))
            .unwrap()
            .best
            .unwrap();
        assert_eq!((best.quantity, best.section, best.split), (2, None, false));
        assert!(command(json!({"general": {"section": "GA", "quantity": 2}})).is_ok());
        assert!(command(json!({})).is_err());
        assert!(command(json!({"seats": ["A-1-1"], "best": {"quantity": 2}})).is_err());
    }

    #[test]
    fn no_seats_and_ten_thousand_seats_never_reach_the_log() {
        assert!(command(json!({"seats": []})).is_err());
        assert!(command(json!({"seats": vec!["A-1-1"; 10_000]})).is_err());
    }

    #[test]
    fn a_reservation_is_shown_with_the_documented_names() {
        let view = ReservationView {
            id: "r1".into(),
            concert: "c1".into(),
            user: "u1".into(),
            seats: vec!["A-3-7".into()],
            amount_minor: 300_000,
            currency: "KRW".into(),
            ..ReservationView::default()
        };
        let shown = serde_json::to_value(ReservationBody::from(view)).unwrap();
        let expected = json!({
            "id": "r1", "concert": "c1", "user": "u1", "state": "PENDING", "seats": ["A-3-7"],
            "amount_minor": 300_000, "currency": "KRW", "expires_at": "1970-01-01T00:00:00Z"
        });
        assert_eq!(shown, expected);
    }
}
