//! Why a datum was not written or read, and at which field.

use std::fmt;

/// One pointer wide, because every value of a record passes a result of it.
#[derive(Debug)]
pub(crate) struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    path: String,
    reason: String,
}

impl Problem {
    #[cold]
    pub(super) fn new(reason: impl Into<String>) -> Self {
        let (path, reason) = (String::new(), reason.into());
        Self(Box::new(Details { path, reason }))
    }

    /// Says that it happened inside this field.
    #[cold]
    pub(super) fn within(mut self, field: &str) -> Self {
        let path = &mut self.0.path;
        if !path.is_empty() {
            path.insert(0, '.');
        }
        path.insert_str(0, field);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { path, reason } = &*self.0;
        match path.as_str() {
            "" => f.write_str(reason),
            path => write!(f, "field {path}: {reason}"),
        }
    }
}

impl std::error::Error for Problem {}

impl serde::ser::Error for Problem {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::new(reason.to_string())
    }
}

impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::new(reason.to_string())
    }
}
