//! Arrays and maps on their way out.

use serde::ser::{Serialize, SerializeMap, SerializeSeq};

use super::{encode::Encoder, output::write_len, plan::Plan, problem::Problem};

/// Keys of maps.
static KEY: Plan = Plan::String;

/// Writes an array or a map as one block and the empty block that ends it.
pub(super) struct BlockEncoder<'p, 'o> {
    items: &'p Plan,
    out: &'o mut Vec<u8>,
    start: usize,
    declared: Option<usize>,
    written: usize,
}

impl<'p, 'o> BlockEncoder<'p, 'o> {
    #[inline]
    pub(super) fn new(items: &'p Plan, out: &'o mut Vec<u8>, declared: Option<usize>) -> Self {
        let start = out.len();
        if let Some(count) = declared
            && count > 0
        {
            write_len(count, out);
        }
        Self {
            items,
            out,
            start,
            declared,
            written: 0,
        }
    }

    #[inline]
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.written += 1;
        value.serialize(Encoder {
            plan: self.items,
            out: self.out,
        })
    }

    #[inline]
    fn finish(mut self) -> Result<(), Problem> {
        if self.declared != Some(self.written) {
            self.count_afterwards()?;
        }
        self.out.push(0);
        Ok(())
    }

    // Only iterators that do not know their length come here: the count moves in front of them.
    #[cold]
    fn count_afterwards(&mut self) -> Result<(), Problem> {
        if let Some(declared) = self.declared {
            let written = self.written;
            let reason = format!("{declared} items were announced but {written} came");
            return Err(Problem::new(reason));
        }
        if self.written > 0 {
            let mut count = Vec::new();
            write_len(self.written, &mut count);
            self.out.splice(self.start..self.start, count);
        }
        Ok(())
    }
}

impl SerializeSeq for BlockEncoder<'_, '_> {
    type Ok = ();
    type Error = Problem;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.write(value)
    }

    #[inline]
    fn end(self) -> Result<(), Problem> {
        self.finish()
    }
}

impl SerializeMap for BlockEncoder<'_, '_> {
    type Ok = ();
    type Error = Problem;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Problem> {
        let (plan, out) = (&KEY, &mut *self.out);
        key.serialize(Encoder { plan, out })
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.write(value)
    }

    #[inline]
    fn end(self) -> Result<(), Problem> {
        self.finish()
    }
}
