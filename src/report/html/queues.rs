//! What waits in queues.

use std::time::Duration;

use maud::{Markup, html};

use super::names::name;
use crate::model::{MessageReport, QueueReport, Report, ShareReport};
use crate::report::text::{count, duration};

/// A queue as of now.
#[derive(Clone, Copy, Debug)]
pub struct QueueRow<'q> {
    pub name: &'q str,
    /// Messages that wait.
    pub ready: u64,
    /// Messages that workers hold.
    pub held: u64,
    /// Workers that are bound to the broker; `None` if that cannot be seen.
    pub workers: Option<u64>,
    /// How long the oldest message has waited, if that is known.
    pub oldest: Option<Duration>,
    /// Its depth over time, the oldest first.
    pub history: &'q [u64],
}

impl<'q> From<&'q QueueReport> for QueueRow<'q> {
    fn from(queue: &'q QueueReport) -> Self {
        let QueueReport { name, ready, unacked, workers, .. } = queue;
        Self { name, ready: *ready, held: *unacked, workers: *workers, oldest: None, history: &[] }
    }
}

/// How many queues, tasks and messages have a row each.
const QUEUES: usize = 50;
const TASKS: usize = 100;
const MESSAGES: usize = 200;
/// How many contexts and findings of one message are named.
const CONTEXTS: usize = 5;

/// The queues, the longest first as far as there is room.
pub(super) fn queues(rows: &[QueueRow<'_>]) -> Markup {
    let mut rows: Vec<_> = rows.iter().collect();
    if rows.len() > QUEUES {
        rows.sort_by_key(|queue| std::cmp::Reverse(queue.ready + queue.held));
    }
    let has = |is: &dyn Fn(&QueueRow<'_>) -> bool| rows.iter().any(|queue| is(queue));
    let (has_oldest, has_history) =
        (has(&|queue| queue.oldest.is_some()), has(&|queue| queue.history.len() > 1));
    html! {
        section #queues aria-labelledby="queues-title" hidden[rows.is_empty()] {
            h2 #queues-title { "Queues" }
            div.table tabindex="0" role="region" aria-label="Queues" {
                table {
                    thead { tr {
                        th scope="col" { "queue" }
                        th scope="col" { "waiting" }
                        th scope="col" { "held by workers" }
                        @if has_oldest { th scope="col" { "oldest" } }
                        th scope="col" { "workers" }
                        @if has_history { th scope="col" { "depth" } }
                    } }
                    tbody {
                        @for queue in rows.iter().take(QUEUES) {
                            tr {
                                th scope="row" { (name(queue.name)) }
                                td { (count(queue.ready)) }
                                td { (count(queue.held)) }
                                @if has_oldest {
                                    td { @if let Some(age) = queue.oldest { (duration(age.as_secs_f64() * 1_000.0)) } }
                                }
                                td { @match queue.workers { Some(workers) => (count(workers)), None => "not seen" } }
                                @if has_history { td { (spark(queue.history)) } }
                            }
                        }
                    }
                }
                @if let Some(more) = rows.len().checked_sub(QUEUES).filter(|more| *more > 0) {
                    p.left-out { "and " (count(more as u64)) " more queues" }
                }
            }
        }
    }
}

/// The depth over time as a line.
#[allow(clippy::cast_precision_loss, reason = "pixels")]
fn spark(history: &[u64]) -> Markup {
    const HEIGHT: f64 = 20.0;
    let [first, .., last] = history else { return html! {} };
    let most = history.iter().copied().max().unwrap_or_default().max(1) as f64;
    let points: Vec<_> = history
        .iter()
        .enumerate()
        .map(|(second, depth)| {
            format!("{second},{:.1}", HEIGHT - 1.0 - (HEIGHT - 2.0) * *depth as f64 / most)
        })
        .collect();
    html! {
        svg.spark role="img" aria-label={ "from " (count(*first)) " to " (count(*last)) }
            viewBox={ "0 0 " (history.len()) " " (HEIGHT) } preserveAspectRatio="none" {
            polyline points=(points.join(" ")) {}
        }
    }
}

/// What the queues hold of each task, and the messages that are listed.
pub(super) fn messages(report: &Report) -> Markup {
    if report.tasks.is_empty() && report.messages.is_empty() {
        return html! {};
    }
    html! {
        section #messages aria-labelledby="messages-title" {
            h2 #messages-title { "Messages" }
            (shares(&report.tasks))
            @if !report.messages.is_empty() {
                details { summary { "One by one" } (list(&report.messages)) }
            }
        }
    }
}

fn shares(tasks: &[ShareReport]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Messages of each task" {
            table {
                thead { tr {
                    @for head in ["task", "messages", "context", "findings"] { th scope="col" { (head) } }
                } }
                tbody {
                    @for share in tasks.iter().take(TASKS) {
                        tr {
                            th scope="row" { (name(&share.task)) }
                            td { (count(share.messages)) }
                            td {
                                @for (format, number) in &share.contexts { span.share { (format) " " (count(*number)) } " " }
                            }
                            td {
                                @for (finding, number) in share.findings.iter().take(TASKS) {
                                    span.share { (name(finding)) " " (count(*number)) } " "
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(more) = tasks.len().checked_sub(TASKS).filter(|more| *more > 0) {
                p.left-out { "and " (count(more as u64)) " more tasks" }
            }
        }
    }
}

fn list(messages: &[MessageReport]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Messages" {
            table {
                thead { tr {
                    @for head in ["queue", "state", "task", "id", "origin", "context", "args", "findings"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for message in messages.iter().take(MESSAGES) {
                        tr {
                            td { (name(&message.queue)) }
                            td { (message.state) }
                            td { (name(&message.task)) }
                            td { code { (name(&message.id)) } }
                            td { (name(message.origin.as_deref().unwrap_or_default())) }
                            td {
                                @for context in message.contexts.iter().take(CONTEXTS) {
                                    span.share {
                                        (context.format) @if !context.valid { " (cannot be read)" }
                                        @if let Some(trace) = context.trace_id { " " code { (trace) } }
                                    } " "
                                }
                            }
                            td { (name(message.args.as_deref().unwrap_or_default())) }
                            td {
                                @for finding in message.findings.iter().take(CONTEXTS) {
                                    a href={ "#" (super::names::finding_anchor(finding)) } { (name(finding)) } " "
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(more) = messages.len().checked_sub(MESSAGES).filter(|more| *more > 0) {
                p.left-out { "and " (count(more as u64)) " more messages: --format json has those that are listed" }
            }
        }
    }
}
