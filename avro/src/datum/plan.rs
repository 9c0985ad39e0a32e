//! The plan of a schema: how its values are written, and nothing else of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How values of one type are written and read.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    Enum(Arc<[String]>),
    Nullable(Box<Nullable>),
    Array(Box<Plan>),
    Map(Box<Plan>),
    Record(Arc<Record>),
}

/// A union of null and one type.
#[derive(Debug, Clone)]
pub(crate) struct Nullable {
    pub(super) null_first: bool,
    pub(super) value: Plan,
}

/// A record; `name` is the short one.
#[derive(Debug)]
pub(crate) struct Record {
    pub(super) name: String,
    pub(super) fields: Box<[Field]>,
    /// Address of the list of field names that was last found equal to the schema's.
    equal_names: AtomicUsize,
}

/// A field of a record.
#[derive(Debug)]
pub(crate) struct Field {
    pub(super) name: String,
    pub(super) plan: Plan,
    /// What is written for a struct that lacks the field.
    pub(super) default: Option<Vec<u8>>,
    /// Address of the name that was last found equal to the field's.
    equal_name: AtomicUsize,
}

impl Field {
    pub(super) fn new(name: &str, plan: Plan, default: Option<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            plan,
            default,
            equal_name: AtomicUsize::new(0),
        }
    }

    /// Whether a struct's field is this one, remembered as in [`Record::has_exactly`].
    #[inline]
    pub(super) fn is_called(&self, name: &'static str) -> bool {
        let address = name.as_ptr().addr();
        name.len() == self.name.len()
            && (self.equal_name.load(Ordering::Relaxed) == address || self.compare(name, address))
    }

    #[cold]
    fn compare(&self, name: &str, address: usize) -> bool {
        let equal = self.name == name;
        if equal {
            self.equal_name.store(address, Ordering::Relaxed);
        }
        equal
    }
}

impl Nullable {
    /// The branch as it is written: 0 or 1, zigzag.
    #[inline]
    pub(super) fn branch(&self, null: bool) -> u8 {
        if null == self.null_first { 0 } else { 2 }
    }
}

impl Record {
    pub(super) fn new(name: &str, fields: Vec<Field>) -> Self {
        Self {
            name: name.to_owned(),
            fields: fields.into(),
            equal_names: AtomicUsize::new(0),
        }
    }

    /// Whether a struct's fields are the schema's in the same order. The answer is remembered by
    /// the address of the list: it is `'static`, so with the length it stands for its contents.
    #[inline]
    pub(super) fn has_exactly(&self, names: &'static [&'static str]) -> bool {
        if names.len() != self.fields.len() {
            return false;
        }
        let address = names.as_ptr().addr();
        self.equal_names.load(Ordering::Relaxed) == address || self.compare(names, address)
    }

    #[cold]
    fn compare(&self, names: &[&str], address: usize) -> bool {
        let equal = self.fields.iter().map(|field| &field.name).eq(names);
        if equal {
            self.equal_names.store(address, Ordering::Relaxed);
        }
        equal
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Long => f.write_str("long"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Fixed(size) => write!(f, "fixed of {size} bytes"),
            Self::Enum(_) => f.write_str("an enum"),
            Self::Nullable(nullable) => write!(f, "nullable {}", nullable.value),
            Self::Array(_) => f.write_str("an array"),
            Self::Map(_) => f.write_str("a map"),
            Self::Record(record) => write!(f, "record {}", record.name),
        }
    }
}
