//! What a schema registry would answer.

use crate::{SubjectError, registry};

const POSITION: &str = "stagedoor.topology.Position";

#[test]
fn subjects_are_the_names_of_all_records_sorted() {
    let subjects: Vec<_> = registry().subjects().collect();
    assert!(subjects.contains(&POSITION));
    assert!(subjects.is_sorted());
    for schema in registry().schemas() {
        assert_eq!(
            subjects
                .iter()
                .filter(|subject| **subject == schema.name)
                .count(),
            1
        );
    }
}

#[test]
fn versions_run_from_one_to_the_latest() {
    for subject in registry().subjects() {
        let versions: Vec<_> = registry()
            .versions(subject)
            .map(|schema| schema.version)
            .collect();
        let latest = registry().latest(subject).unwrap().version;
        assert_eq!(versions, (1..=latest).collect::<Vec<_>>());
    }
    assert_eq!(registry().versions("nobody").count(), 0);
}

#[test]
fn a_lookup_answers_as_a_registry_does() {
    let found = |version| registry().lookup(POSITION, version).map(|schema| schema.id);
    let latest = registry().latest(POSITION).unwrap().id;
    assert_eq!(found("1"), Ok(1));
    assert_eq!(found("latest"), Ok(latest));
    assert_eq!(found("-1"), Ok(latest));
    assert_eq!(found("999"), Err(SubjectError::UnknownVersion));
    for version in ["0", "-2", "one", "", "99999999999"] {
        assert_eq!(
            found(version),
            Err(SubjectError::InvalidVersion),
            "{version}"
        );
    }
    let unknown = registry()
        .lookup("nobody", "latest")
        .map(|schema| schema.id);
    assert_eq!(unknown, Err(SubjectError::UnknownSubject));
    assert_eq!(SubjectError::UnknownSubject.code(), 40401);
}
