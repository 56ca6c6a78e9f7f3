//! `jsonl`: the stream of events, one a line; the last is the report.

use std::io::{self, Write};

use serde::Serialize;

use super::format::{Form, Format, Subject, View};
use super::json_document::{Document, TerminalSafe};
use crate::model::{Event, Finding, HandoffReport, LimitCounts, Report, TraceReport};

/// Writes one event a line.
#[derive(Default)]
pub struct Jsonl;

impl Jsonl {
    /// How many groups of traces a round may have.
    const LISTED: usize = 200;
}

impl Format for Jsonl {
    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn streams(&self) -> bool {
        true
    }

    fn form(&self) -> Option<Form> {
        Some(Form::Lines)
    }

    fn traces_a_round(&mut self) -> usize {
        Self::LISTED
    }

    fn events(&mut self, events: &[Event], _: u64, _: &View, out: &mut dyn Write) -> io::Result<()> {
        events.iter().try_for_each(|event| write_event(event, out))
    }

    /// Findings and limits are written as events here too, as nobody has seen them yet.
    fn report(&mut self, report: &Report, _: Subject, view: &View, out: &mut dyn Write) -> io::Result<()> {
        report.findings.iter().try_for_each(|finding| Line::Finding { finding }.write(out))?;
        if report.limits != LimitCounts::default() {
            Line::Limit { limits: &report.limits }.write(out)?;
        }
        self.end(report, view, out)
    }

    fn end(&mut self, report: &Report, _: &View, out: &mut dyn Write) -> io::Result<()> {
        Line::Report { report: Document::from(report) }.write(out)
    }
}

/// A line of the stream.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'r> {
    Trace { trace: &'r TraceReport, handoffs: Vec<&'r HandoffReport> },
    Finding { finding: &'r Finding },
    Resolved { id: &'r str, code: &'r str, slug: &'r str },
    Limit { limits: &'r LimitCounts },
    Report { report: Document<'r> },
}

impl Line<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(TerminalSafe(&mut *out), self)?;
        writeln!(out)
    }
}

/// Writes one event. A trace gets a line of its own, with the hand-offs that it takes part
/// in.
fn write_event(event: &Event, out: &mut dyn Write) -> io::Result<()> {
    match event {
        Event::Traces { traces, handoffs } => traces.iter().try_for_each(|trace| {
            let has_part = |handoff: &&HandoffReport| {
                let spans = handoff.producer.iter().chain(&handoff.consumers);
                spans.into_iter().any(|(id, _)| *id == trace.trace_id)
            };
            Line::Trace { trace, handoffs: handoffs.iter().filter(has_part).collect() }.write(out)
        }),
        Event::Finding { finding, .. } => Line::Finding { finding }.write(out),
        Event::Resolved(finding) => {
            Line::Resolved { id: &finding.id, code: finding.code, slug: finding.slug }.write(out)
        }
        Event::Limit(limits) => Line::Limit { limits }.write(out),
    }
}
