//! `tracelink/1` as one document, and as a stream of events.

use std::io::{self, Write};

use serde::Serialize;

use super::text::acts_on_a_terminal;
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
    serde_json::to_writer_pretty(Tame(&mut *out), &Document::from(report))?;
    writeln!(out)
}

/// Writes what could act on a terminal as JSON's `\uXXXX`, since people look at
/// documents too. JSON itself escapes the control characters of ASCII, and no
/// others: not those of ISO 6429 (C1), nor what turns the direction of text.
///
/// Outside of texts a document has none of them, and a piece of one that comes
/// to be written is whole characters.
struct Tame<'w>(&'w mut dyn Write);

impl Write for Tame<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        const DELETE: u8 = 0x7f;
        let is_plain = piece.is_ascii() && memchr::memchr(DELETE, piece).is_none();
        match std::str::from_utf8(piece) {
            Ok(text) if !is_plain => self.text(text)?,
            _ => self.0.write_all(piece)?,
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Tame<'_> {
    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, letter) in text.char_indices() {
            // Line breaks stand between the tokens of a document.
            if letter == '\n' || !acts_on_a_terminal(letter) {
                continue;
            }
            self.0.write_all(&text.as_bytes()[written..at])?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            written = at + letter.len_utf8();
        }
        self.0.write_all(&text.as_bytes()[written..])
    }
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
        serde_json::to_writer(Tame(&mut *out), self)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_nothing_that_acts_on_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{7f}\u{e0041}é🦀\n";
        let report = Report { error: Some(hostile.to_owned()), ..Report::default() };
        for write in [write, write_last] {
            let mut written = Vec::new();
            write(&report, &mut written).expect("memory");
            let text = String::from_utf8(written).expect("UTF-8");
            assert!(!text.chars().any(|letter| letter != '\n' && acts_on_a_terminal(letter)), "{text}");
            assert!(text.contains("é🦀"), "{text}");
            let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let report = read.get("report").unwrap_or(&read);
            assert_eq!(report["error"], hostile);
        }
    }
}
