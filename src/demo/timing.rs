//! All durations of the demo: its work, its pauses, and its time limits.

use std::thread;
use std::time::Duration;

/// What the API takes before it publishes.
pub const VALIDATE_ORDER: Duration = Duration::from_millis(8);
pub const SAVE_ORDER: Duration = Duration::from_millis(35);

/// What a task takes, as in the article.
pub const SEND_EMAIL: Duration = Duration::from_millis(800);
pub const UPDATE_INVENTORY: Duration = Duration::from_millis(400);
/// All work of one order's task. The Python application's takes the same.
pub const TASK: Duration = SEND_EMAIL.saturating_add(UPDATE_INVENTORY);
/// How soon the email service refuses.
pub const EMAIL_REFUSED: Duration = Duration::from_millis(100);
/// How far into its work a worker is killed.
pub const KILLED_AFTER: Duration = Duration::from_millis(100);
/// What each further task of a chain, a group or a chord takes.
pub const SMALL_TASK: Duration = Duration::from_millis(30);

/// The pause before the first retry; each further one is twice as long.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(250);
/// How long after the confirmation a receipt is sent: long enough to see it wait, even on a
/// busy machine.
pub const RECEIPT_AFTER: Duration = Duration::from_millis(700);

/// How long spans wait in a process, in milliseconds. Python's default is 5000, but nobody
/// should wait that long for the demo.
pub const NATIVE_EXPORT_DELAY_MS: u64 = 150;
pub const PYTHON_EXPORT_DELAY_MS: u64 = 200;

/// How long a process may take to come up.
pub const NATIVE_START: Duration = Duration::from_secs(10);
pub const PYTHON_START: Duration = Duration::from_secs(30);
/// How long a script may run, and how long a process may take to end when it is asked to.
pub const PYTHON_RUN: Duration = Duration::from_secs(30);
pub const PYTHON_END: Duration = Duration::from_secs(10);
/// How long nothing may change, in addition to one task's work and the pause between two
/// orders.
pub const STILL: Duration = Duration::from_secs(30);

/// Takes as long as a piece of work does, at the demo's pace: 1 is as in the article.
pub fn work(time: Duration, pace: f64) {
    thread::sleep(time.mul_f64(pace.clamp(0.0, 100.0)));
}
