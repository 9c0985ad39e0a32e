//! CPU time and memory of processes, with all that they started, from `/proc` of Linux.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

/// Clock ticks a second in Linux' interface to programs; fixed, whatever the kernel's own tick is.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// Time between two looks at the memory of several processes. Each costs the kernel a walk over the
/// page tables, 3 % of two cores where a broker has a gigabyte; one alone needs none.
const LOOK: Duration = Duration::from_millis(250);

/// What a process and its descendants used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// User and system time in seconds.
    pub cpu_seconds: f64,
    /// Largest memory seen, in bytes. Of one process the kernel's own peak of its resident set; of
    /// several the largest sum of their proportional shares, so that what they share counts once.
    pub peak_bytes: u64,
}

/// Watches a process with its descendants from its start to [`Watch::stop`].
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    cpu_before: f64,
    peak_shares: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins. The CPU time used before does not count.
    ///
    /// # Errors
    /// The process does not run.
    pub fn start(pid: u32) -> io::Result<Self> {
        let cpu_before = tree_cpu_seconds(pid)?;
        let peak_shares = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let looking = std::thread::spawn({
            let (peak_shares, stop) = (Arc::clone(&peak_shares), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::SeqCst) {
                    peak_shares.fetch_max(tree_shares(pid), Ordering::SeqCst);
                    std::thread::park_timeout(LOOK);
                }
            }
        });
        Ok(Self {
            pid,
            cpu_before,
            peak_shares,
            stop,
            looking: Some(looking),
        })
    }

    /// Ends. The process must still run.
    ///
    /// # Errors
    /// It does not.
    pub fn stop(mut self) -> io::Result<Usage> {
        self.end();
        let cpu_seconds = tree_cpu_seconds(self.pid)? - self.cpu_before;
        let alone = descendants(self.pid).len() == 1;
        let peak_bytes = if alone {
            own_peak(self.pid)?
        } else {
            self.peak_shares
                .load(Ordering::SeqCst)
                .max(tree_shares(self.pid))
        };
        Ok(Usage {
            cpu_seconds,
            peak_bytes,
        })
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(looking) = self.looking.take() {
            looking.thread().unpark();
            // Nothing in it can panic.
            let _ = looking.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// User and system time of this process so far, in seconds; 0 where there is no `/proc`.
#[must_use]
pub fn own_cpu_seconds() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| stat.own_ticks / TICKS_PER_SECOND)
}

/// The largest resident set that this process has had so far, in bytes; 0 where there is no
/// `/proc`.
#[must_use]
pub fn own_peak_bytes() -> u64 {
    own_peak(std::process::id()).unwrap_or(0)
}

/// What of `/proc/PID/stat` matters.
struct Stat {
    parent: u32,
    own_ticks: f64,
    /// Of children that ended and were waited for.
    reaped_ticks: f64,
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold blanks and brackets, so count from its end.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let parsed = (|| {
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: number(11)? + number(12)?,
            reaped_ticks: number(13)? + number(14)?,
        })
    })();
    parsed.ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat reads {text:?}")))
}

/// The process and everything below it that runs.
fn descendants(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return vec![pid];
    };
    let all: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid).ok()?.parent)))
        .collect();
    let mut tree = vec![pid];
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    tree
}

/// Children that ended count with whoever waited for them, so the sum never goes back.
fn tree_cpu_seconds(pid: u32) -> io::Result<f64> {
    stat(pid)?;
    let ticks = |pid| stat(pid).map_or(0.0, |stat| stat.own_ticks + stat.reaped_ticks);
    let sum: f64 = descendants(pid).into_iter().map(ticks).sum();
    Ok(sum / TICKS_PER_SECOND)
}

/// The memory of several processes; 0 of one alone, whose peak the kernel knows.
fn tree_shares(pid: u32) -> u64 {
    let tree = descendants(pid);
    if tree.len() == 1 {
        return 0;
    }
    let share = |pid: u32| kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:").unwrap_or(0);
    tree.into_iter().map(share).sum()
}

fn own_peak(pid: u32) -> io::Result<u64> {
    kilobytes(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// The bytes in a line such as `VmHWM:   1234 kB`.
fn kilobytes(file: &str, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let number = number.ok_or_else(|| io::Error::other(format!("{file} has no {name}")))?;
    Ok(number * 1024)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell, killed at the end of the test; the script must end by `read`.
    struct Shell(Child);

    impl Shell {
        fn start(script: &str) -> Self {
            let child = Command::new("sh")
                .args(["-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            Self(child.unwrap())
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    const BUSY: &str = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

    #[test]
    fn time_of_children_counts_after_they_ended() {
        let mut shell = Shell::start(&format!("sh -c '{BUSY}'; echo ended; read x"));
        let mut line = String::new();
        let output = shell.0.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ended\n");
        let used = tree_cpu_seconds(shell.0.id()).unwrap();
        assert!(used >= 0.05, "{used}");
    }

    #[test]
    fn a_watch_counts_from_its_start_and_sees_memory() {
        let shell = Shell::start("read x");
        let watch = Watch::start(shell.0.id()).unwrap();
        let usage = watch.stop().unwrap();
        assert!(usage.cpu_seconds < 1.0, "{usage:?}");
        assert!(usage.peak_bytes > 100_000, "{usage:?}");
    }

    #[test]
    fn memory_of_descendants_is_added() {
        let shell = Shell::start("sleep 60 & sleep 60 & read x");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while descendants(shell.0.id()).len() < 3 && std::time::Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let tree = descendants(shell.0.id());
        assert_eq!(tree.len(), 3);
        let alone = kilobytes(&format!("/proc/{}/smaps_rollup", shell.0.id()), "Pss:").unwrap();
        assert!(tree_shares(shell.0.id()) > alone);
        for pid in &tree[1..] {
            Command::new("kill").arg(pid.to_string()).status().unwrap();
        }
    }

    #[test]
    fn a_process_that_does_not_run_cannot_be_watched() {
        assert!(Watch::start(u32::MAX).is_err());
    }
}
