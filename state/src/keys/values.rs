//! The types that are keys out of the box: strings, integers, fixed bytes, tuples of up to four.

use super::{Key, KeyReader, KeyWriter};
use crate::StateError;

impl Key for String {
    fn write(&self, out: &mut KeyWriter) {
        out.str(self);
    }

    fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
        from.string()
    }
}

impl<const N: usize> Key for [u8; N] {
    fn write(&self, out: &mut KeyWriter) {
        out.raw(self);
    }

    fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
        from.array()
    }
}

macro_rules! integer_keys {
    ($($integer:ident),+) => {$(
        impl Key for $integer {
            fn write(&self, out: &mut KeyWriter) {
                out.$integer(*self);
            }

            fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
                from.$integer()
            }
        }
    )+};
}
integer_keys!(u8, u16, u32, u64, i64);

macro_rules! tuple_key {
    ($($element:ident $index:tt),+) => {
        impl<$($element: Key),+> Key for ($($element,)+) {
            fn write(&self, out: &mut KeyWriter) {
                $(self.$index.write(out);)+
            }

            fn read(from: &mut KeyReader<'_>) -> Result<Self, StateError> {
                Ok(($($element::read(from)?,)+))
            }
        }
    };
}
tuple_key!(A 0);
tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);
