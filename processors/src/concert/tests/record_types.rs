//! The Rust types and the `.avsc` files say the same: every record round-trips, whole and empty.

use std::fmt::Debug;

use stagedoor_avro::{AvroRecord, registry};

use super::harness::{bytes, concert};
use crate::concert::records::*;

#[expect(
    clippy::too_many_lines,
    reason = "one line for every field of every record"
)]
#[test]
fn every_record_reads_back_as_it_was_written() {
    let places = GeneralPlaces {
        section: "GA".to_owned(),
        quantity: 2,
    };
    let best = BestAvailable {
        quantity: 3,
        section: Some("A".to_owned()),
        split: true,
    };
    let seats = vec!["A-1-1".to_owned(), "A-1-2".to_owned()];
    let text = || "ü".to_owned();
    let view = ReservationView {
        id: text(),
        concert: text(),
        user: text(),
        state: ReservationState::Released,
        seats: seats.clone(),
        general: vec![places.clone()],
        amount_minor: i64::MAX,
        currency: text(),
        expires_at_ms: i64::MIN,
    };
    let rejection = Rejection {
        code: text(),
        detail: text(),
        taken: seats.clone(),
        alternatives: seats.clone(),
        errors: vec![FieldError {
            field: text(),
            detail: text(),
        }],
    };
    let group = SeatGroup {
        section: text(),
        seats: vec![Place {
            row: u16::MAX,
            number: 1,
        }],
    };
    let mut plan = concert("u", "k");
    plan.hall = Some(text());
    round_trip(plan.clone());
    round_trip(HoldSeats {
        user: text(),
        command_id: text(),
        seats: seats.clone(),
        best: Some(best),
        general: Some(places.clone()),
    });
    round_trip(ReleaseHold {
        user: text(),
        command_id: text(),
        reservation: text(),
    });
    round_trip(CommandResult {
        id: [7; 16],
        user: text(),
        command_id: text(),
        concert: text(),
        rejection: Some(rejection),
        reservation: Some(view),
        concert_created: Some(true),
    });
    round_trip(SeatsHeld {
        reservation: text(),
        concert: text(),
        user: text(),
        seats: seats.clone(),
        general: vec![places.clone()],
        amount_minor: 1,
        currency: text(),
        held_at_ms: 2,
        expires_at_ms: 3,
    });
    round_trip(HoldReleased {
        reservation: text(),
        concert: text(),
        user: text(),
        seats: seats.clone(),
        general: vec![places.clone()],
        released_at_ms: 4,
    });
    round_trip(HoldExpired {
        reservation: text(),
        concert: text(),
        user: text(),
        seats: seats.clone(),
        general: vec![places.clone()],
        expired_at_ms: 5,
    });
    round_trip(ConcertListing {
        title: text(),
        hall: Some(text()),
        sections: plan.sections.clone(),
        created_at_ms: 6,
        ..ConcertListing::default()
    });
    round_trip(Concert {
        command: [1; 16],
        body_hash: [2; 16],
        sale_opens_at_ms: 1,
        sale_closes_at_ms: 2,
        currency: text(),
        max_seats_per_user: 4,
        hold_seconds: 5,
        created_at_ms: 6,
    });
    round_trip(ConcertDetails {
        run: Some(text()),
        sections: seats,
        ..ConcertDetails::default()
    });
    round_trip(Section {
        name: text(),
        grade: text(),
        price_minor: 1,
        rows: 1_000,
        seats_per_row: u16::MAX,
        capacity: u32::MAX,
    });
    round_trip(SeatBlock {
        version: 9,
        bits: vec![0, 255],
    });
    round_trip(GeneralStock {
        version: 9,
        held: u32::MAX,
        sold: 1,
    });
    round_trip(Reservation {
        user: text(),
        command_id: text(),
        body_hash: [3; 16],
        seats: vec![group],
        general: vec![places],
        amount_minor: 1,
        currency: text(),
        state: ReservationState::Expired,
        held_at_ms: 1,
        first_deadline_ms: 2,
        deadline_ms: 3,
        ended_at_ms: Some(4),
    });
    round_trip(Receipt {
        body_hash: [4; 16],
        answer: vec![1, 2],
        expires_at_ms: 5,
    });
}

fn round_trip<R: AvroRecord + PartialEq + Debug + Default>(record: R) {
    for record in [record, R::default()] {
        let written = bytes(&record);
        assert_eq!(stagedoor_avro::decode::<R>(&written).unwrap(), record);
    }
    let schema = registry().by_id(R::SCHEMA_ID).unwrap();
    assert_eq!(schema.name, R::NAME);
    let newest = registry().latest(R::NAME).unwrap();
    assert_eq!(
        newest.id,
        R::SCHEMA_ID,
        "{} is not written with its newest schema",
        R::NAME
    );
}

#[test]
fn every_schema_of_concerts_has_a_type() {
    let mut typed = [
        PutConcert::SCHEMA_ID,
        HoldSeats::SCHEMA_ID,
        ReleaseHold::SCHEMA_ID,
        CommandResult::SCHEMA_ID,
        SeatsHeld::SCHEMA_ID,
        HoldReleased::SCHEMA_ID,
        HoldExpired::SCHEMA_ID,
        ConcertListing::SCHEMA_ID,
        Concert::SCHEMA_ID,
        ConcertDetails::SCHEMA_ID,
        Section::SCHEMA_ID,
        SeatBlock::SCHEMA_ID,
        GeneralStock::SCHEMA_ID,
        Reservation::SCHEMA_ID,
        Receipt::SCHEMA_ID,
    ];
    typed.sort_unstable();
    let known: Vec<u32> = (20..100)
        .filter(|id| registry().by_id(*id).is_some())
        .collect();
    assert_eq!(typed.as_slice(), known);
}
