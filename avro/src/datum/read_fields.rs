//! The fields of a record on their way in.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, value::StrDeserializer};

use super::{
    decode::Decoder,
    input::Input,
    plan::{Field, Record},
    problem::Problem,
};

/// The fields of a record, with their names or without.
pub(super) struct Fields<'p, 'i, 'de> {
    left: &'p [Field],
    input: &'i mut Input<'de>,
}

impl<'p, 'i, 'de> Fields<'p, 'i, 'de> {
    #[inline]
    pub(super) fn new(record: &'p Record, input: &'i mut Input<'de>) -> Self {
        let left = &record.fields;
        Self { left, input }
    }

    #[inline]
    fn field<T: DeserializeSeed<'de>>(
        &mut self,
        field: &'p Field,
        seed: T,
    ) -> Result<T::Value, Problem> {
        let (plan, input) = (&field.plan, &mut *self.input);
        let value = seed.deserialize(Decoder { plan, input });
        value.map_err(|problem| problem.within(&field.name))
    }

    /// A struct whose list of names has aliases of its fields may stop too early.
    #[inline]
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.left {
            [] => Ok(()),
            [field, ..] => Err(Problem::new("the struct did not read it").within(&field.name)),
        }
    }
}

impl<'de> SeqAccess<'de> for Fields<'_, '_, 'de> {
    type Error = Problem;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Problem> {
        let [field, left @ ..] = self.left else {
            return Ok(None);
        };
        self.left = left;
        self.field(field, seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_, 'de> {
    type Error = Problem;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        let name = self.left.first().map(|field| field.name.as_str());
        name.map(|name| seed.deserialize(StrDeserializer::new(name)))
            .transpose()
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let [field, left @ ..] = self.left else {
            return Err(Problem::new("a value was asked for without its key"));
        };
        self.left = left;
        self.field(field, seed)
    }
}
