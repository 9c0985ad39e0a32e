//! What must be so before anything is started: refused in a sentence, and not by a failure
//! half-way.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Oldest Java that Kafka accepts.
const JAVA: u32 = 17;
const GIB: u64 = 1 << 30;

/// The place of a run. Removed when dropped.
#[derive(Debug)]
pub(super) struct Work {
    /// The directory.
    pub(super) directory: PathBuf,
    lock: File,
}

/// Everything that can be checked first.
pub(super) fn check(work: &Path, out: &Path, needed_gib: u64) -> anyhow::Result<()> {
    check_java(java_version().as_deref())?;
    for (program, package) in [
        ("setpriv", "util-linux"),
        ("taskset", "util-linux"),
        ("bash", "bash"),
    ] {
        let found = Command::new(program).arg("--version").output();
        found.with_context(|| format!("{program} is missing: install {package}"))?;
    }
    check_room(work, needed_gib)?;
    fs::create_dir_all(out).with_context(|| format!("--out {}", out.display()))
}

/// The first line that `java -version` writes; none where there is no Java.
fn java_version() -> Option<String> {
    let home = std::env::var_os("JAVA_HOME");
    let java = home.map_or_else(|| "java".into(), |home| Path::new(&home).join("bin/java"));
    let output = Command::new(java).arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().next().map(str::to_owned)
}

fn check_java(version: Option<&str>) -> anyhow::Result<()> {
    let remedy =
        "install version 17 or later (scripts/setup.sh --kafka does it on Debian and Ubuntu)";
    let Some(line) = version else {
        anyhow::bail!("java is missing, and the broker runs on it: {remedy}, or set JAVA_HOME");
    };
    let number = line.split('"').nth(1).and_then(|number| {
        let digits = number.split(['.', '-', '+']).next();
        digits.and_then(|digits| digits.parse::<u32>().ok())
    });
    anyhow::ensure!(
        number.is_some_and(|number| number >= JAVA),
        "java is {line}, and the broker needs version {JAVA} or later: {remedy}"
    );
    Ok(())
}

fn check_room(work: &Path, needed_gib: u64) -> anyhow::Result<()> {
    let existing = work.ancestors().find(|place| place.exists());
    let existing = existing.unwrap_or(Path::new("/"));
    let room = rustix::fs::statvfs(existing)?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    anyhow::ensure!(
        free >= needed_gib * GIB,
        "{} has {:.1} GiB free, and {needed_gib} GiB are needed: make room, or set TMPDIR to \
         another disk",
        existing.display(),
        free as f64 / GIB as f64
    );
    Ok(())
}

/// Another Kafka would take its share of the machine, and the figures would be wrong.
pub(super) fn check_alone() -> anyhow::Result<()> {
    if let Some(pid) = other_broker() {
        anyhow::bail!(
            "another Kafka runs on this machine (process {pid}), and figures beside it would be \
             wrong: end it, or measure all the same with --beside-others"
        );
    }
    Ok(())
}

fn other_broker() -> Option<u32> {
    const CLASS: &[u8] = b"kafka.Kafka";
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == CLASS)
    })
}

impl Work {
    /// Takes the directory that all runs of this machine share, and removes what a run that was
    /// killed has left there.
    pub(super) fn take(root: &Path, shared: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(shared).with_context(|| shared.display().to_string())?;
        let path = shared.join("lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "another run of ./bench has the machine ({} is locked): wait for its end",
                path.display()
            ),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for entry in fs::read_dir(shared)? {
            let left = entry?.path();
            if left.is_dir() {
                end_servers(root, &left);
                fs::remove_dir_all(&left).with_context(|| left.display().to_string())?;
            }
        }
        let directory = shared.join(std::process::id().to_string());
        fs::create_dir(&directory)?;
        Ok(Self { directory, lock })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "cannot be removed");
        }
        // Closing is not enough while a process that is being started still has a copy.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock goes with this process");
        }
    }
}

/// Ends the servers of a run that was killed, if their watchers have not done it yet.
fn end_servers(root: &Path, left: &Path) {
    let scripts = [
        ("docker/kafka/kafka.sh", "kafka"),
        ("benches/peers/redis-postgres/servers.sh", "servers"),
    ];
    for (script, name) in scripts {
        let directory = left.join(name);
        if directory.is_dir() {
            let ended = Command::new(root.join(script))
                .arg("stop")
                .arg("--dir")
                .arg(&directory)
                .output();
            if let Err(error) = ended {
                tracing::warn!(%error, script, "what a killed run has left may still run");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_java_and_none_are_refused_with_what_to_do() {
        check_java(Some("openjdk version \"17.0.12\" 2024-07-16")).unwrap();
        check_java(Some("openjdk version \"25\" 2025-09-16")).unwrap();
        check_java(Some("openjdk version \"24-ea\" 2025-03-18")).unwrap();
        for old in [
            None,
            Some("java version \"1.8.0_402\""),
            Some("openjdk version \"11.0.2\""),
        ] {
            let error = check_java(old).unwrap_err().to_string();
            assert!(error.contains("version 17 or later"), "{error}");
        }
    }

    #[test]
    fn a_disk_without_room_is_refused_with_what_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let work = directory.path().join("not/made/yet");
        check_room(&work, 0).unwrap();
        let error = check_room(&work, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("are needed: make room"), "{error}");
    }

    #[test]
    fn two_runs_do_not_meet_and_what_a_killed_one_left_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join("4711");
        fs::create_dir(&left).unwrap();
        let first = Work::take(directory.path(), directory.path()).unwrap();
        assert!(!left.exists() && first.directory.is_dir());
        let second = Work::take(directory.path(), directory.path());
        assert!(second.unwrap_err().to_string().contains("wait for its end"));
        drop(first);
        Work::take(directory.path(), directory.path()).unwrap();
    }
}
