//! A trace as lines: parents before children, similar spans folded, and of a large trace
//! only the lines that matter.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Detail;
use crate::model::{SpanId, SpanReport, TraceReport};
use crate::report::text::{count, safe};

/// How many lines of one trace are picked.
const PICKED: usize = 14;
/// How deep a tree is indented; deeper spans are drawn at this depth.
const DEPTH: usize = 8;

/// One line of a tree.
pub struct Line<'r> {
    pub content: Drawn<'r>,
    pub depth: usize,
    /// The lines that connect it to its parent: `│  └─ `.
    pub branch: String,
    /// The lines that go on below it, to its later siblings and its children.
    pub below: String,
}

/// What a line shows.
pub enum Drawn<'r> {
    /// A span, and its place in the trace.
    Span(usize, &'r SpanReport),
    /// Siblings that would repeat the same: `12 broker commands`, and how many spans they
    /// are.
    Folded(String, u64),
}

impl<'r> Line<'r> {
    fn span(&self) -> Option<&'r SpanReport> {
        match self.content {
            Drawn::Span(_, span) => Some(span),
            Drawn::Folded(..) => None,
        }
    }

    const fn spans(&self) -> u64 {
        match self.content {
            Drawn::Span(..) => 1,
            Drawn::Folded(_, spans) => spans,
        }
    }
}

/// The lines of a tree that are shown.
pub struct Tree<'t> {
    pub lines: Vec<Line<'t>>,
    /// How many spans are in none of them. A framework's inner spans may be left out,
    /// without a note.
    pub more: u64,
}

impl<'t> Tree<'t> {
    pub fn of(trace: &'t TraceReport, detail: Detail) -> Self {
        let mut lines = lay_out(trace, detail);
        let laid_out: u64 = lines.iter().map(Line::spans).sum();
        let inner = trace.spans.len() as u64 - laid_out;
        if !trace.complete {
            // How many there are of a kind is not known.
            lines.retain(|line| line.span().is_some());
        }
        // Leaving out just one line would save none.
        if detail == Detail::Picked && lines.len() > PICKED + 1 {
            let picked = pick(&lines);
            let places = lines.into_iter().enumerate();
            lines = places.filter_map(|(place, line)| picked.contains(&place).then_some(line)).collect();
        }
        let told = inner + lines.iter().map(Line::spans).sum::<u64>();
        Self { lines, more: trace.span_count.saturating_sub(told) }
    }
}

/// Lays a trace out, parents before children, without the framework's inner spans unless
/// everything is asked for. It does not recurse, and each span appears once, even if the
/// parents form cycles.
fn lay_out<'t>(trace: &'t TraceReport, detail: Detail) -> Vec<Line<'t>> {
    let known: BTreeSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
    let parents: BTreeSet<SpanId> = trace.spans.iter().filter_map(|span| span.parent_id).collect();
    let mut children: BTreeMap<Option<SpanId>, Vec<Placed<'t>>> = BTreeMap::new();
    for (place, span) in trace.spans.iter().enumerate() {
        if detail != Detail::Everything && is_noise(span) && !parents.contains(&span.span_id) {
            continue;
        }
        let parent = span.parent_id.filter(|parent| known.contains(parent) && *parent != span.span_id);
        children.entry(parent).or_default().push((place, span));
    }
    let is_leaf = |span: &SpanReport| !parents.contains(&span.span_id);
    let folded = |spans: Vec<Placed<'t>>, placed: &mut BTreeSet<SpanId>| match detail {
        Detail::Everything => spans.into_iter().map(|(place, span)| Drawn::Span(place, span)).collect(),
        Detail::Picked | Detail::Folded => fold(spans, is_leaf, placed),
    };
    let mut placed = BTreeSet::new();
    let roots: Vec<_> = folded(children.remove(&None).unwrap_or_default(), &mut placed);
    // Spans in a cycle are below no root: the first of them becomes one.
    let circles: Vec<_> =
        children.values().flatten().map(|(place, span)| Drawn::Span(*place, span)).collect();
    let mut lines = Vec::with_capacity(trace.spans.len());
    let mut is_last_at = Vec::new();
    let mut open: Vec<(Drawn<'t>, usize, bool)> = Vec::new();
    for start in roots.into_iter().chain(circles) {
        open.push((start, 0, true));
        while let Some((content, depth, is_last)) = open.pop() {
            let below = match content {
                Drawn::Span(_, span) if !placed.insert(span.span_id) => continue,
                Drawn::Span(_, span) => {
                    folded(children.remove(&Some(span.span_id)).unwrap_or_default(), &mut placed)
                }
                Drawn::Folded(..) => Vec::new(),
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

/// A span, and its place in the trace.
type Placed<'r> = (usize, &'r SpanReport);

/// Siblings, with those that are healthy and alike folded into one. A library's broker
/// commands are not what people look for. The folded ones are marked as `placed`.
fn fold<'r>(
    spans: Vec<Placed<'r>>,
    is_leaf: impl Fn(&SpanReport) -> bool,
    placed: &mut BTreeSet<SpanId>,
) -> Vec<Drawn<'r>> {
    /// Up to this many that are alike are shown one by one.
    const ALIKE: usize = 3;
    let kind_of = |span: &'r SpanReport| match () {
        () if !is_quiet(span) || !is_leaf(span) => None,
        () if is_broker_command(span) => Some(Kind::BrokerCommand),
        () => Some(Kind::Alike(&span.name, &span.service)),
    };
    // How many there are of a kind, and how many of them were placed.
    let mut kinds: BTreeMap<Kind<'_>, (usize, usize)> = BTreeMap::new();
    for kind in spans.iter().filter_map(|(_, span)| kind_of(span)) {
        kinds.entry(kind).or_default().0 += 1;
    }
    let mut contents = Vec::with_capacity(spans.len());
    for (place, span) in spans {
        let Some((kind, (all, met))) = kind_of(span).and_then(|kind| Some((kind, kinds.get_mut(&kind)?)))
        else {
            contents.push(Drawn::Span(place, span));
            continue;
        };
        *met += 1;
        let most = if kind == Kind::BrokerCommand { 1 } else { ALIKE };
        let is_shown = *all <= most || (kind != Kind::BrokerCommand && *met == 1);
        if is_shown {
            contents.push(Drawn::Span(place, span));
        } else {
            placed.insert(span.span_id);
        }
        if *all > most && *met == 1 && is_shown {
            let more = *all as u64 - 1;
            contents.push(Drawn::Folded(format!("{} more {}", count(more), safe(&span.name)), more));
        }
    }
    if let Some((all @ 2.., _)) = kinds.get(&Kind::BrokerCommand) {
        let all = *all as u64;
        contents.push(Drawn::Folded(format!("{} broker commands", count(all)), all));
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

/// Which lines of a large tree are picked: those that matter, with their ancestors, and
/// then the first.
fn pick(lines: &[Line<'_>]) -> BTreeSet<usize> {
    let mut picked = BTreeSet::new();
    let mut above: Vec<usize> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        above.truncate(line.depth);
        above.push(place);
        if !line.span().is_some_and(says_something) {
            continue;
        }
        // The ancestors of a picked line are picked too, and more than so many find no room.
        let new = above.iter().rev().take(PICKED + 1).take_while(|place| !picked.contains(*place));
        let new: Vec<_> = new.copied().collect();
        if picked.len() + new.len() <= PICKED {
            picked.extend(new);
        }
    }
    for place in 0..lines.len() {
        if picked.len() >= PICKED {
            break;
        }
        picked.insert(place);
    }
    picked
}

fn says_something(span: &SpanReport) -> bool {
    matches!(span.kind, "producer" | "consumer") || span.status == "error"
}
