//! Processes that the suite starts. None outlives it, however it ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

use super::stop::Stop;

/// How long a process may take to end in order.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(10);
/// Lines of a process that are shown where it failed.
const LAST_WORDS: usize = 12;

/// A running process with its output in two files. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    errors: PathBuf,
}

impl Process {
    /// Starts `command`. Its output goes to `directory`/`name`.out and .err.
    ///
    /// `setpriv` lets the kernel kill it with the thread that starts it: so only the suite's main
    /// thread may. It leads a group of its own, because an interrupt at the terminal is to reach
    /// the suite alone, which then ends everything in order.
    pub(super) fn start(name: &str, directory: &Path, command: &Command) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let output = directory.join(format!("{name}.out"));
        let errors = directory.join(format!("{name}.err"));
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]);
        bound.arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => bound.env(variable, value),
                None => bound.env_remove(variable),
            };
        }
        let child = bound
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(&errors)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} cannot be started by setpriv (util-linux)"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            output,
            errors,
        })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that begins with `start`, and returns the rest of it.
    pub(super) fn line(
        &mut self,
        start: &str,
        limit: Duration,
        stop: &Stop,
    ) -> anyhow::Result<String> {
        let what = format!("a line {start:?} of {}", self.name);
        let found = stop.until(&what, limit, || {
            let text = fs::read_to_string(&self.output).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let line = whole.lines().find_map(|line| line.strip_prefix(start));
            if line.is_none() {
                self.check()?;
            }
            Ok(line.map(str::to_owned))
        });
        found.with_context(|| self.last_words())
    }

    /// Fails where it has ended, with its last words.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("{} ended by {status}:\n{}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub(super) fn ended(&mut self, limit: Duration, stop: &Stop) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        stop.until(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// What it wrote to standard output so far.
    pub(super) fn output(&self) -> anyhow::Result<String> {
        fs::read_to_string(&self.output).with_context(|| self.output.display().to_string())
    }

    /// The last lines that it wrote to standard error.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.errors).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    /// SIGTERM, and SIGKILL to what does not end within its time.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            anyhow::ensure!(
                Instant::now() < deadline,
                "{} did not end within {} s of its SIGTERM:\n{}",
                self.name,
                PATIENCE.as_secs(),
                self.last_words()
            );
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// SIGKILL; it is gone when this returns.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("a process has an id")?, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A command whose environment holds none of the user's own settings of Stagedoor: they must not
/// reach what is measured.
pub(super) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("STAGEDOOR_") && shown != "STAGEDOOR_CACHE" {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a script to its end, and returns the `key=value` lines that it wrote.
pub(super) fn script(
    name: &str,
    directory: &Path,
    command: &Command,
    limit: Duration,
    stop: &Stop,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut process = Process::start(name, directory, command)?;
    let status = process.ended(limit, stop)?;
    anyhow::ensure!(
        status.success(),
        "{name} ended by {status}:\n{}",
        process.last_words()
    );
    let pairs = process.output()?;
    let pairs = pairs.lines().filter_map(|line| line.split_once('='));
    Ok(pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}

/// The value of a key that a script must have printed.
pub(super) fn value<'a>(pairs: &'a [(String, String)], key: &str) -> anyhow::Result<&'a str> {
    let found = pairs.iter().find(|(name, _)| name == key);
    found
        .map(|(_, value)| value.as_str())
        .with_context(|| format!("the script printed no {key}="))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn a_script_gives_its_values_and_a_failing_one_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        let run = |text| script("it", directory.path(), &shell(text), SOON, &stop);
        let pairs = run("echo a=1; echo b=2=3").unwrap();
        assert_eq!(value(&pairs, "a").unwrap(), "1");
        assert_eq!(value(&pairs, "b").unwrap(), "2=3");
        assert!(value(&pairs, "c").is_err());
        let failed = run("echo no room >&2; exit 3").unwrap_err().to_string();
        assert!(failed.contains("no room"), "{failed}");
    }

    #[test]
    fn a_line_is_awaited_and_an_early_end_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        let command = shell("echo url=here; exec sleep 60");
        let mut process = Process::start("it", directory.path(), &command).unwrap();
        assert_eq!(process.line("url=", SOON, &stop).unwrap(), "here");
        let pid = process.pid();
        process.kill().unwrap();
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        let command = shell("echo broken >&2; exit 1");
        let mut process = Process::start("it", directory.path(), &command).unwrap();
        let error = format!("{:#}", process.line("url=", SOON, &stop).unwrap_err());
        assert!(error.contains("broken"), "{error}");
    }
}
