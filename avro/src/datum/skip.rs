//! The way past values of fields that a struct does not have.

use super::{input::Input, plan::Plan, problem::Problem};

impl Input<'_> {
    /// Goes past a value that nobody wants, and checks it as if somebody did.
    pub(super) fn skip(&mut self, plan: &Plan) -> Result<(), Problem> {
        match plan {
            Plan::Null => Ok(()),
            Plan::Boolean => self.boolean().map(drop),
            Plan::Int => self.int().map(drop),
            Plan::Long => self.long().map(drop),
            Plan::Float => self.take(4).map(drop),
            Plan::Double => self.take(8).map(drop),
            Plan::String => self.text().map(drop),
            Plan::Bytes => self.bytes().map(drop),
            Plan::Fixed(size) => self.take(*size).map(drop),
            Plan::Enum(symbols) => self.symbol(symbols).map(drop),
            Plan::Nullable(nullable) => match self.is_null(nullable.null_first)? {
                true => Ok(()),
                false => self.skip(&nullable.value),
            },
            Plan::Array(items) => self.skip_blocks(|input| input.skip(items)),
            Plan::Map(values) => self.skip_blocks(|input| {
                input.text()?;
                input.skip(values)
            }),
            Plan::Record(record) => record.fields.iter().try_for_each(|field| {
                let skipped = self.skip(&field.plan);
                skipped.map_err(|problem| problem.within(&field.name))
            }),
        }
    }

    fn skip_blocks(
        &mut self,
        skip_item: impl Fn(&mut Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        loop {
            let count = self.block()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                skip_item(self)?;
            }
        }
    }
}
