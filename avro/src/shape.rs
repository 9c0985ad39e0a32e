//! Which schemas are allowed: those that have one plain Rust shape and bound what garbage can cost.

use apache_avro::{
    Schema,
    schema::{Name, RecordSchema, UnionSchema, UuidSchema},
};

/// Where a schema leaves the allowed shapes, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) path: String,
    pub(crate) reason: &'static str,
}

/// Checks the schema of a record.
pub(crate) fn check(schema: &Schema) -> Result<(), Refusal> {
    let mut walk = Walk::default();
    match walk.visit(schema) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Refusal {
            path: walk.path.join("."),
            reason,
        }),
    }
}

/// The walk over a schema. Visiting gives the fewest bytes that a value can take: 0, or 1 for more.
#[derive(Default)]
struct Walk<'s> {
    path: Vec<&'s str>,
    /// Records that are being visited: a reference to one of them is a recursion.
    open: Vec<&'s Name>,
    /// Named types that were visited, with their fewest bytes.
    named: Vec<(&'s Name, usize)>,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Schema) -> Result<usize, &'static str> {
        match schema {
            Schema::Null => Ok(0),
            Schema::Record(record) => self.visit_record(record),
            Schema::Array(array) => self.visit_items(&array.items),
            Schema::Map(map) => self.visit(&map.types).map(|_| 1),
            Schema::Union(union) => self.visit_union(union),
            Schema::Fixed(fixed) => Ok(self.remember(&fixed.name, fixed.size.min(1))),
            Schema::Enum(symbols) => Ok(self.remember(&symbols.name, 1)),
            Schema::Ref { name } => self.resolve(name),
            Schema::Decimal(_) | Schema::BigDecimal => Err("decimals have no plain rust type"),
            Schema::Duration(_) => Err("durations have no plain rust type"),
            Schema::Uuid(UuidSchema::Bytes | UuidSchema::Fixed(_)) => Err("uuids are strings here"),
            Schema::Boolean
            | Schema::Int
            | Schema::Long
            | Schema::Float
            | Schema::Double
            | Schema::Bytes
            | Schema::String
            | Schema::Uuid(UuidSchema::String)
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Ok(1),
        }
    }

    fn visit_record(&mut self, record: &'s RecordSchema) -> Result<usize, &'static str> {
        self.open.push(&record.name);
        let mut fewest = 0;
        for field in &record.fields {
            self.path.push(&field.name);
            fewest = fewest.max(self.visit(&field.schema)?);
            self.path.pop();
        }
        self.open.pop();
        Ok(self.remember(&record.name, fewest))
    }

    // A count of 2^62 items without bytes would keep the decoder busy for ever. An entry of a map
    // always has its key.
    fn visit_items(&mut self, items: &'s Schema) -> Result<usize, &'static str> {
        match self.visit(items)? {
            0 => Err("items of an array must take bytes"),
            _ => Ok(1),
        }
    }

    fn visit_union(&mut self, union: &'s UnionSchema) -> Result<usize, &'static str> {
        match union.variants() {
            [Schema::Null, value] | [value, Schema::Null] => self.visit(value).map(|_| 1),
            _ => Err("a union must be of null and one type"),
        }
    }

    // With a recursive schema a long input of ones could nest until the stack is gone.
    fn resolve(&self, name: &Name) -> Result<usize, &'static str> {
        if self.open.contains(&name) {
            return Err("a record must not contain itself");
        }
        let known = self.named.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, fewest)| *fewest)
            .ok_or("a named type must be defined before its use")
    }

    fn remember(&mut self, name: &'s Name, fewest: usize) -> usize {
        self.named.push((name, fewest));
        fewest
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
