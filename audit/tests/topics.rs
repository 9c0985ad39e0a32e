//! Whole audits over topics in memory: what is found, from where, and how much is kept.

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use common::log::Stored;
use common::task::{Site, Task, concert, hold, release};
use stagedoor_audit::{AuditError, Checker, Progress, Report, Sources, run, verify};

const EVERY_MS: i64 = 1_000;

/// Holds of which every other one is released and the rest expires; committed every ten commands.
fn sell(task: &mut Task<'_>, holds: std::ops::Range<i64>) {
    for number in holds {
        let at_ms = (number + 2) * EVERY_MS;
        task.send(at_ms, &hold(number));
        let next = match number % 2 {
            0 => task.send(at_ms + 1, &release(number)) + 1,
            _ => task.tick(at_ms + 1) + 1,
        };
        if number % 10 == 9 {
            task.commit(next);
        }
    }
}

/// Two partitions, of which each sold something.
fn sold() -> Site {
    let site = Site::new(2);
    for partition in 0..2 {
        let mut task = Task::new(&site, partition);
        task.send(0, &concert(30));
        // The same key again, with the same body and with another one.
        task.send(1, &hold(500));
        task.send(2, &hold(500));
        let mut other = hold(500);
        other.seats.pop();
        task.send(3, &other);
        sell(&mut task, 0..200);
    }
    site
}

fn audit(site: &Site) -> Report {
    run(&sources(site)).expect("everything can be read")
}

fn sources(site: &Site) -> Sources<'_> {
    Sources::new(&site.log, &site.topology, &site.naming, &site.secret)
}

const ALL: [Checker; 10] = Checker::AT_REST;

#[test]
fn a_right_history_is_clean_and_every_checker_looked_at_something() {
    let report = audit(&sold());
    assert!(report.is_clean(&ALL), "{report}");
    assert!(
        report.looked_at(Checker::S5, "expired holds") > 100,
        "{report}"
    );
    assert_eq!((report.partitions, report.complete_after_ms), (2, None));
}

#[test]
fn an_audit_that_spills_finds_the_same_as_one_in_memory() {
    let site = sold();
    let events = site.naming.topic("reservation.events");
    site.log
        .change(&events, 0, |partition| partition.records.remove(20));
    let (whole, mut spilled) = (audit(&site), sources(&site));
    spilled.memory_bytes = 3_000;
    let spilled = run(&spilled).unwrap();
    assert!(whole.found(Checker::C4) > 0, "{whole}");
    assert_eq!(whole, spilled);
}

#[test]
fn an_audit_of_several_partitions_at_once_finds_the_same_in_the_same_order() {
    let site = sold();
    let events = site.naming.topic("reservation.events");
    for partition in 0..2 {
        site.log
            .change(&events, partition, |partition| partition.records.remove(20));
    }
    let at_once = Sources {
        threads: 4,
        ..sources(&site)
    };
    assert_eq!(run(&at_once).unwrap(), audit(&site));
}

#[test]
fn a_lost_event_an_altered_answer_and_a_record_without_a_stamp_are_found_at_their_places() {
    let site = sold();
    let results = site.naming.topic("results");
    site.log.change(&results, 1, |partition| {
        partition.records[30].value.as_mut().unwrap()[9] ^= 1;
        partition.records[31].headers.clear();
    });
    let report = audit(&site);
    let found = |checker| {
        report
            .first(checker)
            .map(|violation| violation.place.clone())
    };
    assert_eq!(
        found(Checker::D1).map(|place| (place.partition, place.offset)),
        Some((1, 30))
    );
    assert_eq!(
        found(Checker::C4).map(|place| (place.partition, place.offset)),
        Some((1, 31))
    );
}

#[test]
fn an_output_that_no_input_explains_is_found() {
    let site = sold();
    let results = site.naming.topic("results");
    site.log.change(&results, 0, |partition| {
        let last = partition.records.last().unwrap().clone();
        let mut stamp = last.headers[0].1.clone();
        stamp[12..20].copy_from_slice(&9_999_i64.to_be_bytes());
        let headers = vec![(last.headers[0].0.clone(), stamp)];
        let offset = partition.next;
        partition.next += 1;
        partition.records.push(Stored {
            offset,
            headers,
            ..last
        });
    });
    let report = audit(&site);
    assert_eq!(
        (report.found(Checker::C3), report.found(Checker::D1)),
        (1, 1),
        "{report}"
    );
}

#[test]
fn what_was_written_after_the_last_position_is_left_to_the_next_audit_while_the_service_runs() {
    let site = sold();
    let clean = audit(&site);
    let changelog = site.naming.changelog("concert");
    let results = site.naming.topic("results");
    let first = site
        .log
        .change(&changelog, 0, |partition| partition.next.unsigned_abs());
    // A commit that comes while the audit has read this task's changelog, and no outputs yet.
    let passed = AtomicU64::new(0);
    let progress = |step| {
        let Progress::Passed(more) = step else { return };
        let before = passed.fetch_add(more, Ordering::SeqCst);
        if before <= first && before + more > first {
            commit_one_more(&site, &results, &changelog);
        }
    };
    let sources = Sources {
        progress: &progress,
        ..sources(&site)
    };
    let report = run(&sources).unwrap();
    assert_eq!(report.violations, clean.violations, "{report}");
    // At rest it is one answer too many, and a position that does not fit.
    assert!(audit(&site).found(Checker::D1) > 0);
}

/// An answer past the last position, and a changelog that has moved on.
fn commit_one_more(site: &Site, results: &str, changelog: &str) {
    let newest = |topic: &str| {
        site.log
            .change(topic, 0, |of| of.records.last().expect("a record").clone())
    };
    let mut answer = newest(results);
    let stamp = &mut answer.headers[0].1;
    stamp[8..12].copy_from_slice(&0_i32.to_be_bytes());
    stamp[12..20].copy_from_slice(&9_999_i64.to_be_bytes());
    site.log.append(results, 0, answer);
    let row = newest(changelog);
    site.log.append(changelog, 0, row);
}

#[test]
fn completeness_begins_where_every_output_still_exists() {
    let site = sold();
    let results = site.naming.topic("results");
    let cut = site.log.change(&results, 0, |partition| {
        partition.records.drain(..40);
        partition.start = partition.records[0].offset;
        partition.records[0].timestamp_ms
    });
    let report = audit(&site);
    assert!(report.is_clean(&ALL), "{report}");
    assert_eq!(report.complete_after_ms, Some(cut));
    // Behind the cut everything is looked at as before.
    site.log
        .change(&results, 0, |partition| partition.records.remove(30));
    assert!(audit(&site).found(Checker::C3) > 0);
}

#[test]
fn a_command_partition_without_its_start_is_refused_by_name_and_can_be_left_out() {
    let site = sold();
    site.log.change(&site.commands(), 1, |partition| {
        partition.records.remove(0);
        partition.start = 1;
    });
    let error = run(&sources(&site)).unwrap_err();
    assert!(
        matches!(
            error,
            AuditError::Cut {
                partition: 1,
                start: 1,
                ..
            }
        ),
        "{error}"
    );
    let chosen = Sources {
        partitions: vec![0],
        ..sources(&site)
    };
    assert!(run(&chosen).unwrap().is_clean(&ALL));
}

#[test]
fn a_partition_that_is_not_there_is_refused() {
    let site = Site::new(2);
    let chosen = Sources {
        partitions: vec![2],
        ..sources(&site)
    };
    let error = run(&chosen).unwrap_err();
    assert!(
        error.to_string().contains("has partitions 0 to 1"),
        "{error}"
    );
}

#[test]
fn progress_ends_at_its_total() {
    let site = sold();
    let passed = Mutex::new((0, 0));
    let progress = |step| match step {
        Progress::Total(total) => passed.lock().unwrap().1 = total,
        Progress::Passed(more) => passed.lock().unwrap().0 += more,
    };
    let sources = Sources {
        progress: &progress,
        ..sources(&site)
    };
    run(&sources).unwrap();
    let (done, total) = *passed.lock().unwrap();
    assert!(total > 1_000);
    assert_eq!(done, total);
}

#[test]
fn an_altered_changelog_row_is_named_by_verify() {
    let site = sold();
    let mut clean = Vec::new();
    verify(&sources(&site), &mut |task| clean.push(task.clone())).unwrap();
    assert!(
        clean.len() == 2 && clean.iter().all(|task| task.is_same()),
        "{clean:?}"
    );
    let changelog = site.naming.changelog("concert");
    site.log.change(&changelog, 1, |partition| {
        // The last row of a reservation, since the last one of a key is what counts.
        let rows = partition.records.iter_mut();
        let mut live = rows
            .rev()
            .filter(|row| row.key[0] == 5 && row.value.is_some());
        let row = live.next().unwrap();
        let last = row.value.as_mut().unwrap().last_mut().unwrap();
        *last ^= 2;
    });
    let mut found = Vec::new();
    verify(&sources(&site), &mut |task| found.push(task.clone())).unwrap();
    assert!(found[0].is_same() && !found[1].is_same());
    let [difference] = &found[1].differences[..] else {
        panic!("one difference: {found:?}")
    };
    assert_eq!(
        (difference.side, difference.store),
        ("changelog", "reservations")
    );
    assert!(difference.key.starts_with("c\\0"), "{difference:?}");
}
