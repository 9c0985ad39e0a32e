//! The symbol of an enum on its way in.

use serde::de::{
    DeserializeSeed, EnumAccess, Error, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
};

use super::problem::Problem;

/// A symbol of an enum.
pub(super) struct Symbol<'p>(pub(super) &'p str);

impl<'de> EnumAccess<'de> for Symbol<'_> {
    type Error = Problem;
    type Variant = Unit;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Unit), Problem> {
        let variant = seed.deserialize(StrDeserializer::<Problem>::new(self.0))?;
        Ok((variant, Unit))
    }
}

/// What follows a symbol: nothing.
pub(super) struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Problem;

    #[inline]
    fn unit_variant(self) -> Result<(), Problem> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Problem> {
        Err(Problem::invalid_type(
            Unexpected::UnitVariant,
            &"newtype variant",
        ))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Problem> {
        Err(Problem::invalid_type(
            Unexpected::UnitVariant,
            &"tuple variant",
        ))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Problem> {
        Err(Problem::invalid_type(
            Unexpected::UnitVariant,
            &"struct variant",
        ))
    }
}
