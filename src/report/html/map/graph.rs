//! What the map shows: services and queues, and what passes between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{HandoffReport, SpanId, SpanReport, Station, StationState, TraceId};
use crate::report::html::passage::Passage;
use crate::report::html::queues::QueueRow;
use crate::report::stitched::Health;

/// How many services and queues are drawn.
const NODES: usize = 24;
/// How many are counted at all: names come from outside.
const KNOWN: usize = 2_000;
/// What a queue is called of which only the passing is seen.
pub(super) const UNNAMED: &str = "a queue";

/// Services and queues, with what passes between them.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub(super) nodes: Vec<Node>,
    /// By the places of their nodes.
    pub(super) edges: BTreeMap<(usize, usize), Passing>,
    /// How many nodes found no room.
    pub(super) left_out: usize,
}

/// A service or a queue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Service,
    Queue,
}

/// How much passes along an edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Passing {
    pub all: u64,
    /// Hand-offs that break here.
    pub broken: u64,
}

/// The graph while it grows.
#[derive(Default)]
struct Growing {
    weights: BTreeMap<Node, u64>,
    edges: BTreeMap<(Node, Node), Passing>,
}

impl Map {
    /// What these passages show. If the broker has just one queue, that is what they pass;
    /// otherwise which one it was is not known.
    pub fn of<'p>(passages: impl IntoIterator<Item = Passage<'p>>, queues: &[QueueRow<'_>]) -> Self {
        let only = if let [queue] = queues { queue.name } else { UNNAMED };
        let mut growing = Growing::default();
        for queue in queues.iter().take(KNOWN) {
            growing.node(Kind::Queue, queue.name, 0);
        }
        for passage in passages {
            growing.passage(&passage, only);
        }
        growing.heaviest()
    }
}

impl Growing {
    fn node(&mut self, kind: Kind, name: &str, weight: u64) -> Option<Node> {
        let node = Node { kind, name: name.chars().take(crate::report::html::names::NAME).collect() };
        if self.weights.len() >= KNOWN && !self.weights.contains_key(&node) {
            return None;
        }
        *self.weights.entry(node.clone()).or_default() += weight;
        Some(node)
    }

    fn edge(&mut self, from: (Kind, &str), to: (Kind, &str), is_broken: bool) {
        let (Some(from), Some(to)) = (self.node(from.0, from.1, 1), self.node(to.0, to.1, 1)) else { return };
        if from != to {
            let passing = self.edges.entry((from, to)).or_default();
            passing.all += 1;
            passing.broken += u64::from(is_broken);
        }
    }

    fn passage(&mut self, passage: &Passage<'_>, queue: &str) {
        let spans: BTreeMap<(TraceId, SpanId), &SpanReport> = passage
            .traces
            .iter()
            .flat_map(|trace| trace.spans.iter().map(|span| ((trace.trace_id, span.span_id), span)))
            .collect();
        for handoff in passage.handoffs {
            let service = |at: &(TraceId, SpanId)| spans.get(at).map(|span| &*span.service);
            let sender = handoff.producer.as_ref().and_then(service);
            let runs: BTreeSet<_> = handoff.consumers.iter().filter_map(service).collect();
            let at =
                broken_at(handoff).filter(|_| handoff.finding.is_some() && passage.health >= Health::Damaged);
            let is_before =
                matches!(at, Some(Station::Request | Station::Inject)) || (at.is_some() && runs.is_empty());
            if let Some(sender) = sender {
                self.edge((Kind::Service, sender), (Kind::Queue, queue), is_before);
            }
            for run in runs {
                self.edge(
                    (Kind::Queue, queue),
                    (Kind::Service, run),
                    at.is_some() && (!is_before || sender.is_none()),
                );
            }
        }
        for ((trace, _), span) in &spans {
            self.node(Kind::Service, &span.service, 0);
            let parent = span.parent_id.and_then(|parent| spans.get(&(*trace, parent)));
            if let Some(parent) =
                parent.filter(|parent| parent.service != span.service && span.kind != "consumer")
            {
                self.edge((Kind::Service, &parent.service), (Kind::Service, &span.service), false);
            }
        }
    }

    /// As many as there is room for, those first that most passes.
    fn heaviest(self) -> Map {
        let mut by_weight: Vec<_> = self.weights.into_iter().collect();
        by_weight.sort_by(|(left, light), (right, heavy)| heavy.cmp(light).then(left.cmp(right)));
        let left_out = by_weight.len().saturating_sub(NODES);
        let mut nodes: Vec<_> = by_weight.into_iter().take(NODES).map(|(node, _)| node).collect();
        nodes.sort();
        let place = |node: &Node| nodes.binary_search(node).ok();
        let edges = self
            .edges
            .iter()
            .filter_map(|((from, to), passing)| Some(((place(from)?, place(to)?), *passing)));
        Map { edges: edges.collect(), left_out, nodes }
    }
}

fn broken_at(handoff: &HandoffReport) -> Option<Station> {
    Station::ALL.into_iter().find(|station| handoff.stations.get(*station) == StationState::Broken)
}
