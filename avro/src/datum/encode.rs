//! The serializer: one value written by its plan.

use serde::ser::{Impossible, Serialize, Serializer};

use super::{
    output::{write_bytes, write_len, write_long},
    plan::Plan,
    problem::Problem,
    write_blocks::BlockEncoder,
    write_fields::RecordEncoder,
};

/// Writes one value.
pub(super) struct Encoder<'p, 'o> {
    pub(super) plan: &'p Plan,
    pub(super) out: &'o mut Vec<u8>,
}

impl Encoder<'_, '_> {
    #[cold]
    fn mismatch(&self, what: &str) -> Problem {
        Problem::new(format!("the schema has {} here, not {what}", self.plan))
    }

    /// A value that is no `Option` where the schema has a nullable: writes the branch.
    #[cold]
    fn inside_nullable(self, what: &str) -> Result<Self, Problem> {
        let Plan::Nullable(nullable) = self.plan else {
            return Err(self.mismatch(what));
        };
        self.out.push(nullable.branch(false));
        let (plan, out) = (&nullable.value, self.out);
        Ok(Self { plan, out })
    }
}

/// Writes what is plain in both worlds, and looks into a nullable for everything else.
macro_rules! write_plain {
    ($method:ident, $rust:ty, $plan:ident, $what:literal, $write:expr) => {
        #[inline]
        fn $method(self, value: $rust) -> Result<(), Problem> {
            if let Plan::$plan = self.plan {
                $write(value, self.out);
                return Ok(());
            }
            self.inside_nullable($what)?.$method(value)
        }
    };
}

/// Shapes that no plan stands for.
macro_rules! refuse {
    ($($method:ident($($rust:ty),*) -> $ok:ty, $what:literal;)*) => {$(
        fn $method(self, $(_: $rust),*) -> Result<$ok, Problem> {
            Err(self.mismatch($what))
        }
    )*};
}

impl<'p, 'o> Serializer for Encoder<'p, 'o> {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = BlockEncoder<'p, 'o>;
    type SerializeTuple = Impossible<(), Problem>;
    type SerializeTupleStruct = Impossible<(), Problem>;
    type SerializeTupleVariant = Impossible<(), Problem>;
    type SerializeMap = BlockEncoder<'p, 'o>;
    type SerializeStruct = RecordEncoder<'p, 'o>;
    type SerializeStructVariant = Impossible<(), Problem>;

    write_plain!(serialize_bool, bool, Boolean, "a bool", |value,
                                                           out: &mut Vec<
        u8,
    >| out
        .push(u8::from(value)));
    write_plain!(serialize_i32, i32, Int, "an i32", |value, out| write_long(
        i64::from(value),
        out
    ));
    write_plain!(serialize_i64, i64, Long, "an i64", write_long);
    write_plain!(
        serialize_f32,
        f32,
        Float,
        "an f32",
        |value: f32, out: &mut Vec<u8>| out.extend_from_slice(&value.to_le_bytes())
    );
    write_plain!(
        serialize_f64,
        f64,
        Double,
        "an f64",
        |value: f64, out: &mut Vec<u8>| out.extend_from_slice(&value.to_le_bytes())
    );
    write_plain!(
        serialize_str,
        &str,
        String,
        "a string",
        |value: &str, out| {
            write_bytes(value.as_bytes(), out);
        }
    );

    refuse! {
        serialize_u64(u64) -> (), "a u64";
        serialize_i128(i128) -> (), "an i128";
        serialize_u128(u128) -> (), "a u128";
        serialize_char(char) -> (), "a char";
        serialize_tuple(usize) -> Self::SerializeTuple, "a tuple";
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct, "a tuple struct";
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeTupleVariant, "a variant with data";
        serialize_struct_variant(&'static str, u32, &'static str, usize)
            -> Self::SerializeStructVariant, "a variant with data";
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), Problem> {
        self.serialize_i32(value.into())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), Problem> {
        self.serialize_i32(value.into())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Problem> {
        self.serialize_i32(value.into())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), Problem> {
        self.serialize_i32(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), Problem> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Problem> {
        if let Plan::Bytes = self.plan {
            write_bytes(value, self.out);
            return Ok(());
        }
        if let Plan::Fixed(size) = self.plan
            && *size == value.len()
        {
            self.out.extend_from_slice(value);
            return Ok(());
        }
        let what = format!("{} bytes", value.len());
        self.inside_nullable(&what)?.serialize_bytes(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Problem> {
        let Plan::Nullable(nullable) = self.plan else {
            return Err(self.mismatch("an option"));
        };
        self.out.push(nullable.branch(true));
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Problem> {
        let Plan::Nullable(nullable) = self.plan else {
            return Err(self.mismatch("an option"));
        };
        self.out.push(nullable.branch(false));
        let (plan, out) = (&nullable.value, self.out);
        value.serialize(Encoder { plan, out })
    }

    fn serialize_unit(self) -> Result<(), Problem> {
        if let Plan::Null = self.plan {
            return Ok(());
        }
        self.serialize_none()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Problem> {
        let Plan::Record(record) = self.plan else {
            return self
                .inside_nullable("a unit struct")?
                .serialize_unit_struct(name);
        };
        match record.fields.len() {
            0 if record.name == name => Ok(()),
            _ => Err(self.mismatch("a unit struct")),
        }
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _enum: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Problem> {
        let Plan::Enum(symbols) = self.plan else {
            let inside = self.inside_nullable("a variant")?;
            return inside.serialize_unit_variant("", index, variant);
        };
        let index = index as usize;
        let place = match symbols.get(index) {
            Some(symbol) if symbol == variant => Some(index),
            // Another order, or skipped variants in front of it.
            _ => symbols.iter().position(|symbol| symbol == variant),
        };
        let unknown = || Problem::new(format!("the enum has no symbol {variant}"));
        write_len(place.ok_or_else(unknown)?, self.out);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: &T,
    ) -> Result<(), Problem> {
        let newtype = format!("newtype {name} without #[serde(transparent)]");
        Err(self.mismatch(&newtype))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Problem> {
        Err(self.mismatch("a variant with data"))
    }

    #[inline]
    fn serialize_seq(self, count: Option<usize>) -> Result<BlockEncoder<'p, 'o>, Problem> {
        let Plan::Array(items) = self.plan else {
            return self.inside_nullable("a list")?.serialize_seq(count);
        };
        Ok(BlockEncoder::new(items, self.out, count))
    }

    #[inline]
    fn serialize_map(self, count: Option<usize>) -> Result<BlockEncoder<'p, 'o>, Problem> {
        let Plan::Map(values) = self.plan else {
            return self.inside_nullable("a map")?.serialize_map(count);
        };
        Ok(BlockEncoder::new(values, self.out, count))
    }

    #[inline]
    fn serialize_struct(
        self,
        _name: &'static str,
        _count: usize,
    ) -> Result<RecordEncoder<'p, 'o>, Problem> {
        let Plan::Record(record) = self.plan else {
            return self.inside_nullable("a struct")?.serialize_struct("", 0);
        };
        Ok(RecordEncoder::new(record, self.out))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
