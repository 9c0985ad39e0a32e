//! Arrays and maps on their way in.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{decode::Decoder, input::Input, plan::Plan, problem::Problem};

/// Keys of maps.
static KEY: Plan = Plan::String;

/// The items of an array or the entries of a map.
pub(super) struct Blocks<'p, 'i, 'de> {
    items: &'p Plan,
    input: &'i mut Input<'de>,
    /// Items left in the block; 0 after the last block.
    left: u64,
}

impl<'p, 'i, 'de> Blocks<'p, 'i, 'de> {
    #[inline]
    pub(super) fn new(items: &'p Plan, input: &'i mut Input<'de>) -> Result<Self, Problem> {
        let left = input.block()?;
        Ok(Self { items, input, left })
    }

    #[inline]
    fn item<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let (plan, input) = (self.items, &mut *self.input);
        let value = seed.deserialize(Decoder { plan, input })?;
        self.left -= 1;
        if self.left == 0 {
            self.left = self.input.block()?;
        }
        Ok(value)
    }

    // Every item takes a byte, so a forged count reserves no more than the input could hold.
    #[inline]
    fn at_most(&self) -> Option<usize> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        Some(left.min(self.input.len()))
    }
}

impl<'de> SeqAccess<'de> for Blocks<'_, '_, 'de> {
    type Error = Problem;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Problem> {
        match self.left {
            0 => Ok(None),
            _ => self.item(seed).map(Some),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}

impl<'de> MapAccess<'de> for Blocks<'_, '_, 'de> {
    type Error = Problem;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        if self.left == 0 {
            return Ok(None);
        }
        let (plan, input) = (&KEY, &mut *self.input);
        seed.deserialize(Decoder { plan, input }).map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        match self.left {
            0 => Err(Problem::new("a value was asked for without its key")),
            _ => self.item(seed),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}
