//! The pieces as the live server hands them out: each is one element with an id of its
//! own, which the script puts in the place of the one before.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use super::map::Map;
use super::names::{self, name, prose};
use super::passage::{self, Passage, whole_seconds};
use super::queues::QueueRow;
use super::shell::{self, Live, Shell, document};
use super::{detail as passage_detail, finding as one_finding, map as services, queues as waiting, summary};
use crate::model::{Finding, Report};
use crate::report::format::{Subject, View};
use crate::report::text::{count, plural};

/// How many rows of one passage are drawn at most.
const ROWS: usize = 20_000;

/// What the session has seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Session<'s> {
    /// What it listens to or reads: addresses, or files.
    pub inputs: &'s str,
    /// The broker's URL, masked.
    pub broker: Option<&'s str>,
    pub spans: u64,
    pub traces: u64,
    pub handoffs: u64,
    /// Messages in queues.
    pub waiting: u64,
    pub state: SessionState,
    /// The number of the last event that the page contains.
    pub sequence: u64,
    /// Passages that the server let go.
    pub left_out: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// Saved evidence is read, so much of it so far.
    Reading {
        percent: Option<u8>,
    },
    /// All of it was read, and it is being judged for so long.
    Judging {
        since: Duration,
    },
    Listening,
    Ended,
}

/// What the page contains when it is asked for.
pub struct Content<'c> {
    /// Of [`verdict`], [`finding`], [`queues`] and [`map`].
    pub verdict: &'c str,
    pub findings: Vec<String>,
    /// How many more findings there are.
    pub findings_left_out: u64,
    pub queues: &'c str,
    pub map: &'c str,
    /// The newest first.
    pub passages: Vec<Passage<'c>>,
}

/// The document for `GET /`.
pub fn page(session: &Session<'_>, content: &Content<'_>) -> String {
    let piece = |text: &str| PreEscaped(text.to_owned());
    let shell = Shell {
        title: "tracelink".to_owned(),
        assets: html! {
            link rel="stylesheet" href="/assets/app.css";
            script type="module" src="/assets/app.js" {}
        },
        status: state(session),
        verdict: piece(content.verdict),
        entries: html! { @for one in &content.passages { (passage::entry(one)) } },
        entries_left_out: session.left_out,
        findings: html! { @for one in &content.findings { (piece(one)) } },
        findings_left_out: content.findings_left_out,
        map: piece(content.map),
        queues: piece(content.queues),
        messages: html! {},
        data: html! {},
        details: 0,
        live: Some(Live {
            events: format!("/events?after={}", session.sequence),
            passage: "/passage/",
            finding: "/finding/",
            save: "/report.html",
        }),
    };
    document(&shell).into_string()
}

/// An entry of the list.
pub fn entry(one: &Passage<'_>) -> String {
    passage::entry(one).into_string()
}

/// A passage in full.
pub fn detail(one: &Passage<'_>) -> String {
    passage_detail::detail(one, ROWS).into_string()
}

/// A finding, with the passage drawn as its example.
pub fn finding(one: &Finding, example: Option<&Passage<'_>>, view: &View) -> String {
    one_finding::in_full(one, example, view).into_string()
}

/// A finding of which only the cause is said.
pub fn finding_in_a_line(one: &Finding) -> String {
    one_finding::in_a_line(one).into_string()
}

/// That so many passages are left out.
pub fn left_out(passages: u64) -> String {
    shell::left_out(passages).into_string()
}

/// The name of a finding in the page's addresses: `#finding-NAME`, `/finding/NAME`.
pub fn finding_name(id: &str) -> String {
    names::finding_name(id)
}

/// A finding that does not hold any more.
pub fn resolved(one: &Finding) -> String {
    one_finding::resolved(one).into_string()
}

/// The verdict as of now.
pub fn verdict(report: &Report, view: &View) -> String {
    summary::verdict(report, Subject::Handoffs, view).into_string()
}

/// The queues as of now.
pub fn queues(rows: &[QueueRow<'_>]) -> String {
    waiting::queues(rows).into_string()
}

/// The map of services and queues.
pub fn map(map: &Map) -> String {
    services::map(map).into_string()
}

/// What came so far, and whether more comes.
pub fn status(session: &Session<'_>) -> String {
    state(session).into_string()
}

/// A page that says why there is no other: what was asked for is not there, or is refused.
pub fn error(text: &str) -> String {
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "tracelink" } link rel="stylesheet" href="/assets/app.css"; }
            body { main { h1 { "tracelink" } p { (prose(text)) } } }
        }
    };
    page.into_string()
}

fn state(session: &Session<'_>) -> Markup {
    let Session { spans, traces, handoffs, waiting, .. } = *session;
    html! {
        p #status {
            span.state {
                @match session.state {
                    SessionState::Reading { percent: Some(percent) } => {
                        "reading " progress max="100" value=(percent.min(100)) aria-label="Evidence read" {} " "
                    }
                    SessionState::Reading { percent: None } => "reading ",
                    SessionState::Judging { since } => {
                        "read all, and judges it"
                        @if since.as_secs() > 0 { " for " (whole_seconds(since)) }
                        " "
                    }
                    SessionState::Listening => "listening ",
                    SessionState::Ended => "ended ",
                }
            }
            code { (name(session.inputs)) } " "
            @if let Some(broker) = session.broker { code { (name(broker)) } " " }
            (plural(handoffs, "hand-off")) ", " (plural(traces, "trace")) ", " (plural(spans, "span"))
            @if waiting > 0 { ", " (count(waiting)) " in the queue" }
            span #connection {}
        }
    }
}
