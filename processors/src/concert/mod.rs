//! Concerts: one sub-topology that sells every seat of a concert exactly once.
//!
//! A reservation's life:
//! ```text
//!                          ReleaseHold by its owner
//!   HoldSeats ──► PENDING ─────────────────────────► RELEASED ──┐
//!                    │                                          │ 24 h, a timer
//!                    │ deadline, a timer                        ├────────────────► forgotten
//!                    └─────────────────────────────► EXPIRED ───┘
//! ```
//!
//! Invariants, each held by the folder alone, whatever is sent to it:
//! - A seat has at most one live reservation: its two bits are `held` exactly while one has it.
//! - Of every section, free and held and sold add up to its capacity after every record.
//! - A user's live seats never exceed the concert's limit.
//! - A hold is usable before its deadline and never after: timers that are due at a record's time
//!   fire before the record.
//! - One effect per command id (scoped to user and concert). From then on the same bytes are
//!   answered for 24 hours. A refused command leaves nothing and may be sent again.
//! - The same records in the same order give the same bytes.
//!
//! | topic | | key |
//! |---|---|---|
//! | `concert.commands` | in: [`records::PutConcert`], [`records::HoldSeats`], [`records::ReleaseHold`] | concert id |
//! | `results` | out: [`records::CommandResult`], one a command | command id |
//! | `reservation.events` | out: [`records::SeatsHeld`], [`records::HoldReleased`], [`records::HoldExpired`] | user |
//! | `catalogue` | out: [`records::ConcertListing`], once a concert | concert id |
//!
//! Stores stand in `stores.rs`. A hold writes its result, its event, its reservation and the
//! touched blocks: four records as a rule. Blocks and stocks that nobody has touched have no row.
//! A reservation's row is the receipt of its command, and a concert's row is that of its own.
//!
//! Reading order: `command.rs` (what comes in), `decide/` (what happens), `evolve.rs` (what that
//! changes), `processor.rs` (the same, with a store and a log around it), `queries.rs` (readers).

mod alternatives;
mod answers;
mod best_available;
mod body;
mod code;
mod command;
mod concert_view;
mod decide;
mod evolve;
mod free_row;
mod lifecycle;
mod plan;
mod processor;
pub mod queries;
pub mod records;
pub mod seats;
mod split;
pub mod stores;

#[cfg(test)]
mod tests;

pub use code::Code;
pub use command::{Command, MAX_CONCERT_ID_BYTES, MAX_ID_CHARS, Request};
pub use decide::{Decision, Event, FirstAnswer, MAX_SEATS_PER_HOLD, View, decide, due};
pub use evolve::{Change, evolve};
pub use plan::{HOLD_SECONDS, SEATS_PER_USER};
pub use processor::ConcertProcessor;

use std::sync::Arc;

use stagedoor_state::StateError;
use stagedoor_topology::{Sink, Source, SubTopology};

/// Name of the sub-topology, and part of the names of its changelogs.
pub const CONCERT: &str = "concert";
/// Where commands come from, keyed by concert id.
pub const COMMANDS: Source = Source {
    name: "concert-commands",
    topic: "concert.commands",
};
/// Where answers go, keyed by command id.
pub const RESULTS: Sink = Sink {
    name: "results",
    topic: "results",
};
/// Where facts about reservations go, keyed by user.
pub const EVENTS: Sink = Sink {
    name: "reservation-events",
    topic: "reservation.events",
};
/// Where concerts publish themselves, keyed by concert id.
pub const CATALOGUE: Sink = Sink {
    name: "catalogue-entries",
    topic: "catalogue",
};

/// The sub-topology of concerts.
///
/// # Errors
/// Where two of its stores share an id or a name.
pub fn sub_topology() -> Result<SubTopology, StateError> {
    Ok(SubTopology {
        name: CONCERT,
        source: COMMANDS,
        processor_name: CONCERT,
        processor: || Box::new(ConcertProcessor::default()),
        stores: Arc::new(stores::store_set()?),
        timers: Some(stores::DEADLINES.id()),
        sinks: vec![RESULTS, EVENTS, CATALOGUE],
    })
}
