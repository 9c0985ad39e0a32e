//! From a schema to its plan: references resolved, logical types reduced to what is written.

use std::sync::Arc;

use apache_avro::{
    Schema,
    schema::{Name, RecordSchema, UnionSchema, UuidSchema},
};

use super::{
    default,
    plan::{Field, Nullable, Plan, Record},
};

/// The plan of a schema that has an allowed shape; none for others.
pub(crate) fn compile(schema: &Schema) -> Option<Plan> {
    Compiler::default().plan(schema)
}

#[derive(Default)]
struct Compiler<'s> {
    named: Vec<(&'s Name, Plan)>,
}

impl<'s> Compiler<'s> {
    fn plan(&mut self, schema: &'s Schema) -> Option<Plan> {
        let plan = match schema {
            Schema::Null => Plan::Null,
            Schema::Boolean => Plan::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Plan::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Plan::Long,
            Schema::Float => Plan::Float,
            Schema::Double => Plan::Double,
            Schema::String | Schema::Uuid(UuidSchema::String) => Plan::String,
            Schema::Bytes => Plan::Bytes,
            Schema::Array(array) => Plan::Array(Box::new(self.plan(&array.items)?)),
            Schema::Map(map) => Plan::Map(Box::new(self.plan(&map.types)?)),
            Schema::Union(union) => self.nullable(union)?,
            Schema::Fixed(fixed) => self.remember(&fixed.name, Plan::Fixed(fixed.size)),
            Schema::Enum(symbols) => {
                let plan = Plan::Enum(symbols.symbols.clone().into());
                self.remember(&symbols.name, plan)
            }
            Schema::Record(record) => self.record(record)?,
            Schema::Ref { name } => {
                let known = self.named.iter().rev().find(|(known, _)| *known == name);
                known?.1.clone()
            }
            Schema::Decimal(_)
            | Schema::BigDecimal
            | Schema::Duration(_)
            | Schema::Uuid(UuidSchema::Bytes | UuidSchema::Fixed(_)) => return None,
        };
        Some(plan)
    }

    fn nullable(&mut self, union: &'s UnionSchema) -> Option<Plan> {
        let (null_first, value) = match union.variants() {
            [Schema::Null, value] => (true, value),
            [value, Schema::Null] => (false, value),
            _ => return None,
        };
        let value = self.plan(value)?;
        Some(Plan::Nullable(Box::new(Nullable { null_first, value })))
    }

    fn record(&mut self, record: &'s RecordSchema) -> Option<Plan> {
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let plan = self.plan(&field.schema)?;
            let default = field.default.as_ref();
            let default = default.and_then(|value| default::encoded(&plan, value));
            fields.push(Field::new(&field.name, plan, default));
        }
        let plan = Plan::Record(Arc::new(Record::new(record.name.name(), fields)));
        Some(self.remember(&record.name, plan))
    }

    fn remember(&mut self, name: &'s Name, plan: Plan) -> Plan {
        self.named.push((name, plan.clone()));
        plan
    }
}
