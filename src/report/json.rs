//! `tracelink/1` as one document, and as a stream of events.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::{Finding, Limits, Report, SCHEMA};

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

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'r> {
    Finding { finding: &'r Finding },
    Limit { limits: &'r Limits },
    Report { report: Document<'r> },
}

/// Writes the report as events, one a line, the last of which is the report.
pub fn write_events(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let findings = report.findings.iter().map(|finding| Event::Finding { finding });
    let was_limited = report.limits != Limits::default();
    let limit = was_limited.then_some(Event::Limit { limits: &report.limits });
    let last = Event::Report { report: Document::from(report) };
    for event in findings.chain(limit).chain([last]) {
        serde_json::to_writer(&mut *out, &event)?;
        writeln!(out)?;
    }
    Ok(())
}
