//! Plants each seeded defect in a copy of the project and shows that a test catches it.
//!
//! A defect is an entry of `tests/defects/defects.toml`: a file, a piece of its text, what to put
//! there instead, and the test that must fail then. The copy is built first, because a defect that
//! does not compile proves nothing; and without any defect every named test must pass. What caught
//! which defect is written to `tests/defects/TABLE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

mod table;

/// The package of the defects that a simulation has to catch.
const SIMULATION: &str = "stagedoor-simulation";

/// One entry of the list.
struct Defect {
    name: String,
    /// Which kind of test claims to catch it.
    layer: String,
    promise: String,
    file: String,
    find: String,
    replace: String,
    environment: BTreeMap<String, String>,
    package: String,
    test: Vec<String>,
}

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("defects: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the defects whose names are given, or all. Returns whether each was caught.
fn run(names: &[String]) -> Result<bool, String> {
    let root = stagedoor_tests::workspace();
    let wanted = |defect: &Defect| names.is_empty() || names.contains(&defect.name);
    let defects: Vec<Defect> = read(&root)?.into_iter().filter(wanted).collect();
    if defects.is_empty() {
        return Err("no such defect; see tests/defects/defects.toml".to_owned());
    }
    let copy = copy_of(&root)?;
    let mut all_caught = true;
    let mut sound = BTreeSet::new();
    let mut table = table::Table::read(&root)?;
    let order: Vec<String> = read(&root)?.into_iter().map(|defect| defect.name).collect();
    for defect in &defects {
        let verdict = judge(&copy, defect, &mut sound)?;
        all_caught &= matches!(verdict, Verdict::Caught(_));
        report(defect, &verdict);
        table.enter(defect, &verdict);
        // After each one: the whole list takes the better part of an hour.
        table.write(&root, &order)?;
    }
    Ok(all_caught)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// By what.
    Caught(String),
    Missed,
    Broken(String),
}

#[expect(clippy::print_stdout, reason = "the table is the program's output")]
fn report(defect: &Defect, verdict: &Verdict) {
    let word = match verdict {
        Verdict::Caught(_) => "caught",
        Verdict::Missed => "MISSED",
        Verdict::Broken(reason) => reason,
    };
    let test = defect.test.join(" ");
    println!(
        "{:<34} {word:<8} {} {test} ({})",
        defect.name, defect.package, defect.promise
    );
}

/// With the defect the test must fail, and without it it must pass.
fn judge(
    copy: &Path,
    defect: &Defect,
    sound: &mut BTreeSet<(String, Vec<String>)>,
) -> Result<Verdict, String> {
    if sound.insert((defect.package.clone(), defect.test.clone())) {
        let without = cargo(copy, defect, false)?;
        if !without.status.success() {
            let why = tail(&without);
            return Ok(Verdict::Broken(format!("FAILS WITHOUT IT: {why}")));
        }
    }
    let file = copy.join(&defect.file);
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", defect.file))?;
    if !defect.find.is_empty() {
        let found = text.matches(&defect.find).count();
        if found != 1 {
            return Ok(Verdict::Broken(format!(
                "STALE: its text is there {found} times"
            )));
        }
        write(&file, &text.replacen(&defect.find, &defect.replace, 1))?;
    }
    let built = build(copy, defect)?;
    let verdict = match built.status.success() {
        false => Verdict::Broken(format!("DOES NOT COMPILE: {}", tail(&built))),
        true => {
            let with = cargo(copy, defect, true)?;
            match with.status.success() {
                true => Verdict::Missed,
                false => Verdict::Caught(caught_by(defect, &with)),
            }
        }
    };
    write(&file, &text)?;
    Ok(verdict)
}

/// What a simulation says of the run in which it found something; else the test itself.
fn caught_by(defect: &Defect, output: &Output) -> String {
    const SAYS: &str = "VIOLATION in ";
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let mut lines = text.iter().flat_map(|text| text.lines());
    let found = lines.find_map(|line| line.split_once(SAYS).map(|(_, what)| what.to_owned()));
    // A test that is killed or runs out of memory says nothing.
    found
        .map(|what| what.split(": ").take(2).collect::<Vec<_>>().join(": "))
        .unwrap_or_else(|| defect.test.join(" "))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn build(copy: &Path, defect: &Defect) -> Result<Output, String> {
    output(command(copy, defect).arg("--no-run").args(targets(defect)))
}

fn cargo(copy: &Path, defect: &Defect, planted: bool) -> Result<Output, String> {
    let mut command = command(copy, defect);
    if planted {
        command.envs(&defect.environment);
    }
    output(command.args(&defect.test))
}

/// The options that select test programs, without the names of single tests.
fn targets(defect: &Defect) -> impl Iterator<Item = &String> {
    defect.test.iter().take_while(|word| *word != "--")
}

fn command(copy: &Path, defect: &Defect) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg("test")
        .args(["-p", &defect.package, "--quiet"])
        .current_dir(copy);
    command.env("CARGO_TARGET_DIR", copy.with_file_name("defects-target"));
    if defect.package == SIMULATION {
        // It compiles no C, so that little is built again for it; and every planted defect is
        // built in a third of the time.
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        command.env("CARGO_PROFILE_DEV_DEBUG", "false");
    }
    command
}

fn output(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|error| format!("cargo: {error}"))
}

fn tail(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// A copy of what git knows or does not ignore, beside a target directory that takes over what is
/// built already, so that RocksDB is not built again.
fn copy_of(root: &Path) -> Result<PathBuf, String> {
    let script = root.join("scripts/copy-for-defects.sh");
    let made = output(Command::new(script).current_dir(root))?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&made.stdout).trim()))
}

fn read(root: &Path) -> Result<Vec<Defect>, String> {
    let file = root.join("tests/defects/defects.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let list: toml::Table = text
        .parse()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let entries = list
        .get("defect")
        .and_then(toml::Value::as_array)
        .cloned()
        .unwrap_or_default();
    entries.iter().map(entry).collect()
}

fn entry(value: &toml::Value) -> Result<Defect, String> {
    let optional = |name: &str| {
        value
            .get(name)
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
    };
    let text = |name: &str| match optional(name) {
        "" => Err(format!("a defect lacks {name}: {value}")),
        found => Ok(found.to_owned()),
    };
    let environment = value.get("environment").and_then(toml::Value::as_table);
    let pairs = environment.into_iter().flatten();
    Ok(Defect {
        name: text("name")?,
        layer: text("layer")?,
        promise: text("promise")?,
        file: text("file")?,
        find: optional("find").to_owned(),
        replace: optional("replace").to_owned(),
        environment: pairs
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        package: text("package")?,
        test: text("test")?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    })
}
