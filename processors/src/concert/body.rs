//! The hash of a command's body: what "the same body" means when a command id comes again.

use super::command::Command;
use super::records::{GeneralPlaces, HoldSeats, PutConcert, SectionPlan};
use crate::id::{Hash, digest};

/// Hash of everything in a command but its user and id. Stored with every effect, so what it
/// covers and how it is written must never change for commands that exist.
#[must_use]
pub(super) fn body_hash(command: &Command) -> Hash {
    let mut body = Body(Vec::with_capacity(128));
    match command {
        Command::PutConcert(command) => body.put_concert(command),
        Command::HoldSeats(command) => body.hold_seats(command),
        Command::ReleaseHold(command) => {
            body.text("ReleaseHold");
            body.text(&command.reservation);
        }
    }
    digest(&body.0)
}

/// Fields one after the other, so that no two lists of fields give the same bytes.
struct Body(Vec<u8>);

impl Body {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: impl Into<i64>) {
        self.0.extend_from_slice(&number.into().to_be_bytes());
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.number(text.is_some());
        self.text(text.unwrap_or_default());
    }

    fn optional_number(&mut self, number: Option<i32>) {
        self.number(number.is_some());
        self.number(number.unwrap_or_default());
    }

    fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&(length as u64).to_be_bytes());
    }

    fn hold_seats(&mut self, command: &HoldSeats) {
        self.text("HoldSeats");
        self.length(command.seats.len());
        for seat in &command.seats {
            self.text(seat);
        }
        self.number(command.best.is_some());
        if let Some(best) = &command.best {
            self.number(best.quantity);
            self.optional_text(best.section.as_deref());
            self.number(best.split);
        }
        self.number(command.general.is_some());
        if let Some(GeneralPlaces { section, quantity }) = &command.general {
            self.text(section);
            self.number(*quantity);
        }
    }

    fn put_concert(&mut self, command: &PutConcert) {
        self.text("PutConcert");
        for text in [&command.title, &command.artist, &command.venue] {
            self.text(text);
        }
        self.optional_text(command.hall.as_deref());
        self.optional_text(command.run.as_deref());
        self.text(&command.time_zone);
        for time in [command.starts_at_ms, command.ends_at_ms] {
            self.number(time);
        }
        for time in [command.sale_opens_at_ms, command.sale_closes_at_ms] {
            self.number(time);
        }
        self.text(&command.currency);
        self.number(command.max_seats_per_user);
        self.number(command.hold_seconds);
        self.length(command.sections.len());
        for section in &command.sections {
            self.section(section);
        }
    }

    fn section(&mut self, section: &SectionPlan) {
        for text in [&section.id, &section.name, &section.grade] {
            self.text(text);
        }
        self.number(section.price_minor);
        for number in [section.rows, section.seats_per_row, section.capacity] {
            self.optional_number(number);
        }
    }
}
