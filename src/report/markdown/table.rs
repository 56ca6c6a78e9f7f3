//! The hand-offs, or the messages of a queue: one row for those that are alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::code;
use super::pieces::mark;
use crate::model::{Finding, HandoffReport, Report, Severity, Station};
use crate::report::format::Subject;
use crate::report::text::{count, plural};

/// How many rows a table has, and how many characters a name.
const ROWS: usize = 20;
const NAME: usize = 40;

/// The tables of a report.
pub fn all(report: &Report, subject: Subject) -> String {
    match subject {
        Subject::Queue => queues(report) + &shares(report),
        Subject::Handoffs | Subject::Demo => handoffs(report),
    }
}

/// What makes hand-offs alike. Those with a finding come first, the worst first.
type Kind<'r> = (usize, Option<&'static str>, &'r str, [&'static str; 5]);

fn handoffs(report: &Report) -> String {
    if report.handoffs.is_empty() {
        return String::new();
    }
    let mut rows: BTreeMap<Kind<'_>, u64> = BTreeMap::new();
    for handoff in &report.handoffs {
        let stations = Station::ALL.map(|station| handoff.stations.get(station).mark());
        let rank = spoken(handoff, report).map_or(report.findings.len(), |(rank, _)| rank);
        *rows.entry((rank, handoff.unproven, &handoff.task, stations)).or_default() += 1;
    }
    let mut text = String::from(
        "| | task | hand-offs | request | inject | carry | extract | export | |\n\
         |---|---|--:|:-:|:-:|:-:|:-:|:-:|---|\n",
    );
    for ((rank, unproven, task, stations), number) in rows.iter().take(ROWS) {
        let (mark, what) = match (report.findings.get(*rank), unproven) {
            (Some(finding), _) => (mark(finding.severity), format!("{} {}", finding.code, finding.slug)),
            (None, Some(reason)) => ("❔", format!("unproven: {reason}")),
            (None, None) => ("✅", String::new()),
        };
        let task = code(task, NAME);
        let _ =
            writeln!(text, "| {mark} | {task} | {} | {} | {what} |", count(*number), stations.join(" | "));
    }
    text.push('\n');
    let more = rows.len().saturating_sub(ROWS) as u64;
    let unlisted = report.limits.handoffs_not_listed;
    if more > 0 {
        let _ = write!(text, "{} left out.\n\n", plural(more, "more row"));
    }
    if unlisted > 0 {
        let _ = write!(text, "{} not in the table.\n\n", plural(unlisted, "more hand-off"));
    }
    text
}

/// The finding that explains a hand-off, and its index among the findings.
fn spoken<'r>(handoff: &HandoffReport, report: &'r Report) -> Option<(usize, &'r Finding)> {
    let id = handoff.finding.as_ref()?;
    report.findings.iter().enumerate().find(|(_, finding)| finding.id == *id)
}

fn queues(report: &Report) -> String {
    if report.queues.is_empty() {
        return String::new();
    }
    let mut text = String::from("| queue | ready | held by workers | read |\n|---|--:|--:|--:|\n");
    for queue in report.queues.iter().take(ROWS) {
        let [ready, unacked, read] = [queue.ready, queue.unacked, queue.read].map(count);
        let _ = writeln!(text, "| {} | {ready} | {unacked} | {read} |", code(&queue.name, NAME));
    }
    text.push('\n');
    left_out(&mut text, report.queues.len(), "queue");
    text
}

fn shares(report: &Report) -> String {
    if report.tasks.is_empty() {
        return String::new();
    }
    let mut text = String::from("| | task | messages | context | |\n|---|---|--:|---|---|\n");
    for share in report.tasks.iter().take(ROWS) {
        let of_this = report.findings.iter().filter(|finding| share.findings.contains_key(&finding.id));
        let found: Vec<_> = of_this.collect();
        let loudest = found.iter().map(|finding| finding.severity).min();
        let mark = loudest.filter(|severity| *severity < Severity::Note).map_or("✅", mark);
        let contexts = share.contexts.iter().map(|(format, number)| format!("{format} {}", count(*number)));
        let told = found.iter().take(5).map(|finding| {
            let number = share.findings.get(&finding.id).copied().unwrap_or_default();
            format!("{} {} in {}", finding.code, finding.slug, count(number))
        });
        let _ = writeln!(
            text,
            "| {mark} | {} | {} | {} | {} |",
            code(&share.task, NAME),
            count(share.messages),
            contexts.collect::<Vec<_>>().join(", "),
            told.collect::<Vec<_>>().join(", ")
        );
    }
    text.push('\n');
    left_out(&mut text, report.tasks.len(), "task");
    text
}

fn left_out(text: &mut String, all: usize, what: &str) {
    let more = all.saturating_sub(ROWS) as u64;
    if more > 0 {
        let _ = write!(text, "{} not in the table.\n\n", plural(more, &format!("more {what}")));
    }
}
