//! The catalogue: every schema version ever released, with its id. Rows are added, never changed.

/// One row: id, full name of the record, version, text of the `.avsc` file.
pub(crate) type Row = (u32, &'static str, u32, &'static str);

/// Ids are for ever, because they stand in every record that was written with them.
/// 1-19 belong to the runtime, 20-99 to concerts.
#[rustfmt::skip]
pub(crate) const CATALOGUE: &[Row] = &[
    (1, "stagedoor.topology.Position", 1, include_str!("../schemas/topology/Position.v1.avsc")),
    (2, "stagedoor.topology.Tick", 1, include_str!("../schemas/topology/Tick.v1.avsc")),
    (3, "stagedoor.topology.Instance", 1, include_str!("../schemas/topology/Instance.v1.avsc")),
    (4, "stagedoor.topology.Checkpoint", 1, include_str!("../schemas/topology/Checkpoint.v1.avsc")),
    // Concerts.
    (20, "stagedoor.concert.PutConcert", 1, include_str!("../schemas/concert/PutConcert.v1.avsc")),
    (21, "stagedoor.concert.HoldSeats", 1, include_str!("../schemas/concert/HoldSeats.v1.avsc")),
    (22, "stagedoor.concert.ReleaseHold", 1, include_str!("../schemas/concert/ReleaseHold.v1.avsc")),
    (30, "stagedoor.concert.CommandResult", 1, include_str!("../schemas/concert/CommandResult.v1.avsc")),
    (40, "stagedoor.concert.SeatsHeld", 1, include_str!("../schemas/concert/SeatsHeld.v1.avsc")),
    (41, "stagedoor.concert.HoldReleased", 1, include_str!("../schemas/concert/HoldReleased.v1.avsc")),
    (42, "stagedoor.concert.HoldExpired", 1, include_str!("../schemas/concert/HoldExpired.v1.avsc")),
    (50, "stagedoor.concert.ConcertListing", 1, include_str!("../schemas/concert/ConcertListing.v1.avsc")),
    (60, "stagedoor.concert.Concert", 1, include_str!("../schemas/concert/Concert.v1.avsc")),
    (61, "stagedoor.concert.ConcertDetails", 1, include_str!("../schemas/concert/ConcertDetails.v1.avsc")),
    (62, "stagedoor.concert.Section", 1, include_str!("../schemas/concert/Section.v1.avsc")),
    (63, "stagedoor.concert.SeatBlock", 1, include_str!("../schemas/concert/SeatBlock.v1.avsc")),
    (64, "stagedoor.concert.GeneralStock", 1, include_str!("../schemas/concert/GeneralStock.v1.avsc")),
    (65, "stagedoor.concert.Reservation", 1, include_str!("../schemas/concert/Reservation.v1.avsc")),
    (66, "stagedoor.concert.Receipt", 1, include_str!("../schemas/concert/Receipt.v1.avsc")),
];
