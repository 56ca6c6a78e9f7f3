//! The self-contained file: everything inside, bounded, and open to nothing.
//!
//! A passage's rows stand in a block of data as text, which costs a browser nothing until
//! the script is asked for them. So the first frame does not wait for 100,000 spans. What
//! is in the findings can be read without the script.

use maud::{Markup, PreEscaped, html};

use super::assets::{SCRIPT, STYLE, policy_of_file};
use super::detail::detail;
use super::finding;
use super::groups::Group;
use super::map::{Map, map};
use super::names::name;
use super::passage::{Passage, entry};
use super::queues::{QueueRow, messages, queues};
use super::shell::{Shell, document};
use super::summary::{in_words, mark, verdict};
use crate::model::{Finding, Report};
use crate::report::format::{Subject, View};
use crate::report::text::count;

/// How large the parts of a file get, in bytes: it goes into a ticket.
const ENTRIES: usize = 2 << 20;
const FINDINGS: usize = 3 << 20;
const DETAILS: usize = 10 << 20;
/// How many entries it has, and how many rows of one passage.
const LISTED: usize = 2_000;
const ROWS: usize = 20_000;

/// The whole file.
pub(super) fn page(report: &Report, subject: Subject, view: &View) -> String {
    let groups = if report.error.is_some() { Vec::new() } else { Group::all(report) };
    let passages: Vec<_> = (1..).zip(&groups).map(|(id, group)| group.passage(id)).collect();
    let entries = Bounded::of(passages.iter().take(LISTED).map(entry), ENTRIES);
    let (findings, findings_left_out) = findings(report, &passages, view);
    let details = details(&passages[..entries.taken]);
    let without = entries.taken - details.taken;
    let rows: Vec<_> = report.queues.iter().map(QueueRow::from).collect();
    let (label, words) = in_words(report, subject, view);
    let shell = Shell {
        title: format!("{} {label}: {} · tracelink", mark(label), name(&words)),
        assets: assets(),
        status: status(view, without),
        verdict: verdict(report, subject, view),
        entries: entries.text,
        entries_left_out: (passages.len() - entries.taken) as u64,
        findings,
        findings_left_out,
        map: map(&Map::of(passages.iter().copied(), &rows)),
        queues: queues(&rows),
        messages: messages(report),
        data: details.text,
        details: details.taken,
        live: None,
    };
    document(&shell).into_string()
}

/// The policy stands before what it allows.
fn assets() -> Markup {
    html! {
        meta http-equiv="Content-Security-Policy" content=(policy_of_file());
        style { (PreEscaped(STYLE)) }
        // `async`: it works while the rest is still read.
        script type="module" async { (PreEscaped(SCRIPT)) }
    }
}

/// What was read, and what found no room.
fn status(view: &View, without: usize) -> Markup {
    const SHOWN: usize = 5;
    html! {
        p #status {
            @for path in view.evidence.iter().take(SHOWN) { code { (name(&path.to_string_lossy())) } " " }
            @if view.evidence.len() > SHOWN { "and " (count((view.evidence.len() - SHOWN) as u64)) " more " }
            // A snapshot stands for its broker.
            @let broker = view.broker.iter().find(|broker| view.evidence.iter().all(|path| path.as_os_str() != broker.as_str()));
            @if let Some(broker) = broker { code { (name(broker)) } " " }
            "exit " (view.exit_code)
            @if without > 0 {
                " · " (count(without as u64)) " passages are here without their spans, for want of room"
            }
        }
    }
}

/// Pieces as long as there is room.
struct Bounded {
    text: Markup,
    taken: usize,
}

impl Bounded {
    fn of(pieces: impl Iterator<Item = Markup>, room: usize) -> Self {
        let (mut text, mut taken) = (String::new(), 0);
        for PreEscaped(piece) in pieces {
            if text.len() + piece.len() > room {
                break;
            }
            text.push_str(&piece);
            taken += 1;
        }
        Self { text: PreEscaped(text), taken }
    }
}

/// Every finding in full, or only its cause, or counted.
fn findings(report: &Report, passages: &[Passage<'_>], view: &View) -> (Markup, u64) {
    let example = |one: &Finding| {
        let shows = |passage: &&Passage<'_>| passage.findings.contains(&one.id);
        passages.iter().filter(shows).max_by_key(|passage| (passage.services.len(), passage.id))
    };
    let (mut text, mut left_out, mut is_short) = (String::new(), 0, false);
    for one in &report.findings {
        let fits = |piece: &String, room: usize| text.len() + piece.len() <= room;
        // Half of the room is for those that are only named.
        let full = (!is_short).then(|| finding::in_full(one, example(one), view).into_string());
        let full = full.filter(|full| fits(full, FINDINGS / 2));
        is_short |= full.is_none();
        let piece =
            full.or_else(|| Some(finding::in_a_line(one).into_string()).filter(|line| fits(line, FINDINGS)));
        match piece {
            Some(piece) => text.push_str(&piece),
            None => left_out += 1,
        }
    }
    if report.findings.is_empty() && report.error.is_none() {
        text = html! { p.empty { "Nothing was found." } }.into_string();
    }
    (PreEscaped(text), left_out)
}

/// What the script shows of each passage, the worst first, as far as there is room.
fn details(passages: &[Passage<'_>]) -> Bounded {
    let mut worst_first: Vec<_> = passages.iter().collect();
    worst_first.sort_by_key(|passage| (std::cmp::Reverse(passage.health), passage.id));
    let blocks = worst_first.into_iter().map(|passage| {
        // Nothing in it can end the element: maud writes `<` of a text as `&lt;`.
        html! { script type="text/html" id={ "detail-" (passage.id) } { (detail(passage, ROWS)) } }
    });
    Bounded::of(blocks, DETAILS)
}
