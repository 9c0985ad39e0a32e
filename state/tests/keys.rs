//! Keys: their bytes sort as their values do, and are read back.

use proptest::prelude::*;
use stagedoor_state::{Key, KeyReader, KeyWriter, StateError};

fn bytes<K: Key>(key: &K) -> Vec<u8> {
    let mut writer = KeyWriter::default();
    key.write(&mut writer);
    writer.into_bytes()
}

fn check<K: Key + Ord + Clone + std::fmt::Debug>(a: &K, b: &K) {
    assert_eq!(bytes(a).cmp(&bytes(b)), a.cmp(b), "{a:?} and {b:?}");
    let written = bytes(a);
    assert_eq!(
        K::read(&mut KeyReader::new(&written)).expect("written bytes"),
        a.clone()
    );
    for length in 0..written.len() {
        let short = K::read(&mut KeyReader::new(&written[..length]));
        assert!(
            matches!(short, Err(StateError::MalformedKey { .. })),
            "{a:?} cut at {length}"
        );
    }
}

/// Strings that are close to each other, with the bytes that have a meaning of their own.
fn text() -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', '\u{7f}', 'ÿ', '\u{10ffff}']);
    prop::collection::vec(letters, 0..5).prop_map(|letters| letters.into_iter().collect())
}

/// Numbers close to each other, and at the ends.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-3..3_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #[test]
    fn strings_sort_as_their_bytes_do(a in text(), b in text()) {
        check(&a, &b);
    }

    #[test]
    fn numbers_sort_by_value(a in number(), b in number(), c in any::<[u64; 2]>()) {
        check(&a, &b);
        check(&c[0], &c[1]);
        check(&a.to_be_bytes()[7], &b.to_be_bytes()[7]);
        check(&u16::from(a.to_be_bytes()[7]), &u16::from(b.to_be_bytes()[7]).wrapping_mul(257));
        check(&u32::from(a.to_be_bytes()[7]), &u32::from(b.to_be_bytes()[7]).wrapping_mul(65537));
    }

    #[test]
    fn tuples_sort_element_by_element(
        a in (text(), number(), text(), any::<[u8; 3]>()),
        b in (text(), number(), text(), any::<[u8; 3]>()),
        same in any::<bool>(),
    ) {
        let b = if same { (a.0.clone(), a.1, b.2, b.3) } else { b };
        check(&a, &b);
        check(&(a.0.clone(), a.2.clone()), &(b.0.clone(), b.2.clone()));
        check(&(a.1, a.0.clone(), a.3), &(b.1, b.0.clone(), b.3));
        check(&((a.0.clone(), a.1), a.2), &((b.0, b.1), b.2));
    }

    #[test]
    fn arbitrary_bytes_are_a_key_or_an_error(garbage in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(text) = String::read(&mut KeyReader::new(&garbage)) {
            prop_assert!(garbage.starts_with(&bytes(&text)));
        }
        let _ = <(u16, String, [u8; 4])>::read(&mut KeyReader::new(&garbage));
    }
}
