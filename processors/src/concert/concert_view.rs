//! The rules' view of a concert, over stored state.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stagedoor_state::{Memo, ReadState, StateError, TypedRead as _};

use super::decide::View;
use super::records::{
    Concert, ConcertDetails, GeneralStock, Receipt, Reservation, SeatBlock, Section,
};
use super::stores::{
    CONCERTS, DETAILS, FREE_BY_SECTION, GENERAL, RECEIPTS, RESERVATIONS, SEATS, SEATS_BY_USER,
    SECTIONS,
};
use crate::id::Hash;

/// Blocks that are remembered: what was decided about is about to be changed.
const REMEMBERED: usize = 4;

/// What most commands read of a concert and none of them changes, decoded before.
#[derive(Default)]
pub(super) struct Memos {
    concerts: RefCell<Memo<Concert>>,
    details: RefCell<Memo<ConcertDetails>>,
    sections: RefCell<Memo<Section>>,
}

/// One concert in a state that does not change meanwhile, at a log time.
///
/// The last section and the last blocks are remembered, because `evolve` asks for those that
/// `decide` has just looked at.
pub(super) struct ConcertView<'a, S: ?Sized> {
    state: &'a S,
    memos: &'a Memos,
    concert: &'a str,
    now_ms: i64,
    section: RefCell<Option<(String, Option<Arc<Section>>)>>,
    blocks: RefCell<Vec<RememberedBlock>>,
}

/// Section, number, and the row if there is one.
type RememberedBlock = (String, u16, Option<Rc<SeatBlock>>);

impl<'a, S: ReadState + ?Sized> ConcertView<'a, S> {
    /// The concert of that id, whether it exists or not.
    pub(super) fn new(state: &'a S, memos: &'a Memos, concert: &'a str, now_ms: i64) -> Self {
        Self {
            state,
            memos,
            concert,
            now_ms,
            section: RefCell::default(),
            blocks: RefCell::default(),
        }
    }

    fn with<'k>(&'k self, section: &'k str) -> (&'k str, &'k str) {
        (self.concert, section)
    }
}

impl<S: ReadState + ?Sized> View for ConcertView<'_, S> {
    type Error = StateError;

    fn concert(&self) -> Result<Option<Arc<Concert>>, StateError> {
        let mut memo = self.memos.concerts.borrow_mut();
        self.state
            .get_remembered(&CONCERTS, self.concert, &mut memo)
    }

    fn details(&self) -> Result<Option<Arc<ConcertDetails>>, StateError> {
        let mut memo = self.memos.details.borrow_mut();
        self.state.get_remembered(&DETAILS, self.concert, &mut memo)
    }

    fn section(&self, id: &str) -> Result<Option<Arc<Section>>, StateError> {
        let mut last = self.section.borrow_mut();
        if let Some((_, section)) = last.as_ref().filter(|(known, _)| known == id) {
            return Ok(section.clone());
        }
        let mut memo = self.memos.sections.borrow_mut();
        let key = self.with(id);
        let section = self.state.get_remembered(&SECTIONS, &key, &mut memo)?;
        *last = Some((id.to_owned(), section.clone()));
        Ok(section)
    }

    fn block(&self, section: &str, block: u16) -> Result<Option<Rc<SeatBlock>>, StateError> {
        let mut blocks = self.blocks.borrow_mut();
        let known = blocks
            .iter()
            .find(|(of, number, _)| of == section && *number == block);
        if let Some((_, _, row)) = known {
            return Ok(row.clone());
        }
        let row = self.state.get(&SEATS, &(self.concert, section, block))?;
        let row = row.map(Rc::new);
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
