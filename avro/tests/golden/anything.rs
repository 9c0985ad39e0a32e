//! Any datum by the serde path that records take, as JSON, without a Rust type for the record.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
};
use serde_json::{Value, json};

/// Bytes in hexadecimal, enums as their symbols, a nullable as the value or null.
#[derive(Debug)]
pub(crate) struct Anything(pub(crate) Value);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnythingVisitor).map(Self)
    }
}

/// Names of fields and symbols, and keys of maps.
#[derive(Debug)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor).map(Self)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<String, E> {
        Ok(name.to_owned())
    }
}

struct AnythingVisitor;

impl<'de> Visitor<'de> for AnythingVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(json!(yes))
    }

    fn visit_i32<E>(self, number: i32) -> Result<Value, E> {
        Ok(json!(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(json!(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Value, E> {
        Ok(json!(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(json!(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(json!(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(json!(
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Anything(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((Name(name), Anything(value))) = entries.next_entry()? {
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, symbols: A) -> Result<Value, A::Error> {
        let (Name(symbol), rest) = symbols.variant()?;
        rest.unit_variant()?;
        Ok(json!(symbol))
    }
}
