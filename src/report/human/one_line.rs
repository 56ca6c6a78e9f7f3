//! Traces in one line each, for whoever has seen what they look like: with the whole id
//! where there is room, so that it can be copied.

use std::io::{self, Write};

use super::style::Stylize;
use crate::model::{HandoffReport, Report, Severity};
use crate::report::format::View;
use crate::report::short_ids::ShortIds;
use crate::report::stitched::{Parts, title};
use crate::report::text::{duration, fit, pad, safe, width};

/// A title is not cut to less to make room for a whole id.
const TITLE: usize = 24;
/// Nor is it padded to more.
const WIDEST: usize = 60;
/// A duration, with the space before it.
const TIME: usize = 9;

/// Writes that traces show a cause that was reported before.
pub fn of_cause(
    report: &Report,
    cause: &str,
    ids: &ShortIds,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let cause = safe(cause);
    let room = view.width.saturating_sub(width(&cause) + 5);
    let whole = whole(report);
    let named = if room >= width(&whole) + TITLE { whole } else { cut(report, ids) };
    let room = room.saturating_sub(width(&named));
    let title = fit(&title(&Parts::of(report)), room);
    let what = format!("{cause} {named}");
    writeln!(out, "{} {title}  {}", "✗".broken(), what.trim_end().faint())
}

/// Writes traces in which nothing is broken: what was handed to whom, how long it took from
/// end to end, and how long of that it was in the queue.
pub fn of_whole(report: &Report, ids: &ShortIds, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let unproven = report.handoffs.iter().find_map(|handoff| handoff.unproven);
    let wait = report.handoffs.iter().filter_map(|handoff: &HandoffReport| handoff.queue_wait_ms);
    let wait = wait.filter(|wait| *wait >= 0.0).max_by(f64::total_cmp);
    let more = match (unproven, wait) {
        (Some(reason), _) => format!("  {reason}"),
        (None, Some(wait)) => format!("  {} in the queue", duration(wait)),
        (None, None) => String::new(),
    };
    let room = view.width.saturating_sub(2 + TIME + 2);
    let whole = whole(report);
    let fits = |more: &str| room >= width(more) + width(&whole) + TITLE;
    // That it waited is worth less than an id that can be copied.
    let (named, more) = if fits(&more) {
        (whole, more)
    } else if unproven.is_none() && fits("") {
        (whole, String::new())
    } else {
        (cut(report, ids), more)
    };
    let room = room.saturating_sub(width(&named) + width(&more));
    let mark = match unproven {
        Some(_) => "?".by_severity(Severity::Warning).to_string(),
        None => "✓".intact().to_string(),
    };
    let title = pad(&title(&Parts::of(report)), room.min(WIDEST));
    let time = millis(report).map(duration).unwrap_or_default();
    writeln!(out, "{mark} {title}{time:>TIME$}{}  {}", more.faint(), named.faint())
}

/// The whole id of the first trace, and how many others there are.
fn whole(report: &Report) -> String {
    match &report.traces[..] {
        [] => String::new(),
        [only] => only.trace_id.to_string(),
        [first, others @ ..] => format!("{} +{}", first.trace_id, others.len()),
    }
}

/// The ids of all traces, as short as they can be told apart.
fn cut(report: &Report, ids: &ShortIds) -> String {
    let all: Vec<_> = report.traces.iter().map(|trace| ids.cut(&trace.trace_id)).collect();
    all.join(" ")
}

/// From the first start to the last end.
fn millis(report: &Report) -> Option<f64> {
    let spans = || report.traces.iter().flat_map(|trace| &trace.spans);
    let start = spans().map(|span| span.start).min()?;
    Some(spans().map(|span| span.start.millis_since(start) + span.duration_ms).fold(0.0, f64::max))
}
