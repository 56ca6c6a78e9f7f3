//! The stitched tree: one hand-off as it should have been, with a time bar and
//! the broken spot marked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::paint::Paint;
use super::stations;
use crate::model::{Finding, HandoffReport, Report, SpanId, SpanReport, Timestamp, TraceId, TraceReport};
use crate::report::format::View;
use crate::report::text::{self, count, duration, fit, pad, safe, short_id, width};

/// How many spans of one trace a tree shows.
const SHOWN: usize = 14;
/// How deep a tree is indented; deeper spans stand at this depth.
const DEPTH: usize = 8;

/// Writes the tree of one hand-off of a finding, with the stations above it.
pub fn of_finding(report: &Report, finding: &Finding, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let of_this = report.handoffs.iter().filter(|handoff| handoff.finding.as_ref() == Some(&finding.id));
    // The one that most was seen of shows most.
    let Some(handoff) = of_this.max_by_key(|handoff| {
        (
            handoff.consumers.len() + usize::from(handoff.producer.is_some()),
            std::cmp::Reverse(&handoff.task_id),
        )
    }) else {
        return Ok(());
    };
    let sender = handoff.producer.and_then(|(trace, span)| {
        find(report, trace).filter(|trace| trace.spans.iter().any(|known| known.span_id == span))
    });
    let runs: Vec<_> =
        handoff.consumers.iter().filter_map(|(trace, span)| Some((find(report, *trace)?, *span))).collect();
    let task = safe(&handoff.task);
    let name = sender
        .and_then(|trace| trace.spans.first())
        .map_or(task.clone(), |root| format!("{} → {task}", safe(&root.name)));
    writeln!(
        out,
        "{} {}",
        super::paint::mark(finding.severity).by_severity(finding.severity),
        name.as_str().strong()
    )?;
    stations::line(handoff.stations, out)?;

    let apart: Vec<_> = runs
        .iter()
        .filter(|(trace, _)| Some(trace.trace_id) != sender.map(|sender| sender.trace_id))
        .collect();
    let shown: Vec<_> = sender.into_iter().chain(apart.iter().map(|(trace, _)| *trace)).collect();
    let clock = Clock::over(&shown);
    let Some(clock) = clock else {
        return if handoff.task_id.is_empty() {
            Ok(())
        } else {
            writeln!(out, "  {}", safe(&format!("task {}", handoff.task_id)).faint())
        };
    };
    let waits = waits_of(report);
    let columns = Columns::over(&shown, view.width);
    if let Some(sender) = sender {
        tree(sender, &waits, &clock, &columns, out)?;
    }
    if sender.is_some() || !apart.is_empty() {
        spot(handoff, &runs, sender, out)?;
    }
    for (trace, _) in apart {
        tree(trace, &waits, &clock, &columns, out)?;
    }
    Ok(())
}

/// The broken spot, where the two sides do not meet.
fn spot(
    handoff: &HandoffReport,
    runs: &[(&TraceReport, SpanId)],
    sender: Option<&TraceReport>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if is_linked(runs, sender) {
        return link(handoff, out);
    }
    let text = match (sender, runs.first()) {
        (Some(sender), Some((trace, _))) if trace.trace_id == sender.trace_id => return Ok(()),
        (Some(_), Some(_)) => "the worker started a trace of its own: an orphaned root",
        (Some(_), None) => "no span of the run was seen",
        (None, _) => "nothing of the sending side was seen",
    };
    let wait = handoff.queue_wait_ms.map(|wait| format!("   {} later", duration(wait))).unwrap_or_default();
    writeln!(out, "  {}  {text}{}", "╳".broken(), wait.faint())
}

/// Whether the run is a root by choice: it, or a span below it, links to the
/// sender's trace.
fn is_linked(runs: &[(&TraceReport, SpanId)], sender: Option<&TraceReport>) -> bool {
    let Some((sender, (run, _))) = sender.zip(runs.first()) else { return false };
    let mut links = run.spans.iter().flat_map(|span| &span.links);
    run.trace_id != sender.trace_id && links.any(|(trace, _)| *trace == sender.trace_id)
}

/// The spot at which a run links to its sender.
fn link(handoff: &HandoffReport, out: &mut dyn Write) -> io::Result<()> {
    let wait = handoff.queue_wait_ms.map(|wait| format!("   {} later", duration(wait))).unwrap_or_default();
    writeln!(out, "  {}  linked: a trace of its own, by choice{}", "↪".intact(), wait.faint())
}

/// Writes one healthy trace, the first that passed through a queue, with the one
/// that it links to.
pub fn healthy(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let passed = |trace: &&TraceReport| trace.spans.iter().any(|span| span.kind == "consumer");
    let Some(trace) = report.traces.iter().find(passed).or(report.traces.first()) else { return Ok(()) };
    let of_trace = |handoff: &&HandoffReport| {
        let is_here = |end: &(TraceId, SpanId)| end.0 == trace.trace_id;
        !handoff.consumers.is_empty() && handoff.producer.iter().chain(&handoff.consumers).any(is_here)
    };
    let handoff = report.handoffs.iter().find(of_trace);
    let runs: Vec<_> = handoff
        .iter()
        .flat_map(|handoff| &handoff.consumers)
        .filter_map(|(trace, span)| Some((find(report, *trace)?, *span)))
        .collect();
    let sender = handoff.and_then(|handoff| find(report, handoff.producer?.0));
    let other = match (sender, runs.first()) {
        (Some(sender), Some((run, _))) if is_linked(&runs, Some(sender)) => Some((sender, *run)),
        _ => None,
    };
    let shown = other.map_or(vec![trace], |(sender, run)| vec![sender, run]);
    let Some(clock) = Clock::over(&shown) else { return Ok(()) };
    writeln!(out, "{}  {}", "✓".intact(), short_id(&shown[0].trace_id.to_string()).faint())?;
    if let Some(handoff) = handoff {
        stations::line(handoff.stations, out)?;
    }
    let (waits, columns) = (waits_of(report), Columns::over(&shown, view.width));
    tree(shown[0], &waits, &clock, &columns, out)?;
    if let (Some((_, run)), Some(handoff)) = (other, handoff) {
        link(handoff, out)?;
        tree(run, &waits, &clock, &columns, out)?;
    }
    writeln!(out)
}

/// Writes traces that belong together: one tree, or the pieces of it.
pub fn group(report: &Report, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<_> = report.traces.iter().collect();
    let Some(clock) = Clock::over(&all) else { return Ok(()) };
    let room = view.width.saturating_sub(2);
    writeln!(out, "{} {}", "✓".intact(), fit(&title(report), room).strong())?;
    if let [handoff] = &report.handoffs[..] {
        stations::line(handoff.stations, out)?;
    }
    let waits = waits_of(report);
    let columns = Columns::over(&all, view.width);
    let linked: BTreeSet<_> = all
        .iter()
        .filter(|trace| {
            let mut links = trace.spans.iter().flat_map(|span| &span.links);
            links.any(|(id, _)| *id != trace.trace_id && find(report, *id).is_some())
        })
        .map(|trace| trace.trace_id)
        .collect();
    // What links to another stands below it.
    all.sort_by_key(|trace| linked.contains(&trace.trace_id));
    for trace in all {
        let is_its = |handoff: &&HandoffReport| {
            linked.contains(&trace.trace_id) && handoff.consumers.iter().any(|(id, _)| *id == trace.trace_id)
        };
        if let Some(handoff) = report.handoffs.iter().find(is_its) {
            link(handoff, out)?;
        }
        tree(trace, &waits, &clock, &columns, out)?;
    }
    writeln!(out)
}

/// Writes that traces show a cause that was told before.
pub fn one_line(report: &Report, cause: &str, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let ids: Vec<_> =
        report.traces.iter().map(|trace| format!("{:.8}…", trace.trace_id.to_string())).collect();
    let what = format!("{} {}", safe(cause), ids.join(" "));
    let room = view.width.saturating_sub(width(&what) + 4);
    writeln!(out, "{} {}  {}", "✗".broken(), fit(&title(report), room), what.faint())
}

/// `POST /orders → process_order`: what began it, and the tasks in it.
fn title(report: &Report) -> String {
    let first = report.traces.iter().min_by_key(|trace| trace.spans.first().map(|span| span.start));
    let name = first.and_then(|trace| trace.spans.first()).map(|root| safe(&root.name)).unwrap_or_default();
    let tasks: BTreeSet<_> = report.handoffs.iter().map(|handoff| safe(&handoff.task)).collect();
    let tasks: Vec<_> = tasks.into_iter().filter(|task| !task.is_empty()).collect();
    if tasks.is_empty() { name } else { format!("{name} → {}", tasks.join(", ")) }
}

/// How long each run's message was in the queue, in milliseconds, and which
/// attempt it is, from 0 on.
type Waits = BTreeMap<SpanId, (f64, u32)>;

fn waits_of(report: &Report) -> Waits {
    let waits = report.handoffs.iter().filter_map(|handoff| Some((handoff, handoff.queue_wait_ms?)));
    let each = waits.flat_map(|(handoff, wait)| {
        handoff.consumers.iter().map(move |(_, span)| (*span, (wait, handoff.attempt)))
    });
    each.collect()
}

fn find(report: &Report, id: TraceId) -> Option<&TraceReport> {
    report.traces.iter().find(|trace| trace.trace_id == id)
}

/// The time that a bar spans.
struct Clock {
    start: Timestamp,
    millis: f64,
}

impl Clock {
    fn over(traces: &[&TraceReport]) -> Option<Self> {
        let spans = || traces.iter().flat_map(|trace| &trace.spans);
        let start = spans().map(|span| span.start).min()?;
        let millis =
            spans().map(|span| span.start.millis_since(start) + span.duration_ms).fold(0.0, f64::max);
        Some(Self { start, millis: millis.max(0.001) })
    }

    /// A bar of so many columns, filled from the span's start to its end.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a terminal"
    )]
    fn bar(&self, span: &SpanReport, columns: usize) -> String {
        let scale = columns as f64 / self.millis;
        let from = ((span.start.millis_since(self.start) * scale) as usize).min(columns.saturating_sub(1));
        let filled = (((span.duration_ms * scale).ceil() as usize).max(1)).min(columns - from);
        format!("▕{}{}{}▏", " ".repeat(from), "█".repeat(filled), " ".repeat(columns - from - filled))
    }
}

/// One line of a tree.
struct Line<'r> {
    span: &'r SpanReport,
    depth: usize,
    /// The lines that connect it to its parent: `│  └─ `.
    branch: String,
    /// What goes on below it: the lines to those that follow.
    below: String,
}

impl Line<'_> {
    /// Where a trace enters a service.
    fn names_its_service(&self) -> bool {
        self.depth == 0 || self.span.kind == "consumer"
    }
}

/// Lays a trace out, parents before children, without the framework's inner
/// spans. It does not recurse, and each span stands once, whatever circles the
/// parents make.
fn lay_out(trace: &TraceReport) -> Vec<Line<'_>> {
    let known: BTreeSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
    let parents: BTreeSet<SpanId> = trace.spans.iter().filter_map(|span| span.parent_id).collect();
    let mut children: BTreeMap<Option<SpanId>, Vec<&SpanReport>> = BTreeMap::new();
    for span in trace.spans.iter().filter(|span| !is_noise(span) || parents.contains(&span.span_id)) {
        let parent = span.parent_id.filter(|parent| known.contains(parent) && *parent != span.span_id);
        children.entry(parent).or_default().push(span);
    }
    let roots = children.remove(&None).unwrap_or_default();
    // Spans in a circle hang under no root: the first of them opens it.
    let circles: Vec<_> = children.values().flatten().copied().collect();
    let mut lines = Vec::with_capacity(trace.spans.len());
    let mut placed = BTreeSet::new();
    let mut is_last_at = Vec::new();
    let mut open: Vec<(&SpanReport, usize, bool)> = Vec::new();
    for start in roots.into_iter().chain(circles) {
        open.push((start, 0, true));
        while let Some((span, depth, is_last)) = open.pop() {
            if !placed.insert(span.span_id) {
                continue;
            }
            is_last_at.truncate(depth);
            is_last_at.push(is_last);
            let below = children.remove(&Some(span.span_id)).unwrap_or_default();
            lines.push(Line {
                span,
                depth,
                branch: branch(&is_last_at),
                below: below_it(&is_last_at, !below.is_empty()),
            });
            let last = below.len().saturating_sub(1);
            let below = below.into_iter().enumerate().rev();
            open.extend(below.map(|(number, child)| (child, depth + 1, number == last)));
        }
    }
    lines
}

/// What connects a span to its parent, by which of its ancestors are the last
/// of their parents. Deeper than [`DEPTH`] the outer ones are left away.
fn branch(is_last_at: &[bool]) -> String {
    let levels = &is_last_at[1.min(is_last_at.len())..];
    let Some((own, above)) = levels.split_last() else { return String::new() };
    let shown = &above[above.len().saturating_sub(DEPTH - 1)..];
    let mut branch: String = shown.iter().map(|is_last| if *is_last { "   " } else { "│  " }).collect();
    branch.push_str(if *own { "└─ " } else { "├─ " });
    branch
}

/// What stands below a span, before a line of its own: the lines of its later
/// siblings, and of its children.
fn below_it(is_last_at: &[bool], has_children: bool) -> String {
    let levels = &is_last_at[1.min(is_last_at.len())..];
    let shown = &levels[levels.len().saturating_sub(DEPTH)..];
    let mut below: String = shown.iter().map(|is_last| if *is_last { "   " } else { "│  " }).collect();
    if has_children {
        below.push_str("│  ");
    }
    below
}

/// Spans that a framework makes for its own inner workings.
fn is_noise(span: &SpanReport) -> bool {
    span.name.ends_with(" http send") || span.name.ends_with(" http receive")
}

/// The lines of a tree that are shown.
struct Shown<'t> {
    lines: Vec<Line<'t>>,
    /// A framework's inner spans, which are left out of any tree without a word.
    inner: usize,
}

impl<'t> Shown<'t> {
    fn of(trace: &'t TraceReport) -> Self {
        let lines = lay_out(trace);
        let inner = trace.spans.len() - lines.len();
        // To leave out one line would save none.
        if lines.len() <= SHOWN + 1 {
            return Self { lines, inner };
        }
        let shown = pick(&lines);
        let places = lines.into_iter().enumerate();
        let lines = places.filter_map(|(place, line)| shown.contains(&place).then_some(line)).collect();
        Self { lines, inner }
    }
}

fn tree(
    trace: &TraceReport,
    waits: &Waits,
    clock: &Clock,
    columns: &Columns,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Shown { lines, inner } = Shown::of(trace);
    for line in &lines {
        if line.depth > 0
            && let Some((wait, attempt)) = waits.get(&line.span.span_id)
        {
            let indent: String = line.branch.chars().take(line.branch.chars().count() - 3).collect();
            let attempt = if *attempt > 0 { format!("   attempt {}", attempt + 1) } else { String::new() };
            let wait = format!("{}{attempt}", waited(trace, line.span, *wait));
            writeln!(out, "  {}{} {}", indent.faint(), "┆".faint(), wait.faint())?;
        }
        span_line(trace, line, clock, columns, out)?;
    }
    let more = trace.span_count.saturating_sub((lines.len() + inner) as u64);
    if more > 0 {
        let spans = if more == 1 { "span" } else { "spans" };
        writeln!(out, "  {}", format!("… {} more {spans}", count(more)).faint())?;
    }
    Ok(())
}

/// What is said of a run's wait. A worker may begin before the publishing span
/// has ended, and where the clocks of two machines differ before it has begun.
fn waited(trace: &TraceReport, run: &SpanReport, wait: f64) -> String {
    if wait >= 0.0 {
        return format!("{} in the queue", duration(wait));
    }
    let producer = trace.spans.iter().find(|span| Some(span.span_id) == run.parent_id);
    if producer.is_some_and(|producer| run.start < producer.start) {
        return "begins before it was published: the clocks differ".to_owned();
    }
    format!("taken {} before the publishing ended", duration(-wait))
}

/// Which lines of a large tree are shown: those that say something, with the
/// way up to their root, and then the first.
fn pick(lines: &[Line<'_>]) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    let mut above: Vec<usize> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        above.truncate(line.depth);
        above.push(place);
        let new = above.iter().filter(|place| !shown.contains(*place)).count();
        if says_something(line.span) && shown.len() + new <= SHOWN {
            shown.extend(above.iter().copied());
        }
    }
    for place in 0..lines.len() {
        if shown.len() >= SHOWN {
            break;
        }
        shown.insert(place);
    }
    shown
}

fn says_something(span: &SpanReport) -> bool {
    matches!(span.kind, "producer" | "consumer") || span.status == "error"
}

/// How wide each part of a line is.
struct Columns {
    name: usize,
    service: usize,
    /// None, where a terminal is too narrow for one.
    bar: usize,
}

impl Columns {
    /// What a line takes besides: the margin, the time, the edges of the bar and
    /// the beginning of the trace's id.
    const BESIDES: usize = 2 + 10 + 3 + 10;
    /// From so many columns on there is a bar.
    const WITH_BAR: usize = 72;
    const BAR: (usize, usize) = (8, 48);
    /// A service's name is not cut to less.
    const SERVICE: usize = 12;

    /// As wide as these traces' names are, as far as there is room for them.
    fn over(traces: &[&TraceReport], width: usize) -> Self {
        let (mut name, mut service) = (0, 0);
        for trace in traces {
            for line in &Shown::of(trace).lines {
                name = name.max(text::width(&line.branch) + text::width(&safe(&line.span.name)));
                if line.names_its_service() {
                    service = service.max(text::width(&safe(&line.span.service)));
                }
            }
        }
        let room = width.saturating_sub(Self::BESIDES);
        let least_bar = if width < Self::WITH_BAR { 0 } else { Self::BAR.0 };
        let service = service.min((room / 4).max(Self::SERVICE)).max(1);
        let name = name.min(room.saturating_sub(service + least_bar)).max(12);
        let bar = if least_bar == 0 { 0 } else { room.saturating_sub(name + service).min(Self::BAR.1) };
        Self { name, service, bar }
    }

    fn all(&self) -> usize {
        self.name + self.service + self.bar
    }
}

fn span_line(
    trace: &TraceReport,
    line: &Line<'_>,
    clock: &Clock,
    columns: &Columns,
    out: &mut dyn Write,
) -> io::Result<()> {
    let span = line.span;
    let room = columns.name.saturating_sub(width(&line.branch));
    let name = pad(&safe(&span.name), room);
    let service = if line.names_its_service() { safe(&span.service) } else { String::new() };
    let time = format!("{:>8}", duration(span.duration_ms));
    write!(
        out,
        "  {}{name} {} {time}",
        line.branch.as_str().faint(),
        pad(&service, columns.service).faint()
    )?;
    if columns.bar > 0 {
        write!(out, " {}", clock.bar(span, columns.bar).faint())?;
    }
    if line.depth == 0 {
        write!(out, " {}", fit(&trace.trace_id.to_string(), 9).faint())?;
    }
    writeln!(out)?;
    if let Some(exception) = &span.exception {
        let room = columns.all().saturating_sub(width(&line.below));
        writeln!(out, "  {}{}", line.below.as_str().faint(), fit(&safe(exception), room).broken())?;
    }
    Ok(())
}
