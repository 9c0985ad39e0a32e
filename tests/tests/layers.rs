//! Imports only point right: api, simulation, audit, processors, topology, state, avro. And each layer stays ignorant of what it must.

use std::fs;
use std::path::{Path, PathBuf};

use stagedoor_tests::workspace;
use toml::{Table, Value};

/// From left to right; a layer may use those after it.
const LAYERS: [&str; 7] = [
    "api",
    "simulation",
    "audit",
    "processors",
    "topology",
    "state",
    "avro",
];

/// Packages that a layer must not know, not even by a feature or in its tests.
const MUST_NOT_KNOW: [(&str, &[&str]); 6] = [
    (
        "simulation",
        &[
            "tokio", "rdkafka", "rocksdb", "axum", "rand", "jiff", "uuid",
        ],
    ),
    ("audit", &["tokio", "rdkafka", "rocksdb", "axum"]),
    (
        "processors",
        &[
            "tokio", "rdkafka", "rocksdb", "axum", "rand", "jiff", "uuid",
        ],
    ),
    ("topology", &["tokio", "axum"]),
    ("state", &["tokio", "rdkafka", "axum"]),
    ("avro", &["tokio", "rdkafka", "rocksdb", "axum"]),
];

#[test]
fn imports_point_only_right() {
    let wrong: Vec<String> = LAYERS
        .iter()
        .flat_map(|layer| wrong_imports(layer))
        .collect();
    assert!(
        wrong.is_empty(),
        "imports that point the wrong way:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_rules_switch_on_nothing_that_compiles_c() {
    let manifest = manifest("processors");
    let switched_on: Vec<String> = dependencies(&manifest)
        .into_iter()
        .filter(|(_, value)| value.get("features").is_some())
        .filter(|(_, value)| {
            value["features"].to_string().contains("rocksdb")
                || value["features"].to_string().contains("kafka")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(switched_on, Vec::<String>::new());
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let root = read_table(&workspace().join("Cargo.toml"));
    let members = root["workspace"]["members"]
        .as_array()
        .expect("members are a list");
    for member in members {
        let member = member.as_str().expect("a member is a path");
        let lints = manifest(member)
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .cloned();
        assert_eq!(
            lints,
            Some(Value::Boolean(true)),
            "{member}/Cargo.toml: [lints] workspace"
        );
    }
}

#[test]
fn an_import_that_points_left_is_found() {
    let manifest: Table =
        "[dependencies]\nstagedoor-api = { workspace = true }\nrdkafka = \"0.39\""
            .parse()
            .expect("the manifest is TOML");
    assert_eq!(
        wrong_dependencies("processors", &manifest),
        [
            "processors/Cargo.toml: rdkafka",
            "processors/Cargo.toml: stagedoor-api"
        ]
    );
    let source =
        "use stagedoor_state::Store;\nlet x = stagedoor_processors::TOPOLOGY;\n// stagedoor_api";
    assert_eq!(wrong_uses("topology", source), ["stagedoor_processors"]);
}

fn wrong_imports(layer: &str) -> Vec<String> {
    let mut wrong = wrong_dependencies(layer, &manifest(layer));
    for file in rust_files(&workspace().join(layer)) {
        let source = fs::read_to_string(&file).expect("a source file is text");
        let file = file.display();
        wrong.extend(
            wrong_uses(layer, &source)
                .into_iter()
                .map(|name| format!("{file}: {name}")),
        );
    }
    wrong
}

fn wrong_dependencies(layer: &str, manifest: &Table) -> Vec<String> {
    dependencies(manifest)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| is_left(layer, name) || is_forbidden(layer, name))
        .map(|name| format!("{layer}/Cargo.toml: {name}"))
        .collect()
}

/// Crates of the project that `source` names in code and must not.
fn wrong_uses(layer: &str, source: &str) -> Vec<String> {
    let code = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with("stagedoor_"))
        .filter(|word| {
            let layer_named = word.replace('_', "-");
            is_crate(&layer_named) && is_left(layer, &layer_named)
        })
        .map(str::to_owned)
        .collect()
}

fn is_crate(package: &str) -> bool {
    let name = package.trim_start_matches("stagedoor-");
    LAYERS.contains(&name) || ["tests", "bench"].contains(&name)
}

/// Tests and benchmarks stand left of everything.
fn is_left(layer: &str, package: &str) -> bool {
    let Some(other) = package.strip_prefix("stagedoor-") else {
        return false;
    };
    match position(other) {
        Some(other) => Some(other) < position(layer),
        None => true,
    }
}

fn is_forbidden(layer: &str, package: &str) -> bool {
    MUST_NOT_KNOW.iter().any(|(name, packages)| *name == layer && packages.contains(&package))
        // The Kafka log and the store on disk are switched on from the left.
        && !matches!((layer, package), ("topology", "rdkafka") | ("state", "rocksdb"))
}

fn position(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

/// Dependencies of every kind and for every target, by package name.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else {
            continue;
        };
        if key.ends_with("dependencies") {
            found.extend(
                table
                    .iter()
                    .map(|(name, value)| (package(name, value), value.clone())),
            );
        } else {
            found.extend(dependencies(table));
        }
    }
    found
}

/// A dependency may have another name in the code than its package.
fn package(name: &str, value: &Value) -> String {
    value
        .get("package")
        .and_then(Value::as_str)
        .unwrap_or(name)
        .to_owned()
}

fn manifest(member: &str) -> Table {
    read_table(&workspace().join(member).join("Cargo.toml"))
}

fn read_table(path: &Path) -> Table {
    let text = fs::read_to_string(path).expect("a manifest can be read");
    text.parse().expect("a manifest is TOML")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a crate has a directory") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
