//! Puts many keys in order at once, for less than keeping them in order one by one.
//!
//! The keys of a store begin alike: with its id, and often with the same concert. So each store is
//! sorted by the eight bytes behind what all of its keys share, as one number; whole keys are
//! compared only where these are equal.

/// Sorts slots by their keys, which are not empty.
pub(crate) fn sort_by_key<'k>(slots: &mut Vec<usize>, key: impl Fn(usize) -> &'k [u8]) {
    let mut stores: Vec<(u8, Vec<usize>)> = Vec::new();
    for slot in slots.drain(..) {
        let id = key(slot).first().copied().unwrap_or_default();
        match stores.iter_mut().find(|(known, _)| *known == id) {
            Some((_, members)) => members.push(slot),
            None => stores.push((id, vec![slot])),
        }
    }
    stores.sort_unstable_by_key(|(id, _)| *id);
    for (_, members) in &stores {
        let shared = shared_prefix(members.iter().map(|slot| key(*slot)));
        let numbered = |slot: &usize| (number(&key(*slot)[shared..]), *slot);
        let mut members: Vec<(u64, usize)> = members.iter().map(numbered).collect();
        members.sort_unstable_by(|(a, of_a), (b, of_b)| {
            a.cmp(b).then_with(|| key(*of_a).cmp(key(*of_b)))
        });
        slots.extend(members.into_iter().map(|(_, slot)| slot));
    }
}

/// How many bytes all keys begin with.
fn shared_prefix<'k>(mut keys: impl Iterator<Item = &'k [u8]>) -> usize {
    let Some(first) = keys.next() else { return 0 };
    keys.fold(first.len(), |shared, key| {
        if key.starts_with(&first[..shared]) {
            return shared;
        }
        let same = first.iter().zip(key).take(shared);
        same.take_while(|(a, b)| a == b).count()
    })
}

/// The first eight bytes as a number that sorts as they do; what is missing counts as zero.
fn number(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = bytes.len().min(8);
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::sort_by_key;

    proptest! {
        #[test]
        fn slots_come_in_the_order_of_their_keys(
            keys in prop::collection::vec(
                (prop::sample::select(vec!["\x01", "\x02", "\x02concert\0\0", "\x02concert\0\0\0\0\0\0"]),
                 prop::collection::vec(0..3_u8, 0..12)),
                0..60,
            ),
        ) {
            let keys: Vec<Vec<u8>> = keys
                .into_iter()
                .map(|(start, end)| [start.as_bytes(), &end].concat())
                .collect();
            let mut slots: Vec<usize> = (0..keys.len()).collect();
            sort_by_key(&mut slots, |slot| &keys[slot]);
            let sorted: Vec<&Vec<u8>> = slots.iter().map(|slot| &keys[*slot]).collect();
            let mut expected: Vec<&Vec<u8>> = keys.iter().collect();
            expected.sort();
            prop_assert_eq!(sorted, expected);
        }
    }
}
