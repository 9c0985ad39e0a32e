//! The rules' view of a concert, over stored state.

use std::cell::RefCell;

use stagedoor_state::{ReadState, StateError, TypedRead as _};

use super::decide::View;
use super::records::{Concert, GeneralStock, Receipt, Reservation, SeatBlock, Section};
use super::stores::{
    CONCERTS, DETAILS, FREE_BY_SECTION, GENERAL, RECEIPTS, RESERVATIONS, SEATS, SEATS_BY_USER,
    SECTIONS,
};
use crate::id::Hash;

/// Blocks that are remembered: what was decided about is about to be changed.
const REMEMBERED: usize = 4;

/// One concert in a state that does not change meanwhile, at a log time.
///
/// Sections and the last blocks are remembered, because `evolve` asks for those that `decide` has
/// just looked at, and decoding them is what a hold spends most of its time on.
pub(super) struct ConcertView<'a, S: ?Sized> {
    state: &'a S,
    concert: &'a str,
    now_ms: i64,
    sections: RefCell<Vec<(String, Option<Section>)>>,
    blocks: RefCell<Vec<(String, u16, Option<SeatBlock>)>>,
}

impl<'a, S: ReadState + ?Sized> ConcertView<'a, S> {
    /// The concert of that id, whether it exists or not.
    pub(super) fn new(state: &'a S, concert: &'a str, now_ms: i64) -> Self {
        let (sections, blocks) = (RefCell::default(), RefCell::default());
        Self {
            state,
            concert,
            now_ms,
            sections,
            blocks,
        }
    }

    fn with<'k>(&'k self, section: &'k str) -> (&'k str, &'k str) {
        (self.concert, section)
    }
}

impl<S: ReadState + ?Sized> View for ConcertView<'_, S> {
    type Error = StateError;

    fn concert(&self) -> Result<Option<Concert>, StateError> {
        self.state.get(&CONCERTS, self.concert)
    }

    fn section_ids(&self) -> Result<Vec<String>, StateError> {
        let details = self.state.get(&DETAILS, self.concert)?;
        Ok(details.map(|details| details.sections).unwrap_or_default())
    }

    fn section(&self, id: &str) -> Result<Option<Section>, StateError> {
        let mut sections = self.sections.borrow_mut();
        if let Some((_, section)) = sections.iter().find(|(known, _)| known == id) {
            return Ok(section.clone());
        }
        let section = self.state.get(&SECTIONS, &self.with(id))?;
        sections.truncate(REMEMBERED - 1);
        sections.insert(0, (id.to_owned(), section.clone()));
        Ok(section)
    }

    fn block(&self, section: &str, block: u16) -> Result<Option<SeatBlock>, StateError> {
        let mut blocks = self.blocks.borrow_mut();
        let known = blocks
            .iter()
            .find(|(of, number, _)| of == section && *number == block);
        if let Some((_, _, row)) = known {
            return Ok(row.clone());
        }
        let row = self.state.get(&SEATS, &(self.concert, section, block))?;
        blocks.truncate(REMEMBERED - 1);
        blocks.insert(0, (section.to_owned(), block, row.clone()));
        Ok(row)
    }

    fn stock(&self, section: &str) -> Result<GeneralStock, StateError> {
        Ok(self
            .state
            .get(&GENERAL, &self.with(section))?
            .unwrap_or_default())
    }

    fn free(&self, section: &str) -> Result<i64, StateError> {
        self.state.sum(&FREE_BY_SECTION, &self.with(section))
    }

    fn live_seats(&self, user: &str) -> Result<i64, StateError> {
        self.state.sum(&SEATS_BY_USER, &self.with(user))
    }

    fn reservation(&self, hash: &Hash) -> Result<Option<Reservation>, StateError> {
        self.state.get(&RESERVATIONS, &(self.concert, hash))
    }

    fn receipt(&self, hash: &Hash) -> Result<Option<Receipt>, StateError> {
        self.state
            .get_at(&RECEIPTS, &(self.concert, hash), self.now_ms)
    }
}
