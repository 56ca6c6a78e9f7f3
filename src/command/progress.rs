//! Progress, for a person at a terminal, of whatever takes longer than a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Output;

/// A bar that appears only where there is a terminal to see it.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Draws no more often than this.
    const TICK: Duration = Duration::from_millis(120);

    pub fn new(output: &Output) -> Self {
        let target =
            if output.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        bar.enable_steady_tick(Self::TICK);
        Self { bar }
    }

    /// So many keys were met while looking for queues.
    pub fn scanned(&self, keys: u64) {
        self.bar.set_message(format!("looking for queues: {keys} keys"));
    }

    /// So many messages are to be read.
    pub fn begin(&self, messages: u64) {
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} messages  {eta}");
        self.bar.set_style(style.expect("the template is valid"));
        self.bar.set_length(messages);
    }

    pub fn read(&self, messages: u64) {
        self.bar.inc(messages);
    }

    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
