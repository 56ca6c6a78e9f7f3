//! Progress for a person at a terminal, for anything that takes longer than a second.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bundle::BytesRead;
use crate::cli::Output;

/// A bar that appears only where there is a terminal to see it, and only once
/// there is something to wait for.
pub struct Progress {
    bar: ProgressBar,
    is_quiet: bool,
    shown: Cell<bool>,
}

impl Progress {
    /// Shorter work needs no bar.
    const PATIENCE: Duration = Duration::from_secs(1);
    const DRAWS_A_SECOND: u8 = 8;

    pub fn new(output: &Output) -> Self {
        Self::shown_unless(output.quiet)
    }

    /// For nobody.
    pub fn hidden() -> Self {
        Self::shown_unless(true)
    }

    fn shown_unless(is_quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid"));
        Self { bar, is_quiet, shown: Cell::new(false) }
    }

    fn show_if_slow(&self) {
        if !self.is_quiet && !self.shown.get() && self.bar.elapsed() > Self::PATIENCE {
            self.shown.set(true);
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(Self::DRAWS_A_SECOND));
        }
    }

    /// How many keys were visited while looking for queues.
    pub fn scanned(&self, keys: u64) {
        self.show_if_slow();
        self.bar.set_message(format!("looking for queues: {keys} keys"));
    }

    /// How many messages are to be read.
    pub fn begin(&self, messages: u64) {
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} messages  {eta}");
        self.bar.set_style(style.expect("the template is valid"));
        self.bar.set_length(messages);
    }

    /// Files of so many bytes are to be read, as they lie there; `None` where that cannot be
    /// known.
    pub fn begin_files(&self, bytes: Option<u64>) {
        let style = match bytes {
            None => "{spinner} {bytes}{prefix} read, {bytes_per_sec}  {msg}",
            Some(_) => "{bar:40} {bytes} of {total_bytes}{prefix}, {bytes_per_sec}, {eta} left  {msg}",
        };
        self.bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
        self.bar.set_length(bytes.unwrap_or_default());
    }

    /// So much of files was read, and so many spans came. How much is left can be known of
    /// what lies there alone, so that is what counts; what it holds is said beside.
    pub fn read_files(&self, read: BytesRead, spans: u64) {
        self.show_if_slow();
        if self.shown.get() {
            let BytesRead { stored, decompressed } = read;
            self.bar.set_position(stored);
            if stored == decompressed {
                self.bar.set_message(format!("{spans} spans"));
            } else {
                self.bar.set_prefix(" compressed");
                self.bar.set_message(format!("{} decompressed, {spans} spans", HumanBytes(decompressed)));
            }
        }
    }

    /// A store is asked a question.
    pub fn asks(&self, what: &str) {
        self.show_if_slow();
        self.bar.set_message(format!("asking {what}"));
    }

    /// So many rows of the answer have come.
    pub fn answered(&self, what: &str, rows: u64) {
        self.show_if_slow();
        if self.shown.get() {
            self.bar.set_message(format!("asking {what}: {rows} rows"));
        }
    }

    /// All files were read, and what they hold is being judged: how much of that is done
    /// cannot be known. Where reading was short, this is too.
    pub fn judging(&self) {
        const TICK: Duration = Duration::from_millis(200);
        if self.shown.get() {
            let style = ProgressStyle::with_template("{spinner} all was read, {msg}; judging for {elapsed}");
            self.bar.set_style(style.expect("the template is valid"));
            self.bar.reset_elapsed();
            self.bar.enable_steady_tick(TICK);
        }
    }

    pub fn read(&self, messages: u64) {
        self.show_if_slow();
        self.bar.inc(messages);
    }

    /// How many orders were answered, and how many tasks are done.
    pub fn ordered(&self, answers: u32, tasks: u32) {
        self.show_if_slow();
        self.bar.set_message(format!("{answers} orders answered, {tasks} tasks done"));
    }

    /// Does something that writes to the terminal while the bar is hidden.
    pub fn aside<R>(&self, act: impl FnOnce() -> R) -> R {
        self.bar.suspend(act)
    }

    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
