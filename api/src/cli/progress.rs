//! A bar on a terminal: how far, how fast, how long still. Nothing where nobody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stagedoor_audit::Progress;

/// The bar of one command, on standard error.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar that shows itself only on a terminal.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        let template = "{wide_bar} {human_pos} of {human_len} offsets, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Moves on.
    pub(crate) fn advance(&self, progress: Progress) {
        match progress {
            Progress::Total(total) => self.0.set_length(total),
            Progress::Passed(more) => self.0.inc(more),
        }
    }

    /// Shows a position that somebody else counts.
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Writes lines while the bar is out of the way.
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
