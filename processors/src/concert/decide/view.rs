//! What the rules may look at.

use std::rc::Rc;
use std::sync::Arc;

use crate::concert::records::{
    Concert, ConcertDetails, GeneralStock, Receipt, Reservation, SeatBlock, Section,
};
use crate::id::Hash;

/// The state of one concert at one moment. Rows are looked up as they are needed, because a hold
/// in a hall of 200,000 seats may read only the few blocks it is about.
pub trait View {
    /// Why something cannot be looked up.
    type Error;

    /// The concert, if it exists.
    ///
    /// # Errors
    /// As all methods here: only where the state cannot be read.
    fn concert(&self) -> Result<Option<Arc<Concert>>, Self::Error>;

    /// What else there is to know of it, the order of its sections among it.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn details(&self) -> Result<Option<Arc<ConcertDetails>>, Self::Error>;

    /// A section.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn section(&self, id: &str) -> Result<Option<Arc<Section>>, Self::Error>;

    /// A block of a reserved-seating section; `None`: all free.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn block(&self, section: &str, block: u16) -> Result<Option<Rc<SeatBlock>>, Self::Error>;

    /// Taken places of a general-admission section.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn stock(&self, section: &str) -> Result<GeneralStock, Self::Error>;

    /// Number of free seats or places of a section.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn free(&self, section: &str) -> Result<i64, Self::Error>;

    /// Number of seats and places in a user's live reservations.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn live_seats(&self, user: &str) -> Result<i64, Self::Error>;

    /// A reservation.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn reservation(&self, hash: &Hash) -> Result<Option<Reservation>, Self::Error>;

    /// A receipt that is not forgotten yet.
    ///
    /// # Errors
    /// See [`View::concert`].
    fn receipt(&self, hash: &Hash) -> Result<Option<Receipt>, Self::Error>;
}
