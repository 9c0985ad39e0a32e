//! Sample values of any allowed schema, and values as JSON that people can read.
#![expect(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a schema of a type that is new here must fail"
)]

use apache_avro::{Schema, types::Value};
use serde_json::json;

/// How much a sample holds.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Filling {
    /// Every nullable is there, every list has two items.
    Full,
    /// Every nullable is null, every list is empty.
    Empty,
}

/// A value of the schema, the same every time.
pub(crate) fn sample(schema: &Schema, filling: Filling) -> Value {
    Sampler {
        filling,
        named: Vec::new(),
        count: 0,
    }
    .value(schema)
}

struct Sampler<'s> {
    filling: Filling,
    named: Vec<(String, &'s Schema)>,
    /// Numbers the leaves, so that swapped fields show.
    count: u8,
}

impl<'s> Sampler<'s> {
    fn value(&mut self, schema: &'s Schema) -> Value {
        if let Some(name) = schema.name()
            && !matches!(schema, Schema::Ref { .. })
        {
            self.named.push((name.fullname(None), schema));
        }
        self.count = self.count.wrapping_add(1);
        match self.filling {
            Filling::Full => self.full(schema),
            Filling::Empty => self.empty(schema),
        }
    }

    fn full(&mut self, schema: &'s Schema) -> Value {
        let count = self.count;
        match schema {
            Schema::Boolean => Value::Boolean(true),
            Schema::Int => Value::Int(1_000 + i32::from(count)),
            Schema::Long => Value::Long(1_234_567_890_000 + i64::from(count)),
            Schema::TimestampMillis => Value::TimestampMillis(1_790_000_000_000 + i64::from(count)),
            Schema::Float => Value::Float(f32::from(count) + 0.5),
            Schema::Double => Value::Double(f64::from(count) + 0.25),
            Schema::Bytes => Value::Bytes(vec![count, 0, 255]),
            Schema::String => Value::String(format!("täxt {count}")),
            Schema::Fixed(fixed) => Value::Fixed(fixed.size, vec![count; fixed.size]),
            Schema::Enum(symbols) => {
                let last = symbols.symbols.len() - 1;
                Value::Enum(u32::try_from(last).unwrap(), symbols.symbols[last].clone())
            }
            Schema::Array(array) => {
                Value::Array(vec![self.value(&array.items), self.value(&array.items)])
            }
            Schema::Map(map) => Value::Map([("key".to_owned(), self.value(&map.types))].into()),
            Schema::Union(union) => {
                let some = usize::from(union.variants()[0] == Schema::Null);
                let value = self.value(&union.variants()[some]);
                Value::Union(u32::try_from(some).unwrap(), Box::new(value))
            }
            other => self.either(other),
        }
    }

    fn empty(&mut self, schema: &'s Schema) -> Value {
        match schema {
            Schema::Boolean => Value::Boolean(false),
            Schema::Int => Value::Int(i32::MIN),
            Schema::Long => Value::Long(i64::MIN),
            Schema::TimestampMillis => Value::TimestampMillis(-1),
            Schema::Float => Value::Float(0.0),
            Schema::Double => Value::Double(0.0),
            Schema::Bytes => Value::Bytes(vec![]),
            Schema::String => Value::String(String::new()),
            Schema::Fixed(fixed) => Value::Fixed(fixed.size, vec![0; fixed.size]),
            Schema::Enum(symbols) => Value::Enum(0, symbols.symbols[0].clone()),
            Schema::Array(_) => Value::Array(vec![]),
            Schema::Map(_) => Value::Map([].into()),
            Schema::Union(union) => {
                let null = u32::from(union.variants()[0] != Schema::Null);
                // The other branch may define a type that a later field refers to.
                for variant in union.variants() {
                    self.value(variant);
                }
                Value::Union(null, Box::new(Value::Null))
            }
            other => self.either(other),
        }
    }

    fn either(&mut self, schema: &'s Schema) -> Value {
        match schema {
            Schema::Null => Value::Null,
            Schema::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|field| (field.name.clone(), self.value(&field.schema)));
                Value::Record(fields.collect())
            }
            Schema::Ref { name } => {
                let name = name.fullname(None);
                let known = self.named.iter().find(|(known, _)| *known == name);
                let schema = known.expect("defined before its use").1;
                self.value(schema)
            }
            other => panic!("give the samples a value of {other:?}"),
        }
    }
}

/// The value as JSON: bytes in hexadecimal, a nullable as the value or null.
pub(crate) fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::Long(number) | Value::TimestampMillis(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Double(number) => json!(number),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => json!(super::to_hex(bytes)),
        Value::String(text) | Value::Enum(_, text) => json!(text),
        Value::Union(_, value) => to_json(value),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), to_json(value)))
            .collect(),
        Value::Record(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), to_json(value)))
            .collect(),
        other => panic!("give the samples the json of {other:?}"),
    }
}
