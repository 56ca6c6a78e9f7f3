//! `receiver.jsonl`: how requests to a receiver ended, how long it was up, and what had not
//! settled at its end.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lines;
use super::skipped::SkippedIn;
use super::spans::SavedParts;
use crate::evidence::{Endpoints, Evidence, Outcome, ReceiverLog, Unit};
use crate::model::TraceId;

/// A line of `receiver.jsonl`, for writing and reading: how a request ended; or, at the
/// end, what concerns the receiver itself, and each trace and task that had not settled.
/// One struct for all, because serde copies each value of a line to try another shape.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ReceiverLine<'l> {
    /// Seconds since the receiver started. It is for people, like the next two.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'l, str>>,
    /// Seconds that it was up.
    #[serde(skip_serializing_if = "Option::is_none")]
    listened: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    are_told: Option<bool>,
    /// How many seconds nothing may come before a hand-off has settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    settle: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsettled_trace: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsettled_task: Option<Cow<'l, str>>,
    /// The bundle begins: its version, and how spans are saved, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<u32>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    spans: Option<&'static str>,
    /// The bundle ends: how many requests and looks were not saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_without: Option<u64>,
}

/// How a request ended, as it is saved.
#[derive(Clone, Copy, Debug)]
pub struct RequestEnd<'r> {
    /// How long the receiver had been up.
    pub age: Duration,
    /// `grpc` or `http`.
    pub transport: &'static str,
    pub peer: SocketAddr,
    /// The `user-agent`, hostile; empty if there is none.
    pub agent: &'r str,
    /// The request line, hostile; empty if nothing readable came.
    pub target: &'r str,
    pub outcome: Outcome,
}

impl<'l> ReceiverLine<'l> {
    fn of_request(end: &RequestEnd<'l>) -> Self {
        Self {
            time: Some(end.age.as_secs_f64()),
            transport: Some(end.transport),
            peer: Some(end.peer),
            agent: Some(end.agent.into()),
            target: Some(end.target.into()),
            outcome: Some(end.outcome.label().into()),
            ..Self::default()
        }
    }

    /// `None` if the receiver never listened.
    fn of_receiver(receiver: &'l ReceiverLog, settle: Duration) -> Option<Self> {
        let (listened, Endpoints { grpc, http, are_told }) =
            receiver.listened.zip(receiver.endpoints.as_ref())?;
        Some(Self {
            listened: Some(listened.as_secs_f64()),
            grpc: Some(grpc.into()),
            http: Some(http.into()),
            are_told: Some(*are_told),
            settle: Some(settle.as_secs_f64()),
            ..Self::default()
        })
    }

    fn of_unsettled(unit: &'l Unit) -> Self {
        match unit {
            Unit::Trace(id) => Self { unsettled_trace: Some(id.to_string().into()), ..Self::default() },
            Unit::Task(id) => Self { unsettled_task: Some((&**id).into()), ..Self::default() },
        }
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("a line of texts and numbers")
    }

    fn file(self, evidence: &mut Evidence) -> Result<(), &'static str> {
        match self {
            Self { outcome: Some(outcome), agent, target, .. } => {
                let outcome = Outcome::parse(&outcome).ok_or("an unknown outcome")?;
                evidence.note_request(outcome, &agent.unwrap_or_default(), &target.unwrap_or_default());
            }
            Self {
                listened: Some(listened), grpc: Some(grpc), http: Some(http), are_told, settle, ..
            } => {
                let duration = |seconds| Duration::try_from_secs_f64(seconds).map_err(|_| "no duration");
                let listened = duration(listened)?;
                evidence.settle_after(duration(settle.unwrap_or_default())?.max(evidence.settling_time()));
                evidence.note_listening_time(listened);
                let (grpc, http) = (grpc.into_owned(), http.into_owned());
                let are_told = are_told.unwrap_or_default();
                evidence.note_endpoints(Endpoints { grpc, http, are_told });
            }
            Self { unsettled_trace: Some(id), .. } => {
                evidence.note_unsettled(Unit::Trace(TraceId::parse_hex(id.as_bytes()).ok_or("no trace id")?));
            }
            Self { unsettled_task: Some(id), .. } => evidence.note_unsettled(Unit::Task((&*id).into())),
            Self { bundle: Some(_), .. } | Self { ends_without: Some(0), .. } => {}
            Self { ends_without: Some(lost), .. } => evidence.lost(lost),
            _ => {
                return Err("neither an `outcome`, nor `listened`, `grpc` and `http`, nor what is unsettled");
            }
        }
        Ok(())
    }
}

/// The first line of a bundle.
pub fn beginning_line(parts: SavedParts) -> String {
    let spans = match parts {
        SavedParts::WhatIsRead => "what diagnoses read",
        SavedParts::All => "all",
    };
    ReceiverLine { bundle: Some(1), spans: Some(spans), ..ReceiverLine::default() }.text()
}

/// The last line; this many requests and looks are not in the bundle.
pub fn end_line(lost: u64) -> String {
    ReceiverLine { ends_without: Some(lost), ..ReceiverLine::default() }.text()
}

/// The line on how a request ended.
pub fn request_line(end: &RequestEnd<'_>) -> String {
    ReceiverLine::of_request(end).text()
}

/// The line about the receiver itself, and how long it waited for what was missing; `None`
/// if it never listened.
pub fn receiver_line(receiver: &ReceiverLog, settle: Duration) -> Option<String> {
    ReceiverLine::of_receiver(receiver, settle).map(|line| line.text())
}

/// The line about a trace or task that had not settled when the watch ended.
pub fn unsettled_line(unit: &Unit) -> String {
    ReceiverLine::of_unsettled(unit).text()
}

/// Reads a log whole; what is wrong with a line is told with its number, and
/// the other lines are read all the same.
pub fn read(
    file: &mut impl BufRead,
    most: usize,
    evidence: &mut Evidence,
    skipped: &mut SkippedIn<'_>,
) -> io::Result<()> {
    evidence.note_receiver_log();
    let mut is_open = false;
    let mut lost = 0;
    lines::each(file, most, |number, line| {
        let Some(line) = line else { return skipped.line(number, lines::too_long(most)) };
        let read = serde_json::from_slice::<ReceiverLine<'_>>(line).map_err(|error| error.to_string());
        if let Ok(line) = &read {
            is_open = (is_open || line.bundle.is_some()) && line.ends_without.is_none();
            lost += line.ends_without.unwrap_or_default();
        }
        let filed = read.and_then(|line| line.file(evidence).map_err(str::to_owned));
        if let Err(what) = filed {
            skipped.line(number, what);
        }
    })?;
    if is_open {
        skipped.file(
            "the bundle has no end: who wrote it was killed, or has no room, or writes on. What came last is not in it",
        );
    }
    if lost > 0 {
        skipped
            .file(format!("{lost} requests or looks at a broker are not in the bundle: they were not saved"));
    }
    Ok(())
}
