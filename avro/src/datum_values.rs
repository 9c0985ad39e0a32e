//! Values of any schema made from random bytes, and their way into a serializer.

use std::collections::HashMap;

use apache_avro::{Schema, schema::Name, types::Value};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// The named types of a schema.
pub(super) struct Names(HashMap<Name, &'static Schema>);

impl Names {
    pub(super) fn of(schema: &'static Schema) -> Self {
        let mut names = Self(HashMap::new());
        names.collect(schema);
        names
    }

    fn collect(&mut self, schema: &'static Schema) {
        if let Some(name) = schema.name()
            && !matches!(schema, Schema::Ref { .. })
        {
            self.0.insert(name.clone(), schema);
        }
        if let Schema::Record(record) = schema {
            record
                .fields
                .iter()
                .for_each(|field| self.collect(&field.schema));
        } else if let Schema::Union(union) = schema {
            union
                .variants()
                .iter()
                .for_each(|variant| self.collect(variant));
        } else if let Schema::Array(array) = schema {
            self.collect(&array.items);
        } else if let Schema::Map(map) = schema {
            self.collect(&map.types);
        }
    }

    fn resolve(&self, schema: &'static Schema) -> &'static Schema {
        if let Schema::Ref { name } = schema {
            self.0[name]
        } else {
            schema
        }
    }
}

/// A value of a schema; after the last byte of entropy everything is empty.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a type that is new here must fail"
)]
pub(super) fn value_of(
    schema: &'static Schema,
    entropy: &mut impl Iterator<Item = u8>,
    names: &Names,
) -> Value {
    let mut byte = || entropy.next().unwrap_or(0);
    match names.resolve(schema) {
        Schema::Null => Value::Null,
        Schema::Boolean => Value::Boolean(byte() & 1 == 1),
        Schema::Int => {
            Value::Int(i32::from_le_bytes([byte(), byte(), byte(), byte()]) >> (byte() % 32))
        }
        Schema::Long => Value::Long(long(byte)),
        Schema::TimestampMillis => Value::TimestampMillis(long(byte)),
        Schema::Float => Value::Float(f32::from(byte()) / 7.0),
        Schema::Double => Value::Double(f64::from(byte()) / 7.0),
        Schema::Bytes => Value::Bytes(some(byte)),
        Schema::String => Value::String(some(byte).into_iter().map(char::from).collect()),
        Schema::Fixed(fixed) => Value::Fixed(fixed.size, (0..fixed.size).map(|_| byte()).collect()),
        Schema::Enum(symbols) => {
            let index = usize::from(byte()) % symbols.symbols.len();
            Value::Enum(
                u32::try_from(index).unwrap(),
                symbols.symbols[index].clone(),
            )
        }
        Schema::Array(array) => {
            let count = byte() % 4;
            Value::Array(
                (0..count)
                    .map(|_| value_of(&array.items, entropy, names))
                    .collect(),
            )
        }
        // At most one entry, because the generic encoder writes those of a map in any order.
        Schema::Map(map) => {
            let count = byte() % 2;
            let entry = |_| ("käy".to_owned(), value_of(&map.types, entropy, names));
            Value::Map((0..count).map(entry).collect())
        }
        Schema::Union(union) => {
            let branch = byte() % 2;
            let value = value_of(&union.variants()[usize::from(branch)], entropy, names);
            Value::Union(u32::from(branch), Box::new(value))
        }
        Schema::Record(record) => {
            let fields = record.fields.iter();
            let fields =
                fields.map(|field| (field.name.clone(), value_of(&field.schema, entropy, names)));
            Value::Record(fields.collect())
        }
        other => panic!("make values of {other:?}"),
    }
}

/// Longs of every size.
fn long(mut byte: impl FnMut() -> u8) -> i64 {
    let bytes = std::array::from_fn(|_| byte());
    i64::from_le_bytes(bytes) >> (byte() % 64)
}

fn some(mut byte: impl FnMut() -> u8) -> Vec<u8> {
    let count = byte() % 20;
    (0..count).map(|_| byte()).collect()
}

/// A value as a derived type would serialize it.
pub(super) struct Dynamic<'v> {
    pub(super) schema: &'static Schema,
    pub(super) value: &'v Value,
    pub(super) names: &'v Names,
}

impl Dynamic<'_> {
    fn with<'a>(&'a self, schema: &'static Schema, value: &'a Value) -> Dynamic<'a> {
        let names = self.names;
        Dynamic {
            schema,
            value,
            names,
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a type that is new here must fail"
)]
impl Serialize for Dynamic<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let schema = self.names.resolve(self.schema);
        match (self.value, schema) {
            (Value::Null, _) => serializer.serialize_unit(),
            (Value::Boolean(value), _) => serializer.serialize_bool(*value),
            (Value::Int(value), _) => serializer.serialize_i32(*value),
            (Value::Long(value) | Value::TimestampMillis(value), _) => {
                serializer.serialize_i64(*value)
            }
            (Value::Float(value), _) => serializer.serialize_f32(*value),
            (Value::Double(value), _) => serializer.serialize_f64(*value),
            (Value::String(value), _) => serializer.serialize_str(value),
            (Value::Bytes(value) | Value::Fixed(_, value), _) => serializer.serialize_bytes(value),
            (Value::Enum(index, _), Schema::Enum(symbols)) => {
                let symbol = &symbols.symbols[*index as usize];
                serializer.serialize_unit_variant("", *index, symbol)
            }
            (Value::Union(branch, value), Schema::Union(union)) => match **value {
                Value::Null => serializer.serialize_none(),
                _ => {
                    let variant = &union.variants()[*branch as usize];
                    serializer.serialize_some(&self.with(variant, value))
                }
            },
            (Value::Array(values), Schema::Array(array)) => {
                serializer.collect_seq(values.iter().map(|value| self.with(&array.items, value)))
            }
            (Value::Map(entries), Schema::Map(map)) => {
                let entries = entries.iter();
                serializer
                    .collect_map(entries.map(|(key, value)| (key, self.with(&map.types, value))))
            }
            (Value::Record(values), Schema::Record(record)) => {
                let mut fields = serializer.serialize_struct(record.name.name(), values.len())?;
                for (field, (_, value)) in record.fields.iter().zip(values) {
                    fields.serialize_field(&field.name, &self.with(&field.schema, value))?;
                }
                fields.end()
            }
            other => panic!("serialize {other:?}"),
        }
    }
}
