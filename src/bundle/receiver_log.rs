//! `receiver.jsonl`: how requests ended at a receiver, and how long it was up.

use std::io::{self, BufRead};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Notice;
use crate::evidence::{Endpoints, Outcome, ReceiverLog};

/// A line of `receiver.jsonl`: how a request ended, or, at the end, what is to
/// be said of the receiver itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReceiverLine {
    Request {
        outcome: String,
        #[serde(default)]
        agent: String,
        #[serde(default)]
        target: String,
    },
    Receiver {
        /// Seconds that it was up.
        listened: f64,
        grpc: String,
        http: String,
        #[serde(default)]
        are_told: bool,
    },
}

impl ReceiverLine {
    fn file(self, receiver: &mut ReceiverLog) -> Result<(), &'static str> {
        match self {
            Self::Request { outcome, agent, target } => {
                let outcome = Outcome::parse(&outcome).ok_or("an unknown outcome")?;
                receiver.saw(outcome, &agent, &target);
            }
            Self::Receiver { listened, grpc, http, are_told } => {
                let listened = Duration::try_from_secs_f64(listened).map_err(|_| "no duration")?;
                receiver.listened = Some(listened);
                receiver.endpoints = Some(Endpoints { grpc, http, are_told });
            }
        }
        Ok(())
    }
}

/// Reads a log whole; what is wrong with a line is told with its number, and
/// the other lines are read all the same.
pub fn read(
    path: &Path,
    file: &mut impl BufRead,
    receiver: &mut ReceiverLog,
    notices: &mut Vec<Notice>,
) -> io::Result<()> {
    receiver.is_kept = true;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = serde_json::from_slice::<ReceiverLine>(&line).map_err(|error| error.to_string());
        let filed = read.and_then(|line| line.file(receiver).map_err(str::to_owned));
        if let Err(what) = filed {
            notices.push(Notice { path: path.to_owned(), line: Some(number), what, is_expected: false });
        }
    }
    Ok(())
}
