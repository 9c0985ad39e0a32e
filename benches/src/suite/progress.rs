//! What is being done: a bar where somebody looks, lines where nobody does.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shown on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        let template = "{spinner} {elapsed_precise} {msg} {human_pos}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self {
            bar,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Begins a step.
    pub(super) fn step(&self, what: &str) {
        self.bar.set_position(0);
        self.bar.set_message(what.to_owned());
        if !self.terminal {
            eprintln!("bench: {what}");
        }
    }

    /// How many of a step are done.
    pub(super) fn at(&self, count: u64) {
        self.bar.set_position(count);
    }

    /// A line that stays.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("bench: {line}"));
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
