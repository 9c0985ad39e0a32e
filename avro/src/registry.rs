//! The registry: the catalogue parsed and checked once, with the plan of every schema.

use std::sync::LazyLock;

use apache_avro::{Schema, util::max_allocation_bytes};

use crate::{
    CatalogueError, MAX_LENGTH,
    catalogue::{CATALOGUE, Row},
    datum::{self, Plan},
    shape,
};

/// One version of one record's schema.
pub struct RegisteredSchema {
    /// The id that stands in every value written with it.
    pub id: u32,
    /// Full name of the record; also the name of the subject.
    pub name: &'static str,
    /// Version within the subject, from 1.
    pub version: u32,
    /// The `.avsc` file, byte for byte.
    pub text: &'static str,
    schema: &'static Schema,
    plan: Plan,
}

impl RegisteredSchema {
    /// The parsed schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// How its values are written and read.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl std::fmt::Debug for RegisteredSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} version {} (id {})", self.name, self.version, self.id)
    }
}

/// All compiled-in schemas.
#[derive(Debug)]
pub struct Registry {
    // By id; ids are small and dense.
    schemas: Vec<Option<RegisteredSchema>>,
}

impl Registry {
    /// The schema with this id.
    pub fn by_id(&self, id: u32) -> Option<&RegisteredSchema> {
        self.schemas.get(usize::try_from(id).ok()?)?.as_ref()
    }

    /// All schemas by id.
    pub fn schemas(&self) -> impl Iterator<Item = &RegisteredSchema> {
        self.schemas.iter().flatten()
    }

    fn build(rows: &[Row], parsed: &'static [Schema]) -> Result<Self, CatalogueError> {
        let mut schemas = Vec::new();
        for (row, schema) in rows.iter().zip(parsed) {
            let slot = row.0 as usize;
            if schemas.len() <= slot {
                schemas.resize_with(slot + 1, || None);
            }
            schemas[slot] = Some(register(*row, schema)?);
        }
        Ok(Self { schemas })
    }
}

/// The one registry of this process.
pub fn registry() -> &'static Registry {
    static PARSED: LazyLock<Vec<Schema>> =
        LazyLock::new(|| parse(CATALOGUE).expect("the catalogue is checked by this crate's tests"));
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        Registry::build(CATALOGUE, &PARSED).expect("the catalogue is checked by this crate's tests")
    });
    &REGISTRY
}

fn register(row: Row, schema: &'static Schema) -> Result<RegisteredSchema, CatalogueError> {
    let (id, name, version, text) = row;
    // Bounds those who decode with `schema()` by apache's crate. Its first use in the process
    // fixes it.
    max_allocation_bytes(MAX_LENGTH);
    let plan = datum::compile(schema).ok_or_else(|| CatalogueError::Unsupported {
        id,
        name,
        path: String::new(),
        reason: "it cannot be compiled",
    })?;
    Ok(RegisteredSchema {
        id,
        name,
        version,
        text,
        schema,
        plan,
    })
}

/// Parses all rows and checks them: ids, names, versions, shapes.
fn parse(rows: &[Row]) -> Result<Vec<Schema>, CatalogueError> {
    for (index, (id, name, found, _)) in rows.iter().enumerate() {
        let before = &rows[..index];
        if before.iter().any(|row| row.0 == *id) {
            return Err(CatalogueError::DuplicateId { id: *id });
        }
        let latest = before
            .iter()
            .rev()
            .find(|row| row.1 == *name)
            .map_or(0, |row| row.2);
        if *found != latest + 1 {
            let (id, found, expected) = (*id, *found, latest + 1);
            return Err(CatalogueError::VersionGap {
                id,
                name,
                found,
                expected,
            });
        }
    }
    rows.iter().map(|row| parse_row(*row)).collect()
}

fn parse_row(row: Row) -> Result<Schema, CatalogueError> {
    let (id, name, _, text) = row;
    let schema = Schema::parse_str(text).map_err(|error| unparsable(row, &error))?;
    let found = schema
        .name()
        .map(|name| name.fullname(None))
        .unwrap_or_default();
    if found != name {
        return Err(CatalogueError::Misnamed { id, name, found });
    }
    shape::check(&schema).map_err(|refusal| CatalogueError::Unsupported {
        id,
        name,
        path: refusal.path,
        reason: refusal.reason,
    })?;
    Ok(schema)
}

fn unparsable((id, name, ..): Row, error: &apache_avro::Error) -> CatalogueError {
    CatalogueError::Unparsable {
        id,
        name,
        reason: error.to_string(),
    }
}

/// A schema for a test, outside the catalogue.
#[cfg(test)]
pub(crate) fn leaked(row: Row) -> &'static RegisteredSchema {
    let schema = Box::leak(Box::new(parse_row(row).unwrap()));
    Box::leak(Box::new(register(row, schema).unwrap()))
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
