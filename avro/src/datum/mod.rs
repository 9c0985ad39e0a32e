//! The datum behind the header: a serde serializer and deserializer that follow a compiled schema.
//!
//! Apache's own serde path looks every field up in a map and clones schemas into its errors, which
//! costs thousands of instructions a record. Here a schema is compiled once into a [`Plan`], and
//! a record that declares its fields in the schema's order is written and read straight along it.
//! Apache's crate still parses the schemas, and in the tests it judges every byte.

mod compile;
mod decode;
mod default;
mod encode;
mod input;
mod output;
mod plan;
mod problem;
mod read_blocks;
mod read_fields;
mod skip;
mod symbol;
mod write_blocks;
mod write_fields;

use serde::{Serialize, de::Deserialize};

pub(crate) use compile::compile;
pub(crate) use plan::Plan;
pub(crate) use problem::Problem;

/// Appends the datum of `value`. After an error `out` may end in a part of it.
pub(crate) fn write<T: Serialize>(
    plan: &Plan,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    value.serialize(encode::Encoder { plan, out })
}

/// Reads a datum; also gives the number of bytes behind it.
pub(crate) fn read<'de, T: Deserialize<'de>>(
    plan: &Plan,
    datum: &'de [u8],
) -> Result<(T, usize), Problem> {
    let mut input = input::Input::new(datum);
    let value = T::deserialize(decode::Decoder {
        plan,
        input: &mut input,
    })?;
    Ok((value, input.len()))
}

#[cfg(test)]
#[path = "../datum_tests.rs"]
mod tests;
