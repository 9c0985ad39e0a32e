//! The default of a field, JSON in the schema, as the bytes that are written for it.

use serde::Deserialize;
use serde_json::Value;

use super::{
    output::{write_bytes, write_len, write_long},
    plan::{Plan, Record},
};

/// The datum of a default; none if the default does not fit its type.
pub(super) fn encoded(plan: &Plan, value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    append(plan, value, &mut out).map(|()| out)
}

fn append(plan: &Plan, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match plan {
        Plan::Null => value.as_null()?,
        Plan::Boolean => out.push(u8::from(value.as_bool()?)),
        Plan::Int => write_long(i64::from(i32::try_from(value.as_i64()?).ok()?), out),
        Plan::Long => write_long(value.as_i64()?, out),
        Plan::Float => out.extend(f32::deserialize(value).ok()?.to_le_bytes()),
        Plan::Double => out.extend(value.as_f64()?.to_le_bytes()),
        // The UTF-8 of the text also for bytes, as apache's crate writes it.
        Plan::String | Plan::Bytes => write_bytes(value.as_str()?.as_bytes(), out),
        Plan::Fixed(size) => {
            let text = value.as_str().filter(|text| text.len() == *size)?;
            out.extend_from_slice(text.as_bytes());
        }
        Plan::Enum(symbols) => {
            let default = value.as_str()?;
            write_len(symbols.iter().position(|symbol| symbol == default)?, out);
        }
        Plan::Nullable(nullable) => {
            out.push(nullable.branch(value.is_null()));
            if !value.is_null() {
                append(&nullable.value, value, out)?;
            }
        }
        Plan::Array(items) => append_items(items, value.as_array()?, out)?,
        Plan::Map(values) => append_entries(values, value.as_object()?, out)?,
        Plan::Record(record) => append_fields(record, value.as_object()?, out)?,
    }
    Some(())
}

fn append_items(items: &Plan, values: &[Value], out: &mut Vec<u8>) -> Option<()> {
    if !values.is_empty() {
        write_len(values.len(), out);
    }
    for value in values {
        append(items, value, out)?;
    }
    out.push(0);
    Some(())
}

fn append_entries(
    values: &Plan,
    entries: &serde_json::Map<String, Value>,
    out: &mut Vec<u8>,
) -> Option<()> {
    if !entries.is_empty() {
        write_len(entries.len(), out);
    }
    for (key, value) in entries {
        write_bytes(key.as_bytes(), out);
        append(values, value, out)?;
    }
    out.push(0);
    Some(())
}

fn append_fields(
    record: &Record,
    values: &serde_json::Map<String, Value>,
    out: &mut Vec<u8>,
) -> Option<()> {
    for field in &record.fields {
        match values.get(&field.name) {
            Some(value) => append(&field.plan, value, out)?,
            None => out.extend_from_slice(field.default.as_ref()?),
        }
    }
    Some(())
}
