//! A trace as lines: parents before children, similar spans folded, and of a large trace
//! only the lines that matter.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{SpanId, SpanReport, TraceReport};
use crate::report::text::{count, safe};

/// How many lines of one trace a tree shows.
const SHOWN: usize = 14;
/// How deep a tree is indented; deeper spans are drawn at this depth.
const DEPTH: usize = 8;

/// One line of a tree.
pub struct Line<'r> {
    pub content: Content<'r>,
    pub depth: usize,
    /// The lines that connect it to its parent: `│  └─ `.
    pub branch: String,
    /// The lines that go on below it, to its later siblings and its children.
    pub below: String,
}

/// The content of a line.
pub enum Content<'r> {
    Span(&'r SpanReport),
    /// Siblings that would repeat the same: `12 broker commands`, and how many spans they
    /// are.
    Folded(String, u64),
}

impl<'r> Line<'r> {
    pub fn span(&self) -> Option<&'r SpanReport> {
        match self.content {
            Content::Span(span) => Some(span),
            Content::Folded(..) => None,
        }
    }

    /// The entry of a trace into a service.
    pub fn names_its_service(&self) -> bool {
        self.span().is_some_and(|span| self.depth == 0 || span.kind == "consumer")
    }

    const fn spans(&self) -> u64 {
        match self.content {
            Content::Span(_) => 1,
            Content::Folded(_, spans) => spans,
        }
    }
}

/// The lines of a tree that are shown.
pub struct Shown<'t> {
    pub lines: Vec<Line<'t>>,
    /// How many spans are in none of them. A framework's inner spans are always left out,
    /// without a note.
    pub more: u64,
}

impl<'t> Shown<'t> {
    pub fn of(trace: &'t TraceReport) -> Self {
        let mut lines = lay_out(trace);
        let laid_out: u64 = lines.iter().map(Line::spans).sum();
        let inner = trace.spans.len() as u64 - laid_out;
        if !trace.complete {
            // How many there are of a kind is not known.
            lines.retain(|line| line.span().is_some());
        }
        // Leaving out just one line would save none.
        if lines.len() > SHOWN + 1 {
            let shown = pick(&lines);
            let places = lines.into_iter().enumerate();
            lines = places.filter_map(|(place, line)| shown.contains(&place).then_some(line)).collect();
        }
        let told = inner + lines.iter().map(Line::spans).sum::<u64>();
        Self { lines, more: trace.span_count.saturating_sub(told) }
    }
}

/// Lays a trace out, parents before children, without the framework's inner spans. It does
/// not recurse, and each span appears once, even if the parents form cycles.
fn lay_out(trace: &TraceReport) -> Vec<Line<'_>> {
    let known: BTreeSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
    let parents: BTreeSet<SpanId> = trace.spans.iter().filter_map(|span| span.parent_id).collect();
    let mut children: BTreeMap<Option<SpanId>, Vec<&SpanReport>> = BTreeMap::new();
    for span in trace.spans.iter().filter(|span| !is_noise(span) || parents.contains(&span.span_id)) {
        let parent = span.parent_id.filter(|parent| known.contains(parent) && *parent != span.span_id);
        children.entry(parent).or_default().push(span);
    }
    let is_leaf = |span: &SpanReport| !parents.contains(&span.span_id);
    let mut placed = BTreeSet::new();
    let roots = fold(children.remove(&None).unwrap_or_default(), is_leaf, &mut placed);
    // Spans in a cycle are below no root: the first of them becomes one.
    let circles: Vec<_> = children.values().flatten().copied().map(Content::Span).collect();
    let mut lines = Vec::with_capacity(trace.spans.len());
    let mut is_last_at = Vec::new();
    let mut open: Vec<(Content<'_>, usize, bool)> = Vec::new();
    for start in roots.into_iter().chain(circles) {
        open.push((start, 0, true));
        while let Some((content, depth, is_last)) = open.pop() {
            let below = match content {
                Content::Span(span) if !placed.insert(span.span_id) => continue,
                Content::Span(span) => {
                    fold(children.remove(&Some(span.span_id)).unwrap_or_default(), is_leaf, &mut placed)
                }
                Content::Folded(..) => Vec::new(),
            };
            is_last_at.truncate(depth);
            is_last_at.push(is_last);
            lines.push(Line {
                content,
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

/// Siblings, with those that are healthy and alike folded into one. A library's broker
/// commands are not what people look for. The folded ones are marked as `placed`.
fn fold<'r>(
    spans: Vec<&'r SpanReport>,
    is_leaf: impl Fn(&SpanReport) -> bool,
    placed: &mut BTreeSet<SpanId>,
) -> Vec<Content<'r>> {
    /// Up to this many that are alike are shown one by one.
    const ALIKE: usize = 3;
    let kind_of = |span: &'r SpanReport| match () {
        () if !is_quiet(span) || !is_leaf(span) => None,
        () if is_broker_command(span) => Some(Kind::BrokerCommand),
        () => Some(Kind::Alike(&span.name, &span.service)),
    };
    // How many there are of a kind, and how many of them were placed.
    let mut kinds: BTreeMap<Kind<'_>, (usize, usize)> = BTreeMap::new();
    for kind in spans.iter().filter_map(|span| kind_of(span)) {
        kinds.entry(kind).or_default().0 += 1;
    }
    let mut contents = Vec::with_capacity(spans.len());
    for span in spans {
        let Some((kind, (all, met))) = kind_of(span).and_then(|kind| Some((kind, kinds.get_mut(&kind)?)))
        else {
            contents.push(Content::Span(span));
            continue;
        };
        *met += 1;
        let most = if kind == Kind::BrokerCommand { 1 } else { ALIKE };
        let is_shown = *all <= most || (kind != Kind::BrokerCommand && *met == 1);
        if is_shown {
            contents.push(Content::Span(span));
        } else {
            placed.insert(span.span_id);
        }
        if *all > most && *met == 1 && is_shown {
            let more = *all as u64 - 1;
            contents.push(Content::Folded(format!("{} more {}", count(more), safe(&span.name)), more));
        }
    }
    if let Some((all @ 2.., _)) = kinds.get(&Kind::BrokerCommand) {
        let all = *all as u64;
        contents.push(Content::Folded(format!("{} broker commands", count(all)), all));
    }
    contents
}

/// What makes siblings alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind<'r> {
    BrokerCommand,
    /// By name and service.
    Alike(&'r str, &'r str),
}

/// Whether a span shows nothing except that it exists.
fn is_quiet(span: &SpanReport) -> bool {
    span.status != "error"
        && span.exception.is_none()
        && span.orphan.is_none()
        && matches!(span.kind, "internal" | "client")
}

/// Whether a span is a Redis command that moves messages, as instrumentations of Redis
/// clients name it: `LPUSH`, `LPUSH celery`, `redis-LPUSH`.
fn is_broker_command(span: &SpanReport) -> bool {
    const COMMANDS: [&str; 18] = [
        "LPUSH",
        "RPUSH",
        "BRPOP",
        "BLPOP",
        "LLEN",
        "SADD",
        "SMEMBERS",
        "HDEL",
        "ZADD",
        "ZREM",
        "ZREVRANGEBYSCORE",
        "PUBLISH",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "PSUBSCRIBE",
        "MULTI",
        "EXEC",
        "WATCH",
    ];
    let first = span.name.split(' ').next().unwrap_or_default();
    let command = first.strip_prefix("redis-").unwrap_or(first);
    span.kind == "client" && COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(command))
}

/// The lines that connect a span to its parent, depending on which of its ancestors are
/// last siblings. Below [`DEPTH`] the outer ones are left out.
fn branch(is_last_at: &[bool]) -> String {
    let levels = &is_last_at[1.min(is_last_at.len())..];
    let Some((own, above)) = levels.split_last() else { return String::new() };
    let shown = &above[above.len().saturating_sub(DEPTH - 1)..];
    let mut branch: String = shown.iter().map(|is_last| if *is_last { "   " } else { "│  " }).collect();
    branch.push_str(if *own { "└─ " } else { "├─ " });
    branch
}

/// The lines below a span: those of its later siblings and of its children.
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

/// Which lines of a large tree are shown: those that matter, with their ancestors, and then
/// the first.
fn pick(lines: &[Line<'_>]) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    let mut above: Vec<usize> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        above.truncate(line.depth);
        above.push(place);
        let new = above.iter().filter(|place| !shown.contains(*place)).count();
        if line.span().is_some_and(says_something) && shown.len() + new <= SHOWN {
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
