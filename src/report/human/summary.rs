//! The last lines: the figures, and the verdict.

use std::io::{self, Write};

use super::style::Stylize;
use super::{policy, trees};
use crate::model::{Distribution, Report, Severity, SpanAccount, Status};
use crate::report::format::{Verbosity, View};
use crate::report::text::{Safe, count, duration, plural, safe, width, wrap};
use crate::report::verdict::{of_handoffs, of_queues};

/// The end of an inspection.
pub fn inspected(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    left_out(report, out)?;
    policy::told(report, view, out)?;
    let messages = report.inputs.messages;
    if messages == 0 && !report.verdict.unproven.is_empty() {
        return unproven(report, false, view, out);
    }
    if messages == 0 && report.queues.is_empty() {
        let text = "no such queue is there";
        return last(Status::NoEvidence, text, view, out);
    }
    if messages == 0 {
        let text = "no messages are queued: nothing waits, and no worker holds any";
        return writeln!(out, "{} {text}{}", "✓".intact(), exit(view));
    }
    match report.verdict.status {
        Status::Unproven => unproven(report, false, view, out),
        Status::Healthy | Status::NoEvidence => last(Status::Healthy, &of_queues(report), view, out),
        status => last(status, &of_queues(report), view, out),
    }
}

/// The end of a diagnosis: the figures that people monitor, then the verdict.
pub fn diagnosed(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let inputs = &report.inputs;
    let mut parts = vec![
        plural(inputs.traces, "trace"),
        plural(inputs.spans, "span"),
        plural(inputs.handoffs, "hand-off"),
    ];
    parts.extend(also(report));
    writeln!(out, "{}", parts.join("   "))?;
    figures(report, out)?;
    left_out(report, out)?;
    policy::told(report, view, out)?;
    verdict(report, true, view, out)
}

/// The end of listening: how many traces are whole, the figures, the verdict.
pub fn listened(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let inputs = &report.inputs;
    let metrics = &report.metrics;
    let pieces = match metrics.broken_handoffs {
        0 => String::new(),
        broken => format!("   {} broken", count(broken)),
    };
    let mut parts = vec![
        plural(inputs.traces, "trace"),
        plural(inputs.spans, "span"),
        plural(inputs.handoffs, "hand-off"),
    ];
    parts.extend(also(report));
    writeln!(out, "{}{}", parts.join("   "), pieces.broken())?;
    if metrics.orphaned_roots > 0 {
        writeln!(out, "{:<14}{}", "orphan roots", count(metrics.orphaned_roots))?;
    }
    figures(report, out)?;
    for (queue, depth) in metrics.queue_depth.iter().filter(|(_, depth)| **depth > 0) {
        writeln!(out, "{:<14}{} ready in {}", "queue depth", count(*depth), safe(queue))?;
    }
    if report.limits.messages_not_seen > 0 {
        let unseen = report.limits.messages_not_seen;
        let text = format!(
            "{} {} taken before {} could be looked at (--broker-monitor sees all)",
            plural(unseen, "message"),
            if unseen == 1 { "was" } else { "were" },
            if unseen == 1 { "it" } else { "they" }
        );
        writeln!(out, "{}", text.faint())?;
    }
    left_out(report, out)?;
    policy::told(report, view, out)?;
    verdict(report, false, view, out)
}

/// What else was counted.
fn also(report: &Report) -> Vec<String> {
    let inputs = &report.inputs;
    [
        (inputs.messages, "message"),
        (inputs.results, "result"),
        (inputs.metrics, "metric point"),
        (inputs.logs, "log record"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| plural(number, what))
    .collect()
}

/// The figures that people monitor.
fn figures(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let metrics = &report.metrics;
    let spread = |spread: &Distribution| {
        format!("p50 {}   p95 {}   max {}", duration(spread.p50), duration(spread.p95), duration(spread.max))
    };
    if let Some(end_to_end) = &metrics.end_to_end_ms {
        writeln!(out, "{:<14}{}", "end to end", spread(end_to_end))?;
    }
    if let Some(wait) = &metrics.queue_wait_ms {
        // A run may begin before its publishing has ended: then it did not wait.
        let [p50, p95, max] = [wait.p50, wait.p95, wait.max].map(|wait| wait.max(0.0));
        writeln!(out, "{:<14}{}", "in the queue", spread(&Distribution { p50, p95, max, ..*wait }))?;
    }
    if metrics.retries.retried > 0 {
        writeln!(
            out,
            "{:<14}{} of {} tasks",
            "retries",
            count(metrics.retries.retried),
            count(metrics.retries.tasks)
        )?;
    }
    if !metrics.failures.is_empty() {
        let failures: Vec<_> =
            metrics.failures.iter().map(|(kind, number)| format!("{} {number}", safe(kind))).collect();
        writeln!(out, "{:<14}{}", "failures", failures.join("   "))?;
    }
    Ok(())
}

fn verdict(report: &Report, with_trees: bool, view: &View, out: &mut dyn Write) -> io::Result<()> {
    match report.verdict.status {
        Status::Unproven => unproven(report, with_trees, view, out),
        status => last(status, &of_handoffs(report), view, out),
    }
}

/// Writes the verdict, followed by the exit code on the same line or, if there is no room,
/// on the next.
fn last(status: Status, text: &str, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let (mark, painted) = match status {
        Status::Broken => ("✗ broken:", "✗ broken:".broken()),
        Status::Damaged => ("! damaged:", "! damaged:".by_severity(Severity::Warning)),
        Status::Unproven => ("? unproven:", "? unproven:".by_severity(Severity::Warning)),
        Status::Healthy => ("✓ healthy:", "✓ healthy:".intact()),
        Status::NoEvidence => ("no evidence:", "no evidence:".strong()),
    };
    let indent = width(mark) + 1;
    write!(out, "{painted} ")?;
    let lines = wrap(text, view.width.saturating_sub(indent));
    write!(out, "{}", lines.join(&format!("\n{:indent$}", "")))?;
    let exit = exit(view);
    let taken = indent + lines.last().map_or(0, |line| width(line));
    if taken + width(&exit) > view.width {
        return writeln!(out, "\n{:indent$}{}", "", exit.trim_start());
    }
    writeln!(out, "{exit}")
}

/// Writes what could not be proven, with what would settle it, and the verdict.
fn unproven(report: &Report, with_trees: bool, view: &View, out: &mut dyn Write) -> io::Result<()> {
    const LABEL: usize = 11;
    for gap in &report.verdict.unproven {
        // Ignored findings have lines of their own.
        if view.verbosity > Verbosity::Quiet && gap.count > 0 {
            trees::unproven(report, gap.reason, with_trees, view, out)?;
        }
        let what = match gap.count {
            0 => gap.what.to_owned(),
            number => format!("{} {}", plural(number, "hand-off"), gap.what),
        };
        for line in wrap(&what, view.width.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
        let mut label = "to know";
        if let Some(command) = &gap.command {
            writeln!(out, "  {label:<LABEL$}{}", Safe(&view.as_typed(command)).code())?;
            label = "";
        }
        for line in wrap(gap.needs, view.width.saturating_sub(2 + LABEL)) {
            writeln!(out, "  {label:<LABEL$}{line}")?;
            label = "";
        }
    }
    last(Status::Unproven, &of_handoffs(report), view, out)
}

/// What the report could not look at, which limits its meaning.
fn left_out(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let limits = &report.limits;
    let mut parts = Vec::new();
    for (number, what) in [
        (limits.messages_not_read, "messages not read (--all reads them)"),
        (limits.messages_seen_twice, "messages met twice, counted once: the list moved"),
        (limits.rejected_spans, "spans refused for invalid ids"),
        (limits.evicted_traces, "traces let go for want of memory"),
        (limits.evicted_looks, "looks at the broker let go for want of memory"),
        (limits.names_not_kept, "names of queues, keys and processes not kept for want of memory"),
        (limits.findings_not_kept, "findings not told as they came for want of memory"),
        (limits.not_saved, "requests and looks not saved"),
        (
            report.inputs.foreign_entries,
            "entries that are no Celery messages passed over (--verbose says why)",
        ),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number)));
        }
    }
    let SpanAccount { received, held, evicted, rejected, duplicates } = report.inputs.span_account;
    if evicted > 0 {
        let sum: Vec<_> =
            [(held, "held"), (evicted, "let go"), (rejected, "refused"), (duplicates, "that came twice")]
                .into_iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, what)| format!("{} {what}", count(number)))
                .collect();
        parts.push(format!("{} spans came: {}", count(received), sum.join(", ")));
    }
    if limits.forgotten_marks > 0 {
        parts.push(
            "counts are partial: what came too long after its other half was let go is in none (--max-memory)"
                .to_owned(),
        );
    }
    parts.into_iter().try_for_each(|part| writeln!(out, "{}", part.faint()))
}

fn exit(view: &View) -> String {
    format!("       exit {}", view.exit_code)
}
