//! The deserializer: one value read by its plan.

use serde::de::{Deserializer, Visitor};

use super::{
    input::Input, plan::Plan, problem::Problem, read_blocks::Blocks, read_fields::Fields,
    symbol::Symbol,
};

static NULL: Plan = Plan::Null;

/// Reads one value.
pub(super) struct Decoder<'p, 'i, 'de> {
    pub(super) plan: &'p Plan,
    pub(super) input: &'i mut Input<'de>,
}

impl Decoder<'_, '_, '_> {
    #[cold]
    fn mismatch(&self, what: &str) -> Problem {
        Problem::new(format!("the schema has {} here, not {what}", self.plan))
    }

    /// Somebody wants a plain value where the schema has a nullable: reads the branch.
    #[cold]
    fn inside_nullable(self, what: &str) -> Result<Self, Problem> {
        let Plan::Nullable(nullable) = self.plan else {
            return Err(self.mismatch(what));
        };
        let plan = match self.input.is_null(nullable.null_first)? {
            true => &NULL,
            false => &nullable.value,
        };
        let input = self.input;
        Ok(Self { plan, input })
    }
}

/// Reads what is plain in both worlds, and looks into a nullable for everything else.
macro_rules! read_plain {
    ($($method:ident, $plan:ident, $visit:ident, $what:literal, $read:expr;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            if let Plan::$plan = self.plan {
                return visitor.$visit($read(self.input)?);
            }
            self.inside_nullable($what)?.$method(visitor)
        }
    )*};
}

/// Rust types that are read as another one, which their visitors check the range of.
macro_rules! read_as {
    ($($method:ident as $other:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            self.$other(visitor)
        }
    )*};
}

/// Shapes that no plan stands for.
macro_rules! refuse {
    ($($method:ident($($rust:ty),*), $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $rust,)* _: V) -> Result<V::Value, Problem> {
            Err(self.mismatch($what))
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_, '_, 'de> {
    type Error = Problem;

    read_plain! {
        deserialize_bool, Boolean, visit_bool, "a bool", Input::boolean;
        deserialize_i32, Int, visit_i32, "an i32", Input::int;
        deserialize_i64, Long, visit_i64, "an i64", Input::long;
        deserialize_f32, Float, visit_f32, "an f32",
            |input: &mut Input<'de>| input.array().map(f32::from_le_bytes);
        deserialize_f64, Double, visit_f64, "an f64",
            |input: &mut Input<'de>| input.array().map(f64::from_le_bytes);
        deserialize_str, String, visit_borrowed_str, "a string", Input::text;
    }

    read_as! {
        deserialize_i8 as deserialize_i32;
        deserialize_i16 as deserialize_i32;
        deserialize_u8 as deserialize_i32;
        deserialize_u16 as deserialize_i32;
        deserialize_u32 as deserialize_i64;
        deserialize_string as deserialize_str;
        deserialize_identifier as deserialize_str;
        deserialize_byte_buf as deserialize_bytes;
    }

    refuse! {
        deserialize_u64(), "a u64";
        deserialize_i128(), "an i128";
        deserialize_u128(), "a u128";
        deserialize_char(), "a char";
        deserialize_tuple(usize), "a tuple";
        deserialize_tuple_struct(&'static str, usize), "a tuple struct";
        deserialize_newtype_struct(&'static str), "a newtype without #[serde(transparent)]";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.plan {
            Plan::Null => visitor.visit_unit(),
            Plan::Boolean => self.deserialize_bool(visitor),
            Plan::Int => self.deserialize_i32(visitor),
            Plan::Long => self.deserialize_i64(visitor),
            Plan::Float => self.deserialize_f32(visitor),
            Plan::Double => self.deserialize_f64(visitor),
            Plan::String => self.deserialize_str(visitor),
            Plan::Bytes | Plan::Fixed(_) => self.deserialize_bytes(visitor),
            Plan::Enum(_) => self.deserialize_enum("", &[], visitor),
            Plan::Nullable(_) => self.inside_nullable("")?.deserialize_any(visitor),
            Plan::Array(_) => self.deserialize_seq(visitor),
            Plan::Map(_) | Plan::Record(_) => self.deserialize_map(visitor),
        }
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if let Plan::Bytes = self.plan {
            return visitor.visit_borrowed_bytes(self.input.bytes()?);
        }
        if let Plan::Fixed(size) = self.plan {
            return visitor.visit_borrowed_bytes(self.input.take(*size)?);
        }
        self.inside_nullable("bytes")?.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let Plan::Nullable(nullable) = self.plan else {
            return Err(self.mismatch("an option"));
        };
        if self.input.is_null(nullable.null_first)? {
            return visitor.visit_none();
        }
        let (plan, input) = (&nullable.value, self.input);
        visitor.visit_some(Decoder { plan, input })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if let Plan::Null = self.plan {
            return visitor.visit_unit();
        }
        self.inside_nullable("a unit")?.deserialize_unit(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let Plan::Record(record) = self.plan else {
            let inside = self.inside_nullable("a unit struct")?;
            return inside.deserialize_unit_struct(name, visitor);
        };
        match record.fields.len() {
            0 if record.name == name => visitor.visit_unit(),
            _ => Err(self.mismatch("a unit struct")),
        }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let Plan::Array(items) = self.plan else {
            return self.inside_nullable("a list")?.deserialize_seq(visitor);
        };
        visitor.visit_seq(Blocks::new(items, self.input)?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if let Plan::Map(values) = self.plan {
            return visitor.visit_map(Blocks::new(values, self.input)?);
        }
        if let Plan::Record(record) = self.plan {
            return visitor.visit_map(Fields::new(record, self.input));
        }
        self.inside_nullable("a map")?.deserialize_map(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let Plan::Record(record) = self.plan else {
            let inside = self.inside_nullable("a struct")?;
            return inside.deserialize_struct(name, fields, visitor);
        };
        if record.name != name {
            return Err(self.mismatch(&format!("record {name}")));
        }
        let mut known = Fields::new(record, self.input);
        if !record.has_exactly(fields) {
            return visitor.visit_map(known);
        }
        // Fields in the schema's order need no names.
        let value = visitor.visit_seq(&mut known)?;
        known.finish().map(|()| value)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let Plan::Enum(symbols) = self.plan else {
            let inside = self.inside_nullable("an enum")?;
            return inside.deserialize_enum(name, variants, visitor);
        };
        visitor.visit_enum(Symbol(self.input.symbol(symbols)?))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.input.skip(self.plan)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
