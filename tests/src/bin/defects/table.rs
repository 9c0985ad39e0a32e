//! The table of defects: which one, what it would break, and who caught it the last time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Defect, Verdict};

const HEAD: &str = "\
# Seeded defects

Written by `scripts/defects.sh`: each defect of [defects.toml](defects.toml) was planted, and this is what caught it.

| defect | breaks | layer | caught by |
|---|---|---|---|
";

/// Rows by the name of their defect.
pub(crate) struct Table(BTreeMap<String, String>);

impl Table {
    /// The rows that are written already; a run over a few defects leaves the others.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let file = file(root);
        let text = match file.exists() {
            true => {
                fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?
            }
            false => String::new(),
        };
        let rows = text.lines().filter_map(|line| {
            let name = line.strip_prefix("| ")?.split(" | ").next()?;
            Some((name.to_owned(), line.to_owned()))
        });
        Ok(Self(rows.collect()))
    }

    /// Enters what became of a defect.
    pub(crate) fn enter(&mut self, defect: &Defect, verdict: &Verdict) {
        let caught = match verdict {
            Verdict::Caught(by) => by.replace('|', "/"),
            Verdict::Missed => "**missed**".to_owned(),
            Verdict::Broken(why) => format!("**{}**", why.replace('|', "/")),
        };
        let Defect {
            name,
            promise,
            layer,
            ..
        } = defect;
        let row = format!("| {name} | {promise} | {layer} | {caught} |");
        self.0.insert(name.clone(), row);
    }

    /// Writes the rows of the defects that there are, in their order.
    pub(crate) fn write(&self, root: &Path, order: &[String]) -> Result<(), String> {
        let rows = order.iter().filter_map(|name| self.0.get(name));
        let text: String = rows.map(|row| format!("{row}\n")).collect();
        super::write(&file(root), &format!("{HEAD}{text}"))
    }
}

fn file(root: &Path) -> PathBuf {
    root.join("tests/defects/TABLE.md")
}
