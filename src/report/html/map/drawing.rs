//! The map as SVG: in columns, from who publishes to who runs.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::graph::{Kind, Map, Node, Passing, UNNAMED};
use crate::report::html::colours::Colours;
use crate::report::html::names::name;
use crate::report::text::{clip, count};

/// In pixels: a box, and the room between two.
const BOX: (usize, usize) = (150, 34);
const ROOM: (usize, usize) = (70, 22);
const MARGIN: usize = 8;
/// How many letters fit into a box.
const LETTERS: usize = 18;

/// The map, and the same in words for whoever does not see it.
pub(in crate::report::html) fn map(map: &Map) -> Markup {
    let is_empty = map.edges.is_empty();
    html! {
        section #map aria-labelledby="map-title" hidden[is_empty] {
            h2 #map-title { "Services and queues" }
            @if !is_empty {
                div.map tabindex="0" role="region" aria-label="Map of services and queues" { (drawn(map)) }
                ul.visually-hidden { @for (ends, passing) in &map.edges { li { (in_words(map, *ends, *passing)) } } }
                @if map.left_out > 0 {
                    p.left-out { (count(map.left_out as u64)) " more services and queues found no room here." }
                }
            }
        }
    }
}

fn in_words(map: &Map, (from, to): (usize, usize), passing: Passing) -> String {
    let broken =
        if passing.broken > 0 { format!(", {} broken", count(passing.broken)) } else { String::new() };
    let called = |place: usize| match map.nodes[place].kind {
        Kind::Service => name(&map.nodes[place].name),
        Kind::Queue if map.nodes[place].name == UNNAMED => UNNAMED.to_owned(),
        Kind::Queue => format!("queue {}", name(&map.nodes[place].name)),
    };
    format!("{} to {}: {}{broken}", called(from), called(to), count(passing.all))
}

/// Where each box is: its left upper corner.
struct Places {
    corners: Vec<(usize, usize)>,
    width: usize,
    height: usize,
}

impl Places {
    /// The column of a node is how many steps it is from one that nothing leads to.
    fn of(map: &Map) -> Self {
        let columns = columns(map);
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        let mut corners = Vec::with_capacity(map.nodes.len());
        for column in &columns {
            let row = rows.entry(*column).or_default();
            let at = |place: usize, of: usize, room: usize| MARGIN + place * (of + room);
            corners.push((at(*column, BOX.0, ROOM.0), at(*row, BOX.1, ROOM.1)));
            *row += 1;
        }
        let width = corners.iter().map(|(x, _)| x + BOX.0).max().unwrap_or_default() + MARGIN;
        // A way back runs below everything.
        let height = corners.iter().map(|(_, y)| y + BOX.1).max().unwrap_or_default() + MARGIN + ROOM.1;
        Self { corners, width, height }
    }
}

/// A search in breadth from the nodes that nothing leads to; of a circle, from its first.
fn columns(map: &Map) -> Vec<usize> {
    let is_led_to = |place: usize| map.edges.keys().any(|(_, to)| *to == place);
    let mut columns: Vec<Option<usize>> = vec![None; map.nodes.len()];
    let mut next: Vec<usize> = (0..map.nodes.len()).filter(|place| !is_led_to(*place)).collect();
    let mut column = 0;
    loop {
        next.retain(|place| columns[*place].is_none());
        if next.is_empty() {
            let Some(first) = columns.iter().position(Option::is_none) else { break };
            (next, column) = (vec![first], 0);
        }
        next.iter().for_each(|place| columns[*place] = Some(column));
        let edges = map.edges.keys().filter(|(from, _)| next.contains(from));
        let mut found: Vec<_> = edges.map(|(_, to)| *to).collect();
        found.sort_unstable();
        found.dedup();
        (next, column) = (found, column + 1);
    }
    columns.into_iter().map(Option::unwrap_or_default).collect()
}

fn drawn(map: &Map) -> Markup {
    let places = Places::of(map);
    let services = map.nodes.iter().filter(|node| node.kind == Kind::Service);
    let colours = Colours::over(services.map(|node| &*node.name));
    html! {
        svg aria-hidden="true" width=(places.width) height=(places.height)
            viewBox={ "0 0 " (places.width) " " (places.height) } {
            @for (ends, passing) in &map.edges { (edge(&places, *ends, *passing)) }
            @for (node, (x, y)) in map.nodes.iter().zip(&places.corners) { (boxed(node, *x, *y, &colours)) }
        }
    }
}

fn boxed(node: &Node, x: usize, y: usize, colours: &Colours) -> Markup {
    let (class, round) = match node.kind {
        Kind::Service => (colours.class(&node.name), 4),
        Kind::Queue => ("queue", BOX.1 / 2),
    };
    html! {
        g.node.(class) {
            rect x=(x) y=(y) width=(BOX.0) height=(BOX.1) rx=(round) {}
            text x=(x + BOX.0 / 2) y=(y + BOX.1 / 2 + 4) { (clip(&node.name, LETTERS)) }
        }
    }
}

/// A line from the right of one box to the left of another, or back below both.
fn edge(places: &Places, (from, to): (usize, usize), passing: Passing) -> Markup {
    let ((x1, y1), (x2, y2)) = (places.corners[from], places.corners[to]);
    let (start, end) = ((x1 + BOX.0, y1 + BOX.1 / 2), (x2, y2 + BOX.1 / 2));
    let is_forward = start.0 < end.0;
    let (path, middle) = if is_forward {
        let bend = usize::midpoint(start.0, end.0);
        let path =
            format!("M{} {}C{bend} {},{bend} {},{} {}", start.0, start.1, start.1, end.1, end.0, end.1);
        (path, (bend, usize::midpoint(start.1, end.1)))
    } else {
        let low = y1.max(y2) + BOX.1 + ROOM.1;
        let (start, end) = ((x1 + BOX.0 / 2, y1 + BOX.1), (x2 + BOX.0 / 2, y2 + BOX.1));
        let path = format!("M{} {}C{} {low},{} {low},{} {}", start.0, start.1, start.0, end.0, end.0, end.1);
        (path, (usize::midpoint(start.0, end.0), low - ROOM.1 / 4))
    };
    let is_broken = passing.broken > 0;
    let label = if is_broken {
        format!("✗ {} of {}", count(passing.broken), count(passing.all))
    } else {
        count(passing.all)
    };
    html! {
        g.edge.broken[is_broken] {
            path d=(path) {}
            @if is_forward { path.head d={ "M" (end.0) " " (end.1) "l-7 -4v8z" } {} }
            text x=(middle.0) y=(middle.1 - 5) { (label) }
        }
    }
}
