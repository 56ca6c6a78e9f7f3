//! `tracelink/1` as one document, and as a stream of events.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::{Event, Finding, HandoffReport, Limits, Report, SCHEMA, TraceReport};

#[derive(Serialize)]
struct Tool {
    version: &'static str,
}

const TOOL: Tool = Tool { version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    tool: Tool,
    #[serde(flatten)]
    report: &'r Report,
}

impl<'r> From<&'r Report> for Document<'r> {
    fn from(report: &'r Report) -> Self {
        Self { schema: SCHEMA, tool: TOOL, report }
    }
}

/// Writes the report as one JSON document.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::from(report))?;
    writeln!(out)
}

/// A line of the stream.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'r> {
    Trace { trace: &'r TraceReport, handoffs: Vec<&'r HandoffReport> },
    Finding { finding: &'r Finding },
    Resolved { id: &'r str, code: &'r str, slug: &'r str },
    Limit { limits: &'r Limits },
    Report { report: Document<'r> },
}

impl Line<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }
}

/// Writes one event of a stream. A trace stands on a line of its own, with the
/// hand-offs that it has a part in.
pub fn write_event(event: &Event, out: &mut dyn Write) -> io::Result<()> {
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

/// Ends a stream with the report.
pub fn write_last(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    Line::Report { report: Document::from(report) }.write(out)
}

/// Writes a report that no stream came before as events, one a line, the last
/// of which is the report.
pub fn write_events(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    report.findings.iter().try_for_each(|finding| Line::Finding { finding }.write(out))?;
    if report.limits != Limits::default() {
        Line::Limit { limits: &report.limits }.write(out)?;
    }
    write_last(report, out)
}
