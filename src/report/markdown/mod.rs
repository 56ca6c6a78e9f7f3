//! `markdown`: the report as a comment of a pull request, or a step's summary.
//!
//! It fits into a GitHub comment whatever was found: what finds no room gets one line, and
//! what finds no room for that is counted.

mod database;
mod escape;
mod finding;
mod pieces;
mod table;

use std::fmt::Write as _;
use std::io::{self, Write};

use self::escape::{block, code, prose};
use self::pieces::folded;
use super::format::{Format, Subject, View};
use super::text::{clip, count, duration, plural, safe};
use super::verdict::{of_handoffs, of_queues};
use crate::model::{Comparison, Report, Severity, Status};

/// Writes GitHub's Markdown.
#[derive(Default)]
pub struct Markdown;

/// How many bytes are written: a comment may have 65,536 characters
/// (<https://github.com/orgs/community/discussions/41331>).
const ROOM: usize = 60_000;
/// How many of them are reserved for the end.
const LAST: usize = 10_000;

impl Format for Markdown {
    fn media_type(&self) -> &'static str {
        "text/markdown; charset=utf-8"
    }

    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if let Some(error) = &report.error {
            let lines: Vec<_> = error.lines().take(40).map(|line| clip(line, 1_000)).collect();
            writeln!(out, "### ❌ tracelink could not judge\n")?;
            writeln!(out, "{}", block("text", &lines))?;
            return end(view, out);
        }
        let mut page = Page::default();
        page.must(&head(report, subject, view));
        page.must(&database::counted(report));
        page.must(&table::all(report, subject));
        let loud = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
        for one in loud {
            page.either(1, || finding::in_full(one, report, view), || finding::in_a_line(one));
        }
        // Ends a list of short entries.
        page.must("\n");
        page.must(&unproven(report));
        page.must(&set_aside(report));
        let notes: Vec<_> =
            report.findings.iter().filter(|finding| finding.severity == Severity::Note).collect();
        if !notes.is_empty() {
            let title = plural(notes.len() as u64, "note");
            let in_full =
                || notes.iter().map(|note| finding::in_full(note, report, view)).collect::<String>();
            let in_short = || notes.iter().map(|note| finding::in_a_line(note)).collect::<String>();
            page.either(notes.len(), || folded(&title, &in_full()), || folded(&title, &in_short()));
        }
        if page.left_out > 0 {
            let text = plural(page.left_out, "finding");
            let _ = write!(page.text, "{text} left out for want of room: `--format json` has all.\n\n");
        }
        out.write_all(page.text.as_bytes())?;
        end(view, out)
    }
}

/// What is written, as long as there is room.
#[derive(Default)]
struct Page {
    text: String,
    is_short: bool,
    left_out: u64,
}

impl Page {
    /// What is short by itself.
    fn must(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Everything, or a short form, or only a count. Once something found no room, all that
    /// follows is short.
    fn either(&mut self, findings: usize, full: impl FnOnce() -> String, short: impl FnOnce() -> String) {
        let room = (ROOM - LAST).saturating_sub(self.text.len());
        let fits = |text: &String| text.len() <= room;
        let full = (!self.is_short).then(full).filter(fits);
        self.is_short |= full.is_none();
        match full.or_else(|| Some(short()).filter(fits)) {
            Some(text) => self.text.push_str(&text),
            None => self.left_out += findings as u64,
        }
    }
}

/// The verdict, and the figures that people monitor.
fn head(report: &Report, subject: Subject, view: &View) -> String {
    let status = report.verdict.status;
    let is_empty = report.inputs.messages == 0 && report.verdict.unproven.is_empty();
    let (mark, label, text) = match subject {
        Subject::Queue if is_empty && view.exit_code == 0 => {
            ("✅", "empty", "no messages are queued".to_owned())
        }
        Subject::Queue if report.inputs.messages > 0 => (mark_of(status), status.label(), of_queues(report)),
        _ => (mark_of(status), status.label(), of_handoffs(report)),
    };
    let inputs = &report.inputs;
    let figures: Vec<_> = [
        (inputs.handoffs, "hand-off"),
        (inputs.traces, "trace"),
        (inputs.spans, "span"),
        (inputs.messages, "message"),
        (inputs.results, "result"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| plural(number, what))
    .collect();
    let mut head = format!("### {mark} tracelink: {label}\n\n{}\n\n", prose(&text, 1_000));
    if !figures.is_empty() {
        head.push_str(&figures.join(" · "));
        let spreads =
            [("end to end", report.metrics.end_to_end_ms), ("in the queue", report.metrics.queue_wait_ms)];
        for (what, spread) in spreads.into_iter().filter_map(|(what, spread)| Some((what, spread?))) {
            let [p50, p95] = [spread.p50, spread.p95].map(|wait| duration(wait.max(0.0)));
            let _ = write!(head, " · {what} p50 {p50}, p95 {p95}");
        }
        head.push_str("\n\n");
    }
    head + &limits(report)
}

const fn mark_of(status: Status) -> &'static str {
    match status {
        Status::Broken => "❌",
        Status::Damaged => "🟠",
        Status::Unproven | Status::NoEvidence => "❔",
        Status::Healthy => "✅",
    }
}

/// What could not be looked at, which limits what the report says.
fn limits(report: &Report) -> String {
    let limits = &report.limits;
    let parts: Vec<_> = [
        (limits.messages_not_read, "messages not read"),
        (limits.evicted_traces, "traces let go for want of memory"),
        (limits.rejected_spans, "spans refused for invalid ids"),
        (limits.evicted_looks, "looks at the broker let go for want of memory"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{} {what}", count(number)))
    .collect();
    if parts.is_empty() { String::new() } else { format!("{}\n\n", parts.join(" · ")) }
}

/// What could not be proven, and what would settle it.
fn unproven(report: &Report) -> String {
    let mut text = String::new();
    for gap in &report.verdict.unproven {
        let what = match gap.count {
            0 => gap.what.to_owned(),
            number => format!("{} {}", plural(number, "hand-off"), gap.what),
        };
        let _ =
            write!(text, "❔ **Unproven**: {}.\nTo know: {}.\n\n", prose(&what, 500), prose(gap.needs, 500));
        if let Some(command) = &gap.command {
            text.push_str(&block("sh", &[safe(command)]));
            text.push('\n');
        }
    }
    text
}

/// What was ignored and why, which entries have expired, and what changed since the
/// baseline.
fn set_aside(report: &Report) -> String {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    for ignored in report.ignored.iter().take(SHOWN) {
        let (id, reason) = (code(&ignored.id, 60), prose(&ignored.reason, 60));
        lines.push(format!("- Ignored: {id} ×{}: {reason}", count(ignored.count)));
    }
    for expired in report.expired.iter().take(SHOWN) {
        let (id, until) = (code(&expired.id, 60), prose(&expired.until, 20));
        lines.push(format!("- Counts again: {id} was ignored until {until}"));
    }
    let more = report.ignored.len().saturating_sub(SHOWN) + report.expired.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("- and {more} more"));
    }
    if let Some(Comparison { file, new, known, gone, gone_not_listed }) = &report.baseline {
        let gone = gone.len() as u64 + gone_not_listed;
        let [new, known, gone] = [*new, *known, gone].map(count);
        lines.push(format!("- Since {}: {new} new, {known} known, {gone} gone", code(file, 100)));
    }
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n\n" }
}

fn end(view: &View, out: &mut dyn Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "<sub>{} {version} · exit {}</sub>", code("tracelink", 20), view.exit_code)
}
