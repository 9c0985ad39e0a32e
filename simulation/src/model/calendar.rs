//! What happens by itself, and when.

use std::collections::BTreeSet;

use stagedoor_processors::id::Hash;

/// Times at which something happens to a hold, in the order in which it does: time, concert, hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Calendar(BTreeSet<(i64, String, Hash)>);

impl Calendar {
    pub(super) fn add(&mut self, at_ms: i64, concert: &str, hold: Hash) {
        self.0.insert((at_ms, concert.to_owned(), hold));
    }

    pub(super) fn cancel(&mut self, at_ms: i64, concert: &str, hold: Hash) {
        self.0.remove(&(at_ms, concert.to_owned(), hold));
    }

    /// Takes out what is due, first things first, at most so many of them.
    pub(super) fn take_due(&mut self, now_ms: i64, most: usize) -> Vec<(String, Hash)> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(first) = self.0.first()
            && first.0 <= now_ms
        {
            due.extend(self.0.pop_first().map(|(_, concert, hold)| (concert, hold)));
        }
        due
    }

    /// Everything that is still to come.
    pub(super) fn entries(&self) -> impl Iterator<Item = &(i64, String, Hash)> {
        self.0.iter()
    }
}
