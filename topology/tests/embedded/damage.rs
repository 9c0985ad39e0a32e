//! Flipped bits and cut files: refused, or without any effect, and never a wrong answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::small_log::{Contents, contents, copy, files, fill, open};

/// Flips of one run, unless the environment says another number.
const FLIPS: u64 = 1_000;

/// A closed log with rows in every kind of file, and what is in it.
fn damaged_later(directory: &Path) -> Contents {
    for rounds in [30, 20] {
        fill(&open(directory).expect("it opens"), rounds);
    }
    let log = open(directory).expect("it opens");
    fill(&log, 5);
    contents(&log).expect("it can be read")
}

/// What a copy says after a change to one of its files: nothing but the truth, or a refusal.
fn verdict(original: &Path, change: impl FnOnce(&Path)) -> Result<Contents, String> {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("copy");
    copy(original, &directory);
    change(&directory);
    contents(&open(&directory)?)
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).expect("it can be read");
    let bit = usize::try_from(bit).expect("a small file") % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    // Others share the file.
    fs::remove_file(path).expect("it can be replaced");
    fs::write(path, bytes).expect("it can be replaced");
}

/// The finalizer of splitmix64.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Kinds of files by what their names have in common.
fn kind(path: &Path) -> String {
    let name = path.file_name().expect("a name").to_string_lossy();
    let extension = path.extension().map(|it| it.to_string_lossy().into_owned());
    extension.unwrap_or_else(|| {
        name.trim_end_matches(|it: char| !it.is_alphabetic())
            .to_owned()
    })
}

#[test]
fn a_flipped_bit_in_any_file_is_refused_or_changes_nothing() {
    let original = tempfile::tempdir().unwrap();
    let truth = damaged_later(original.path());
    assert_eq!(truth.records.values().map(Vec::len).sum::<usize>(), 55 * 3);
    let names: Vec<PathBuf> = files(original.path())
        .iter()
        .filter(|path| fs::metadata(path).is_ok_and(|it| it.len() > 0))
        .map(|path| path.strip_prefix(original.path()).unwrap().to_owned())
        .collect();
    let flips = std::env::var("STAGEDOOR_TEST_FLIPS")
        .ok()
        .and_then(|it| it.parse().ok());
    let flips = flips.unwrap_or(FLIPS);
    let run = |numbers: Vec<u64>| {
        let mut seen: BTreeMap<(String, bool), u32> = BTreeMap::new();
        for number in numbers {
            let name = &names[usize::try_from(number).unwrap() % names.len()];
            let found = verdict(original.path(), |copy| {
                flip(&copy.join(name), mixed(number))
            });
            let is_refused = found.is_err();
            if let Ok(found) = found {
                assert!(
                    found == truth,
                    "flip {number} in {name:?} gave a wrong answer: {found:?}"
                );
            }
            *seen.entry((kind(name), is_refused)).or_default() += 1;
        }
        seen
    };
    let halves = std::thread::scope(|scope| {
        let half = |odd: u64| (0..flips).filter(|it| it % 2 == odd).collect::<Vec<_>>();
        let other = scope.spawn(move || run(half(1)));
        [run(half(0)), other.join().expect("no wrong answer")]
    });
    let mut seen: BTreeMap<(String, bool), u32> = BTreeMap::new();
    for (kind, count) in halves.into_iter().flatten() {
        *seen.entry(kind).or_default() += count;
    }
    eprintln!("flips by kind of file and whether they were refused: {seen:?}");
    for kind in ["log", "sst", "blob", "MANIFEST"] {
        let refused = seen.get(&(kind.to_owned(), true)).copied().unwrap_or(0);
        assert!(
            refused > 0,
            "no flip in a {kind} file was noticed: {seen:?}"
        );
    }
}

/// The write-ahead log that was written to last.
fn newest_log(directory: &Path) -> PathBuf {
    let logs = files(&directory.join("rocksdb"));
    let logs = logs
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "log"));
    logs.max().expect("there is one")
}

/// Writes the last commits of a log in a process-like way: it is not closed, it is copied as it
/// stands. Returns the copy and what was acknowledged.
fn cut_off(place: &Path) -> (PathBuf, Contents) {
    let (live, copied) = (place.join("live"), place.join("copied"));
    let log = open(&live).expect("it opens");
    fill(&log, 10);
    let truth = contents(&log).expect("it can be read");
    copy(&live, &copied);
    (copied, truth)
}

#[test]
fn a_last_write_that_was_cut_short_is_dropped_and_nothing_acknowledged_with_it() {
    let place = tempfile::tempdir().unwrap();
    let (copied, truth) = cut_off(place.path());
    let path = newest_log(&copied);
    let mut bytes = fs::read(&path).unwrap();
    // A record of 500 bytes, of which 100 have arrived.
    bytes.extend([1, 2, 3, 4, 0xf4, 1, 1]);
    bytes.extend([9; 100]);
    fs::write(&path, bytes).unwrap();
    let log = open(&copied).expect("it opens");
    assert_eq!(contents(&log), Ok(truth));
}

#[test]
fn an_acknowledged_write_that_is_gone_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let (copied, _) = cut_off(place.path());
    let path = newest_log(&copied);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let refused = open(&copied).err().expect("a refusal");
    assert!(refused.contains("was acknowledged"), "{refused}");
    assert!(
        refused.contains("restore the data directory from a backup"),
        "{refused}"
    );
    // It is refused again: the first look has repaired nothing into a shorter truth.
    assert_eq!(open(&copied).err(), Some(refused));
    fs::remove_file(copied.join("log.anchor")).unwrap();
    open(&copied).expect("whoever deletes the anchor accepts the loss");
}

#[test]
fn a_missing_write_ahead_log_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let (copied, _) = cut_off(place.path());
    fs::remove_file(newest_log(&copied)).unwrap();
    assert!(open(&copied).is_err());
}

#[test]
fn a_flip_in_the_middle_of_the_write_ahead_log_is_refused_and_everything_is_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (copied, truth) = cut_off(place.path());
    let path = newest_log(&copied);
    let before = fs::read(&path).unwrap();
    flip(&path, u64::try_from(before.len() * 2).unwrap());
    let flipped = fs::read(&path).unwrap();
    let refused = open(&copied).err().expect("a refusal");
    assert!(refused.contains("not what was written"), "{refused}");
    assert!(refused.contains(&path.display().to_string()), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), flipped);
    fs::write(&path, before).unwrap();
    assert_eq!(contents(&open(&copied).expect("it is mended")), Ok(truth));
}
