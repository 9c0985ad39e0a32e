//! Scripts that once broke a promise: kept in one file, and played before everything else.

use crate::script::{Script, parse};

/// The file: every script stands under a line `== what it found`. One without steps is that of
/// its seed.
const KEPT: &str = include_str!("../regressions.txt");

/// What a script once found, and the script.
pub(crate) type Regression = (String, Script);

/// All of them.
///
/// # Errors
/// Which script cannot be read, and why.
pub(crate) fn all() -> Result<Vec<Regression>, String> {
    read(KEPT)
}

fn read(text: &str) -> Result<Vec<Regression>, String> {
    let mut found = Vec::new();
    for section in text.split("\n== ").skip(1) {
        let (name, lines) = section.split_once('\n').unwrap_or((section, ""));
        let script = parse(lines).map_err(|why| format!("the regression {name:?}: {why}"))?;
        let script = match script.steps.is_empty() {
            true => crate::schedule::script(script.seed),
            false => script,
        };
        found.push((name.to_owned(), script));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kept_script_can_be_read_and_keeps_its_promises_now() {
        for (name, script) in all().unwrap() {
            let outcome = crate::run::run(&script, crate::run::Wanted::default());
            assert_eq!(outcome.violation, None, "{name}");
        }
    }

    #[test]
    fn a_script_without_steps_is_that_of_its_seed() {
        let found = read("# head\n\n== a\nseed 7\n== b\nseed 1\nwait 5\n").unwrap();
        assert_eq!(found[0].1, crate::schedule::script(7));
        assert_eq!((found[1].0.as_str(), found[1].1.steps.len()), ("b", 1));
        assert!(read("\n== a\njump\n").unwrap_err().contains("\"a\""));
    }
}
