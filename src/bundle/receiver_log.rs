//! `receiver.jsonl`: how requests ended at a receiver, and how long it was up.

use std::io::{self, BufRead};
use std::time::Duration;

use serde::Deserialize;

use super::lines;
use super::notice::Notices;
use crate::evidence::{Endpoints, Outcome, ReceiverLog};

/// A line of `receiver.jsonl`: how a request ended, or, at the end, what is to
/// be said of the receiver itself. One struct for both, because serde keeps a
/// copy of each value of a line to try another shape with.
#[derive(Deserialize)]
struct ReceiverLine {
    outcome: Option<String>,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    target: String,
    /// Seconds that it was up.
    listened: Option<f64>,
    grpc: Option<String>,
    http: Option<String>,
    #[serde(default)]
    are_told: bool,
}

impl ReceiverLine {
    fn file(self, receiver: &mut ReceiverLog) -> Result<(), &'static str> {
        match self {
            Self { outcome: Some(outcome), agent, target, .. } => {
                let outcome = Outcome::parse(&outcome).ok_or("an unknown outcome")?;
                receiver.saw(outcome, &agent, &target);
            }
            Self { listened: Some(listened), grpc: Some(grpc), http: Some(http), are_told, .. } => {
                let listened = Duration::try_from_secs_f64(listened).map_err(|_| "no duration")?;
                receiver.listened = Some(listened);
                receiver.endpoints = Some(Endpoints { grpc, http, are_told });
            }
            _ => return Err("neither an `outcome`, nor `listened`, `grpc` and `http`"),
        }
        Ok(())
    }
}

/// Reads a log whole; what is wrong with a line is told with its number, and
/// the other lines are read all the same.
pub fn read(
    file: &mut impl BufRead,
    receiver: &mut ReceiverLog,
    notices: &mut Notices<'_>,
) -> io::Result<()> {
    receiver.is_kept = true;
    lines::each(file, |number, line| {
        let Some(line) = line else { return notices.line(number, lines::too_long()) };
        let read = serde_json::from_slice::<ReceiverLine>(line).map_err(|error| error.to_string());
        let filed = read.and_then(|line| line.file(receiver).map_err(str::to_owned));
        if let Err(what) = filed {
            notices.line(number, what);
        }
    })
}
