//! The types that are keys out of the box: strings, integers, fixed bytes, tuples of up to four.

use super::{Key, KeyLike, KeyReader, KeyWriter};
use crate::StateError;

impl KeyLike<String> for String {
    fn write(&self, out: &mut KeyWriter) {
        out.str(self);
    }
}

impl KeyLike<String> for str {
    fn write(&self, out: &mut KeyWriter) {
        out.str(self);
    }
}

impl<K, Q: KeyLike<K> + ?Sized> KeyLike<K> for &Q {
    fn write(&self, out: &mut KeyWriter) {
        (**self).write(out);
    }
}

impl Key for String {
    fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
        from.string()
    }
}

impl<const N: usize> KeyLike<[u8; N]> for [u8; N] {
    fn write(&self, out: &mut KeyWriter) {
        out.raw(self);
    }
}

impl<const N: usize> Key for [u8; N] {
    fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
        from.array()
    }
}

macro_rules! integer_keys {
    ($($integer:ident),+) => {$(
        impl KeyLike<$integer> for $integer {
            fn write(&self, out: &mut KeyWriter) {
                out.$integer(*self);
            }
        }

        impl Key for $integer {
            fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
                from.$integer()
            }
        }
    )+};
}
integer_keys!(u8, u16, u32, u64, i64);

macro_rules! tuple_key {
    ($($element:ident $like:ident $index:tt),+) => {
        impl<$($element: Key, $like: KeyLike<$element>),+> KeyLike<($($element,)+)> for ($($like,)+) {
            fn write(&self, out: &mut KeyWriter) {
                $(self.$index.write(out);)+
            }
        }

        impl<$($element: Key),+> Key for ($($element,)+) {
            fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
                Ok(($($element::read(from)?,)+))
            }
        }
    };
}
tuple_key!(A P 0);
tuple_key!(A P 0, B Q 1);
tuple_key!(A P 0, B Q 1, C R 2);
tuple_key!(A P 0, B Q 1, C R 2, D S 3);
