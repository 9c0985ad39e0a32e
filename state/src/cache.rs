//! The rows that one task reads again and again, in memory: the storage is asked once for them.
//!
//! Two generations of one buffer each. What is read goes into the young one; when that is full,
//! it becomes the old one, and what was in the old one and not read since is forgotten. So the
//! cache is bounded, and needs neither lists nor an allocation per row.

use std::mem;

use hashbrown::HashTable;

/// Bytes of keys and values per generation. A task has two of them.
const GENERATION_BYTES: usize = 2 << 20;

/// Committed rows of one task, by the hashes that the overlay gives their keys.
#[derive(Default)]
pub(crate) struct RowCache {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    bytes: Vec<u8>,
    rows: HashTable<CachedRow>,
}

struct CachedRow {
    hash: u64,
    key: (usize, usize),
    value: (usize, usize),
}

impl RowCache {
    /// The value of a row, if it is remembered, and whether it is about to be forgotten.
    pub(crate) fn get(&self, hash: u64, key: &[u8]) -> Option<(&[u8], bool)> {
        let young = self.young.get(hash, key).map(|value| (value, false));
        young.or_else(|| self.old.get(hash, key).map(|value| (value, true)))
    }

    /// Remembers a row that was read.
    pub(crate) fn insert(&mut self, hash: u64, key: &[u8], value: &[u8]) {
        if self.young.bytes.len() + key.len() + value.len() > GENERATION_BYTES {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(hash, key, value);
    }

    /// Keeps a remembered row for longer.
    pub(crate) fn renew(&mut self, hash: u64, key: &[u8]) {
        if let Some(value) = self.old.get(hash, key).map(<[u8]>::to_vec) {
            self.old.remove(hash, key);
            self.insert(hash, key, &value);
        }
    }

    /// A row is committed: what is remembered of it follows.
    pub(crate) fn update(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) {
        let known = self.young.remove(hash, key) | self.old.remove(hash, key);
        if let (true, Some(value)) = (known, value) {
            self.insert(hash, key, value);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

impl Generation {
    fn get(&self, hash: u64, key: &[u8]) -> Option<&[u8]> {
        let row = self.rows.find(hash, |row| self.at(row.key) == key)?;
        Some(self.at(row.value))
    }

    fn insert(&mut self, hash: u64, key: &[u8], value: &[u8]) {
        self.remove(hash, key);
        let row = CachedRow {
            hash,
            key: self.append(key),
            value: self.append(value),
        };
        self.rows.insert_unique(hash, row, |row| row.hash);
    }

    /// Forgets a row; true if it was there.
    fn remove(&mut self, hash: u64, key: &[u8]) -> bool {
        let bytes = &self.bytes;
        let is_it = |row: &CachedRow| &bytes[row.key.0..row.key.1] == key;
        match self.rows.find_entry(hash, is_it) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }

    fn append(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        (start, self.bytes.len())
    }

    fn at(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.bytes[start..end]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{GENERATION_BYTES, RowCache};

    /// Any hash will do; this one is that of FNV-1a.
    fn hash(key: &[u8]) -> u64 {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        key.iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    fn insert(cache: &mut RowCache, key: &[u8], value: &[u8]) {
        cache.insert(hash(key), key, value);
    }

    fn get<'a>(cache: &'a RowCache, key: &[u8]) -> Option<(&'a [u8], bool)> {
        cache.get(hash(key), key)
    }

    #[test]
    fn what_is_read_stays_and_the_rest_is_forgotten() {
        let mut cache = RowCache::default();
        insert(&mut cache, b"hot", b"1");
        insert(&mut cache, b"cold", b"1");
        for number in 0..100_000_u64 {
            insert(&mut cache, &number.to_be_bytes(), &[0; 100]);
            if get(&cache, b"hot").expect("a hot row").1 {
                cache.renew(hash(b"hot"), b"hot");
            }
        }
        assert!(get(&cache, b"cold").is_none());
        assert!(get(&cache, &99_999_u64.to_be_bytes()).is_some());
        assert!(cache.young.bytes.len().max(cache.old.bytes.len()) <= GENERATION_BYTES);
    }

    #[test]
    fn committed_rows_replace_what_is_remembered_in_either_generation() {
        let mut cache = RowCache::default();
        insert(&mut cache, b"a", b"1");
        insert(&mut cache, b"b", b"1");
        std::mem::swap(&mut cache.young, &mut cache.old);
        cache.update(hash(b"a"), b"a", Some(b"22"));
        cache.update(hash(b"b"), b"b", None);
        cache.update(hash(b"c"), b"c", Some(b"1"));
        assert_eq!(get(&cache, b"a"), Some((b"22".as_slice(), false)));
        assert_eq!(get(&cache, b"b"), None);
        assert_eq!(get(&cache, b"c"), None);
        assert!(cache.old.rows.is_empty());
    }
}
