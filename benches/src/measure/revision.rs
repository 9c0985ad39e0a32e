//! The revision of the sources that were measured.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// A revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// Git's id of the commit; `unknown` outside of a clone.
    pub commit: String,
    /// Whether files differed from it.
    pub changed: bool,
}

impl Revision {
    /// The revision of a work tree.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .current_dir(directory)
                .args(arguments)
                .output();
            let output = output.ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok()
        };
        let commit = git(&["rev-parse", "HEAD"]).map(|text| text.trim().to_owned());
        let changes = git(&["status", "--porcelain"]);
        Self {
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            changed: changes.is_none_or(|text| !text.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_clone_the_revision_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let revision = Revision::of(directory.path());
        assert_eq!(
            (revision.commit.as_str(), revision.changed),
            ("unknown", true)
        );
    }
}
