//! An application in a process of its own, which may be frozen and killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use rustix::process::{Pid, Signal, kill_process};
use stagedoor_topology::{StreamsState, TaskPhase};

use super::{App, AppOptions, Program, show_logs};
use crate::wait;

/// A running process, with what it has said.
pub struct AppProcess {
    child: Child,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl AppProcess {
    /// Starts `program` (the binary `streams-under-test`) with these options and environment.
    ///
    /// # Panics
    /// If there is no such program.
    #[must_use]
    pub fn start(program: &str, options: &AppOptions, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(arguments(options))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output is a pipe");
        let lines = Arc::default();
        let heard: Arc<Mutex<Vec<(Instant, String)>>> = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((Instant::now(), line));
            }
        });
        Self { child, lines }
    }

    /// SIGSTOP: it holds everything and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: it does not know that time has passed.
    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        drop(self.child.wait());
    }

    /// Asks it to end in good order, and waits.
    ///
    /// # Panics
    /// If it does not end well within 30 seconds.
    pub fn close(&mut self) {
        drop(self.child.stdin.take());
        let status = self
            .ended(Duration::from_secs(30))
            .expect("it ends in time");
        assert!(status.success(), "it ends well: {status}");
    }

    /// How it ended, if it does within `limit`.
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait::until(limit, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status
    }

    /// Waits until it has said a line after the first `seen` ones; returns when it said it.
    pub fn says(&self, line: &str, seen: usize, limit: Duration) -> Option<Instant> {
        let mut when = None;
        wait::until(limit, || {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            when = lines
                .iter()
                .skip(seen)
                .find(|(_, said)| said == line)
                .map(|(at, _)| *at);
            when.is_some()
        });
        when
    }

    /// Everything that it has said so far.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(_, line)| line.clone()).collect()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("the process is there");
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The whole life of the program: runs until its input ends, and tells every change of its state
/// (`RUNNING`) and of its tasks (`task 0_0 running`, `task 0_0 gone`).
///
/// # Errors
/// Where it cannot write.
///
/// # Panics
/// Where its arguments are wrong, or the application does not start.
pub fn run() -> io::Result<()> {
    show_logs();
    let options = parse(&env::args().skip(1).collect::<Vec<_>>());
    let app = App::launch(&options).expect("the application starts");
    let (ended, end) = std::sync::mpsc::channel();
    thread::spawn(move || {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        ended.send(()).ok();
    });
    let (mut state, mut tasks) = (None, Vec::new());
    while end.recv_timeout(Duration::from_millis(5)).is_err() {
        let mut out = io::stdout();
        let now = app.streams().state();
        if state.replace(now) != Some(now) {
            writeln!(out, "{now}")?;
        }
        let running = running_tasks(&app);
        for task in running.iter().filter(|task| !tasks.contains(*task)) {
            writeln!(out, "task {task} running")?;
        }
        for task in tasks.iter().filter(|task| !running.contains(task)) {
            writeln!(out, "task {task} gone")?;
        }
        tasks = running;
        if now == StreamsState::Error {
            writeln!(out, "{}", app.streams().failure().unwrap_or_default())?;
            std::process::exit(78);
        }
    }
    app.close();
    Ok(())
}

fn running_tasks(app: &App) -> Vec<String> {
    let tasks = app.streams().tasks().into_iter();
    let running = tasks.filter(|task| task.phase == TaskPhase::Running);
    running.map(|task| task.id.to_string()).collect()
}

fn arguments(options: &AppOptions) -> [String; 9] {
    let program = match options.program {
        Program::Concerts => "concerts",
        Program::Fragile => "fragile",
    };
    [
        options.bootstrap_servers.clone(),
        options.application.clone(),
        options.instance.clone(),
        options.directory.display().to_string(),
        options.partitions.to_string(),
        options.session.as_millis().to_string(),
        options.transaction.as_millis().to_string(),
        options.batch.to_string(),
        program.to_owned(),
    ]
}

fn parse(arguments: &[String]) -> AppOptions {
    let arguments: &[String; 9] = arguments
        .try_into()
        .expect("nine arguments, in the order of AppOptions");
    let [
        servers,
        application,
        instance,
        directory,
        partitions,
        session,
        transaction,
        batch,
        program,
    ] = arguments;
    let millis = |text: &str| Duration::from_millis(text.parse().expect("milliseconds"));
    AppOptions {
        bootstrap_servers: servers.clone(),
        application: application.clone(),
        instance: instance.clone(),
        directory: PathBuf::from(Path::new(directory)),
        partitions: partitions.parse().expect("a number of partitions"),
        session: millis(session),
        transaction: millis(transaction),
        raw: BTreeMap::new(),
        batch: batch.parse().expect("a number of records"),
        program: if program == "fragile" {
            Program::Fragile
        } else {
            Program::Concerts
        },
    }
}
