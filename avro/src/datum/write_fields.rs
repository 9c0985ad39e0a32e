//! The fields of a record on their way out.

use serde::ser::{Serialize, SerializeStruct};

use super::{
    encode::Encoder,
    plan::{Field, Record},
    problem::Problem,
};

/// Writes the fields of a record in the schema's order, whatever the struct's order is.
pub(super) struct RecordEncoder<'p, 'o> {
    fields: &'p [Field],
    out: &'o mut Vec<u8>,
    next: usize,
    /// Fields that came before their turn, by place.
    early: Vec<(usize, Vec<u8>)>,
}

impl<'p, 'o> RecordEncoder<'p, 'o> {
    #[inline]
    pub(super) fn new(record: &'p Record, out: &'o mut Vec<u8>) -> Self {
        Self {
            fields: &record.fields,
            out,
            next: 0,
            early: Vec::new(),
        }
    }

    fn place(&self, name: &str) -> Result<(usize, &'p Field), Problem> {
        let mut fields = self.fields.iter().enumerate();
        let found = fields.find(|(_, field)| field.name == name);
        found.ok_or_else(|| Problem::new("the schema has no such field").within(name))
    }

    #[cold]
    #[inline(never)]
    fn out_of_order<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), Problem> {
        let (place, field) = self.place(name)?;
        let mut bytes = Vec::new();
        let (plan, out) = (&field.plan, &mut bytes);
        let written = value.serialize(Encoder { plan, out });
        written.map_err(|problem| problem.within(name))?;
        self.put(place, bytes)
    }

    fn put(&mut self, place: usize, bytes: Vec<u8>) -> Result<(), Problem> {
        if place < self.next || self.early.iter().any(|(early, _)| *early == place) {
            return Err(Problem::new("came twice").within(&self.fields[place].name));
        }
        self.early.push((place, bytes));
        self.write_early();
        Ok(())
    }

    /// Writes all fields that came early and whose turn it is.
    fn write_early(&mut self) {
        while let Some(index) = self.early.iter().position(|(place, _)| *place == self.next) {
            let (_, bytes) = self.early.swap_remove(index);
            self.out.extend_from_slice(&bytes);
            self.next += 1;
        }
    }

    fn put_default(&mut self, place: usize) -> Result<(), Problem> {
        let field = &self.fields[place];
        let missing = || Problem::new("is missing and has no default").within(&field.name);
        self.put(place, field.default.clone().ok_or_else(missing)?)
    }
}

impl SerializeStruct for RecordEncoder<'_, '_> {
    type Ok = ();
    type Error = Problem;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        let Some(field) = self
            .fields
            .get(self.next)
            .filter(|field| field.is_called(name))
        else {
            return self.out_of_order(name, value);
        };
        let (plan, out) = (&field.plan, &mut *self.out);
        if let Err(problem) = value.serialize(Encoder { plan, out }) {
            return Err(problem.within(name));
        }
        self.next += 1;
        if !self.early.is_empty() {
            self.write_early();
        }
        Ok(())
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Problem> {
        let (place, _) = self.place(name)?;
        self.put_default(place)
    }

    #[inline]
    fn end(mut self) -> Result<(), Problem> {
        while self.next < self.fields.len() {
            self.put_default(self.next)?;
        }
        Ok(())
    }
}
