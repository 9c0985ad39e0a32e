//! A flame graph of a process: sampled by perf, drawn as SVG.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use inferno::collapse::Collapse as _;
use inferno::collapse::perf::{Folder, Options as FolderOptions};
use inferno::flamegraph;
use rustix::process::Signal;

use super::budget;
use super::children::Process;
use super::stop::Stop;

/// Samples a second: not a divisor of the kernel's own ticks.
const FREQUENCY: &str = "199";
/// Bytes of stack that are kept of each sample. Without frame pointers, only they lead to callers.
const STACK: &str = "dwarf,4096";
const ENDED: Duration = Duration::from_secs(60);

/// Sampling under way.
pub(super) struct Profile {
    perf: Process,
    data: PathBuf,
}

/// Fails where perf cannot be used here.
pub(super) fn check() -> anyhow::Result<()> {
    let tried = Command::new("perf")
        .args(["record", "-q", "-o", "/dev/null", "--", "true"])
        .stdout(Stdio::null())
        .output();
    let remedy =
        "install it (Debian: linux-perf, Ubuntu: linux-tools-$(uname -r)), or leave --profile out";
    let output = tried.with_context(|| format!("--profile: perf is missing; {remedy}"))?;
    anyhow::ensure!(
        output.status.success(),
        "--profile: perf may not sample here: {}; run as root, or set \
         kernel.perf_event_paranoid to 1",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

impl Profile {
    /// Samples a process from now on.
    pub(super) fn start(pid: u32, work: &Path) -> anyhow::Result<Self> {
        let data = work.join("perf.data");
        let mut command = Command::new("perf");
        command
            .args(["record", "-q", "-F", FREQUENCY, "--call-graph", STACK])
            .args(["-p", &pid.to_string()])
            .arg("-o")
            .arg(&data);
        Ok(Self {
            perf: Process::start("perf", work, &command)?,
            data,
        })
    }

    /// Ends the sampling.
    pub(super) fn stop(mut self, stop: &Stop) -> anyhow::Result<Samples> {
        self.perf.signal(Signal::INT)?;
        self.perf.ended(ENDED, stop)?;
        Ok(Samples { data: self.data })
    }
}

/// What was sampled.
pub(super) struct Samples {
    data: PathBuf,
}

impl Samples {
    /// Draws the flame graph, and writes the folded stacks and the budget beside it.
    pub(super) fn draw(
        &self,
        title: &str,
        file: &Path,
        cpu_us_per_answer: f64,
    ) -> anyhow::Result<()> {
        let script = self.data.with_extension("script");
        let status = Command::new("perf")
            // Names of inlined functions take minutes to look up.
            .args(["script", "--no-inline", "-i"])
            .arg(&self.data)
            .stdout(File::create(&script)?)
            .stderr(Stdio::null())
            .status()?;
        anyhow::ensure!(status.success(), "perf script ended by {status}");
        let folded = file.with_extension("folded");
        let mut folder = Folder::from(FolderOptions::default());
        let mut reader = BufReader::new(File::open(&script)?);
        folder.collapse(&mut reader, BufWriter::new(File::create(&folded)?))?;
        let stacks = std::fs::read_to_string(&folded)?;
        std::fs::write(
            file.with_extension("budget.md"),
            budget::table(&stacks, cpu_us_per_answer),
        )?;
        let mut options = flamegraph::Options::default();
        title.clone_into(&mut options.title);
        let drawing = BufWriter::new(File::create(file)?);
        let drawn = flamegraph::from_lines(&mut options, stacks.lines(), drawing);
        std::fs::remove_file(&script)?;
        drawn.with_context(|| format!("the flame graph {}", file.display()))
    }
}
