//! Questions of a schema registry, answered offline: subjects and their versions.
//!
//! A subject is a record's full name (`RecordNameStrategy`), because one topic holds several
//! kinds of records and one record appears on several topics.

use std::collections::BTreeSet;

use crate::{RegisteredSchema, Registry, SubjectError};

impl Registry {
    /// All subjects, sorted: the body of `GET /subjects`.
    pub fn subjects(&self) -> impl Iterator<Item = &'static str> {
        self.schemas()
            .map(|schema| schema.name)
            .collect::<BTreeSet<_>>()
            .into_iter()
    }

    /// All versions of a record, oldest first; none if the name is unknown.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &RegisteredSchema> {
        let mut versions: Vec<_> = self
            .schemas()
            .filter(|schema| schema.name == name)
            .collect();
        versions.sort_by_key(|schema| schema.version);
        versions.into_iter()
    }

    /// The newest version of a record.
    pub fn latest(&self, name: &str) -> Option<&RegisteredSchema> {
        self.versions(name).last()
    }

    /// The schema that `GET /subjects/{name}/versions/{version}` means; `version` as in the path:
    /// a positive number, `latest` or `-1`.
    ///
    /// # Errors
    /// What Confluent's registry would answer; see [`SubjectError::code`].
    pub fn lookup(&self, name: &str, version: &str) -> Result<&RegisteredSchema, SubjectError> {
        let latest = self.latest(name).ok_or(SubjectError::UnknownSubject)?;
        if matches!(version, "latest" | "-1") {
            return Ok(latest);
        }
        let number: u32 = version.parse().map_err(|_| SubjectError::InvalidVersion)?;
        if number == 0 {
            return Err(SubjectError::InvalidVersion);
        }
        let found = self.versions(name).find(|schema| schema.version == number);
        found.ok_or(SubjectError::UnknownVersion)
    }
}

#[cfg(test)]
#[path = "subjects_tests.rs"]
mod tests;
