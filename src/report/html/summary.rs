//! The verdict, what is unproven and what would settle it, the figures, and what the report
//! leaves out or sets aside.

use maud::{Markup, html};

use super::fix::command;
use super::names::{name, prose};
use crate::model::{Comparison, Report};
use crate::report::database::{asked, looked_at};
use crate::report::format::{Subject, View};
use crate::report::text::{count, duration, plural, safe_lines};
use crate::report::verdict::{of_handoffs, of_queues};

/// How many reasons, and how many entries that are set aside, have a line each.
const SHOWN: usize = 20;

/// The verdict in a few words: `broken`, and which findings.
pub(super) fn in_words(report: &Report, subject: Subject, view: &View) -> (&'static str, String) {
    if report.error.is_some() {
        return ("error", "tracelink could not judge".to_owned());
    }
    let is_empty = report.inputs.messages == 0 && report.verdict.unproven.is_empty();
    let status = report.verdict.status.label();
    match subject {
        Subject::Queue if is_empty && view.exit_code == 0 => ("healthy", "no messages are queued".to_owned()),
        Subject::Queue if report.inputs.messages > 0 => (status, of_queues(report)),
        _ => (status, of_handoffs(report)),
    }
}

/// The mark of a verdict.
pub(super) fn mark(label: &str) -> &'static str {
    match label {
        "healthy" => "✓",
        "damaged" => "!",
        "broken" | "error" => "✗",
        _ => "?",
    }
}

/// The first thing that is read.
pub(super) fn verdict(report: &Report, subject: Subject, view: &View) -> Markup {
    let (label, text) = in_words(report, subject, view);
    html! {
        section.verdict.(label) #verdict aria-labelledby="verdict-words" {
            h1 #verdict-words { span.mark aria-hidden="true" { (mark(label)) } " " (label) }
            @if let Some(error) = &report.error {
                // It has lines of its own, among them commands.
                pre tabindex="0" { (safe_lines(&shortened(error))) }
            } @else {
                p.words { (prose(&text)) }
                @if let Some(database) = &report.database {
                    p { (prose(&asked(database))) "." }
                    @if let Some(told) = looked_at(database) { p { (prose(&told)) "." } }
                }
                (unproven(report, view))
                (figures(report))
                (limits(report))
                (set_aside(report))
            }
        }
    }
}

/// The first lines of an error.
fn shortened(error: &str) -> String {
    error.chars().take(4_000).collect()
}

fn unproven(report: &Report, view: &View) -> Markup {
    html! {
        @for gap in report.verdict.unproven.iter().take(SHOWN) {
            div.unproven {
                p {
                    strong { "Unproven: " }
                    @if gap.count > 0 { (plural(gap.count, "hand-off")) " " }
                    (prose(gap.what)) "."
                }
                p { "To know: " (prose(gap.needs)) "." }
                @if let Some(line) = &gap.command { (command(line, view)) }
            }
        }
    }
}

/// The figures that people monitor.
fn figures(report: &Report) -> Markup {
    let (inputs, metrics) = (&report.inputs, &report.metrics);
    let counts = [
        (inputs.handoffs, "hand-off"),
        (inputs.traces, "trace"),
        (inputs.spans, "span"),
        (inputs.messages, "message"),
        (inputs.results, "result"),
    ];
    let spreads = [("end to end", metrics.end_to_end_ms), ("in the queue", metrics.queue_wait_ms)];
    html! {
        ul.figures {
            @for (number, what) in counts.into_iter().filter(|(number, _)| *number > 0) {
                li { (plural(number, what)) }
            }
            @for (what, spread) in spreads {
                @if let Some(spread) = spread {
                    li {
                        (what) " p50 " (duration(spread.p50.max(0.0))) ", p95 "
                        (duration(spread.p95.max(0.0))) ", max " (duration(spread.max.max(0.0)))
                    }
                }
            }
            @if metrics.orphaned_roots > 0 { li { (plural(metrics.orphaned_roots, "orphaned root")) } }
            @if metrics.retries.retried > 0 {
                li { (count(metrics.retries.retried)) " of " (count(metrics.retries.tasks)) " tasks retried" }
            }
            @for (kind, number) in metrics.failures.iter().take(SHOWN) { li { (name(kind)) " " (count(*number)) } }
        }
    }
}

/// What could not be looked at, which limits what the report says.
fn limits(report: &Report) -> Markup {
    let limits = &report.limits;
    let parts = [
        (limits.messages_not_read, "messages not read"),
        (limits.messages_seen_twice, "messages met twice, counted once"),
        (limits.evicted_traces, "traces let go for want of memory"),
        (limits.evicted_spans, "spans let go for want of memory"),
        (limits.rejected_spans, "spans refused for invalid ids"),
        (limits.evicted_looks, "looks at the broker let go for want of memory"),
        (limits.names_not_kept, "names not kept for want of memory"),
        (limits.not_saved, "requests and looks not saved"),
        (limits.handoffs_not_listed, "hand-offs not listed"),
        (limits.traces_not_listed, "traces not listed"),
        (limits.messages_not_listed, "messages not listed"),
    ];
    html! {
        @if parts.iter().any(|(number, _)| *number > 0) {
            ul.limits aria-label="Limits of this report" {
                @for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
                    li { (count(number)) " " (what) }
                }
            }
        }
    }
}

/// What was ignored and why, what counts again, and what changed since the baseline.
fn set_aside(report: &Report) -> Markup {
    let more = |all: usize| all.saturating_sub(SHOWN);
    html! {
        @if !report.ignored.is_empty() || !report.expired.is_empty() || report.baseline.is_some() {
            ul.set-aside {
                @for one in report.ignored.iter().take(SHOWN) {
                    li { "Ignored: " code { (name(&one.id)) } " ×" (count(one.count)) ": " (prose(&one.reason)) }
                }
                @for one in report.expired.iter().take(SHOWN) {
                    li { "Counts again: " code { (name(&one.id)) } " was ignored until " (name(&one.until)) }
                }
                @let left = more(report.ignored.len()) + more(report.expired.len());
                @if left > 0 { li { "and " (count(left as u64)) " more" } }
                @if let Some(Comparison { file, new, known, gone, gone_not_listed }) = &report.baseline {
                    @let gone = gone.len() as u64 + gone_not_listed;
                    li { "Since " code { (name(file)) } ": " (count(*new)) " new, " (count(*known)) " known, " (count(gone)) " gone" }
                }
            }
        }
    }
}
