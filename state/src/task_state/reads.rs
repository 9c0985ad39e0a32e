//! Reading one's own writes: the overlay over a sealed batch over the cache over storage.

use std::ops::ControlFlow;

use super::TaskState;
use super::due::begun_index;
use crate::StateError;
use crate::read::{ReadState, VisitRow};

impl ReadState for TaskState {
    fn visit_bytes(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, StateError> {
        let hash = self.overlay.hash(key);
        let open = self.overlay.get_hashed(hash, key);
        match open.or_else(|| self.sealed_row(hash, key)) {
            Some(Some(value)) => {
                visit(value);
                Ok(true)
            }
            Some(None) => Ok(false),
            None => self.committed(hash, key, visit),
        }
    }

    fn scan_bytes(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        let Some(id) = begun_index(&self.stores, from, until) else {
            return self.merged(from, until, visit);
        };
        let Some(from) = self.floors.seen_from(id, until) else {
            return Ok(());
        };
        let mut first = None;
        self.merged(&from, until, &mut |key, value| {
            if first.is_none() {
                first = Some(key.to_vec());
            }
            visit(key, value)
        })?;
        self.floors.see(id, first.unwrap_or_else(|| until.to_vec()));
        Ok(())
    }
}

impl TaskState {
    /// Visits the rows of a range, of what is written and of what is stored.
    fn merged(
        &self,
        from: &[u8],
        until: &[u8],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StateError> {
        let mut written = self.written(from, until).peekable();
        let mut flow = ControlFlow::Continue(());
        self.floors.scan(
            self.storage.as_ref(),
            &self.stores,
            (from, until),
            &mut |key, value| {
                while let Some(row) = written.next_if(|row| row.key < key) {
                    flow = row
                        .value
                        .map_or(ControlFlow::Continue(()), |value| visit(row.key, value));
                    flow?;
                }
                flow = match written.next_if(|row| row.key == key) {
                    Some(row) => row
                        .value
                        .map_or(ControlFlow::Continue(()), |new| visit(key, new)),
                    None => visit(key, value),
                };
                flow
            },
        )?;
        while let (ControlFlow::Continue(()), Some(row)) = (flow, written.next()) {
            flow = row
                .value
                .map_or(ControlFlow::Continue(()), |value| visit(row.key, value));
        }
        Ok(())
    }

    /// Shows a committed row, and remembers it. Where a visitor reads again while it is shown
    /// one, the cache is busy and simply left out.
    fn committed(
        &self,
        hash: u64,
        key: &[u8],
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, StateError> {
        let cached = self.cache.try_borrow().ok().and_then(|cache| {
            let (value, aging) = cache.get(hash, key)?;
            visit(value);
            Some(aging)
        });
        if let Some(aging) = cached {
            if let (true, Ok(mut cache)) = (aging, self.cache.try_borrow_mut()) {
                cache.renew(hash, key);
            }
            return Ok(true);
        }
        if self.absent.is_certain(&self.stores, key, hash) {
            return Ok(false);
        }
        self.storage.get(key, &mut |value| {
            visit(value);
            if let Ok(mut cache) = self.cache.try_borrow_mut() {
                cache.insert(hash, key, value);
            }
        })
    }
}
