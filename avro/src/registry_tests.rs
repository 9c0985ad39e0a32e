//! The catalogue is sound, and unsound catalogues are refused.

use std::collections::BTreeSet;

use super::*;

const TEXT: &str = r#"{"type": "record", "name": "R", "namespace": "test", "fields": []}"#;

#[test]
fn the_catalogue_is_sound() {
    parse(CATALOGUE).unwrap();
    assert_eq!(registry().schemas().count(), CATALOGUE.len());
}

#[test]
fn an_id_finds_its_own_row() {
    for (id, name, version, text) in CATALOGUE {
        let schema = registry().by_id(*id).unwrap();
        assert_eq!(
            (schema.id, schema.name, schema.version),
            (*id, *name, *version)
        );
        assert_eq!(schema.text, *text);
    }
    for id in [0, 1_000_000, u32::MAX] {
        assert!(registry().by_id(id).is_none());
    }
}

#[test]
fn ids_stay_in_the_range_of_their_area() {
    for (id, name, ..) in CATALOGUE {
        let area = match id {
            1..=19 => "stagedoor.topology.",
            20..=99 => "stagedoor.concert.",
            _ => panic!("{id} ({name}) is in no range: give its area one here"),
        };
        assert!(
            name.starts_with(area),
            "{id} ({name}) is in the range of {area}"
        );
    }
}

#[test]
fn every_schema_file_is_in_the_catalogue() {
    let mut files = BTreeSet::new();
    // Asked at run time: clones share builds, which keep the path of the one that made them.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    for area in std::fs::read_dir(format!("{here}/schemas")).unwrap() {
        for file in std::fs::read_dir(area.unwrap().path()).unwrap() {
            files.insert(std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
    }
    let rows: BTreeSet<_> = CATALOGUE.iter().map(|row| row.3.to_owned()).collect();
    let forgotten: Vec<_> = files.difference(&rows).collect();
    assert!(
        forgotten.is_empty(),
        "no row of catalogue.rs includes {forgotten:#?}"
    );
}

#[test]
fn unsound_catalogues_are_refused() {
    let id = 1;
    let refusals: [(&[Row], CatalogueError); 5] = [
        (
            &[(1, "test.R", 1, TEXT), (1, "test.R", 2, TEXT)],
            CatalogueError::DuplicateId { id },
        ),
        (
            &[(1, "test.R", 2, TEXT)],
            CatalogueError::VersionGap {
                id,
                name: "test.R",
                found: 2,
                expected: 1,
            },
        ),
        (
            &[(2, "test.R", 1, TEXT), (1, "test.R", 3, TEXT)],
            CatalogueError::VersionGap {
                id,
                name: "test.R",
                found: 3,
                expected: 2,
            },
        ),
        (
            &[(1, "test.S", 1, TEXT)],
            CatalogueError::Misnamed {
                id,
                name: "test.S",
                found: "test.R".to_owned(),
            },
        ),
        (
            &[(1, "test.R", 1, r#""string""#)],
            CatalogueError::Misnamed {
                id,
                name: "test.R",
                found: String::new(),
            },
        ),
    ];
    for (rows, expected) in refusals {
        assert_eq!(parse(rows).unwrap_err(), expected);
    }
    let result = parse(&[(1, "test.R", 1, "{")]);
    assert!(
        matches!(result, Err(CatalogueError::Unparsable { id: 1, .. })),
        "{result:?}"
    );
}

#[test]
fn the_bound_on_allocations_is_in_force() {
    registry();
    assert_eq!(max_allocation_bytes(usize::MAX), MAX_LENGTH);
}
