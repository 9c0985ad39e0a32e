//! Rows that were decoded before. The same bytes are the same row, so nothing has to tell it of
//! writes, rollbacks or restores.

use std::sync::Arc;

use hashbrown::HashMap;
use stagedoor_avro::AvroRecord;

use crate::{StateError, Store};

/// Bytes of encoded rows that are remembered before all of them are forgotten.
const MOST_BYTES: usize = 128 << 10;

/// Decoded rows of one store that many records read and few change.
pub struct Memo<V> {
    rows: HashMap<Box<[u8]>, Arc<V>>,
    bytes: usize,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<V: AvroRecord> Memo<V> {
    /// The row of a stored value.
    pub(crate) fn row<K>(
        &mut self,
        store: &Store<K, V>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Arc<V>, StateError> {
        if let Some(row) = self.rows.get(value) {
            return Ok(Arc::clone(row));
        }
        let row = Arc::new(store.decode(key, value)?);
        if self.bytes + value.len() > MOST_BYTES {
            self.rows.clear();
            self.bytes = 0;
        }
        self.rows.insert(value.into(), Arc::clone(&row));
        self.bytes += value.len();
        Ok(row)
    }
}
