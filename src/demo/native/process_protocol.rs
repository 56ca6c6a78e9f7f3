//! How a process talks to its parent: it writes one event on each line of its standard
//! output, and reads lines from its standard input.

use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde::{Deserialize, Serialize};

/// A line from a process.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessEvent {
    /// It is up, and at this port if it has one.
    Ready { port: Option<u16> },
    /// A task was published.
    Published {
        id: String,
        task: String,
        tag: String,
        attempt: u32,
        /// Whether any queue took it.
        is_routed: bool,
    },
    /// A worker will publish a task later.
    Awaited {
        id: String,
        /// Further keys that are written for it.
        keys: Vec<String>,
    },
    /// A worker took a task.
    Took { id: String, task: String, attempt: u32 },
    /// An attempt ended, in a state of Celery's.
    Ended { id: String, task: String, attempt: u32, state: String },
    /// The pool is done with a delivery.
    Done { tag: String },
    /// It cannot go on.
    Failed { why: String },
}

impl ProcessEvent {
    /// Writes it. A parent that no longer reads does not matter: its end shows on the
    /// standard input.
    pub fn send(&self) {
        let Ok(mut line) = serde_json::to_vec(self) else { return };
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// The lines of the standard input. The channel closes with it, and that ends a process of
/// the demo.
pub fn stdin_lines() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
