//! The verdict in words, shared by all formats for people.

use super::text::{count, plural};
use crate::model::{Inputs, Report, Severity, Status};

/// The text for hand-offs, which follows the status.
pub fn of_handoffs(report: &Report) -> String {
    let so_far = if report.live { "so far, while the session goes on: " } else { "" };
    let sampled = report.database.as_ref().filter(|database| database.is_sample && database.handoffs > 0);
    let sampled = sampled.map_or_else(String::new, |database| {
        format!("of a sample ({} of {} hand-offs): ", count(database.looked_at), count(database.handoffs))
    });
    format!("{so_far}{sampled}{}", of_all_handoffs(report))
}

fn of_all_handoffs(report: &Report) -> String {
    let Inputs { handoffs, handoffs_whole: whole, spans, .. } = report.inputs;
    let what = if report.ignored.is_empty() { "nothing wrong" } else { "nothing else wrong" };
    match report.verdict.status {
        Status::Broken | Status::Damaged => {
            let faults = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
            let causes = faults.map(|finding| format!("{} ({})", finding.slug, count(finding.count)));
            causes.collect::<Vec<_>>().join(", ")
        }
        Status::Unproven if handoffs == 0 => format!("{what} was seen"),
        Status::Unproven => {
            format!("{what} was seen, and {} of {} hand-offs whole", count(whole), count(handoffs))
        }
        // Nothing is said about what was not seen.
        Status::Healthy if spans == 0 => {
            "each message carries a context that can be read; no span came, so no run was seen".to_owned()
        }
        Status::Healthy => "every hand-off that was seen is whole".to_owned(),
        Status::NoEvidence => "there is nothing to judge: no messages, no spans, no results".to_owned(),
    }
}

/// The text for queues with messages, which follows the status.
pub fn of_queues(report: &Report) -> String {
    let messages = report.inputs.messages;
    match report.verdict.status {
        Status::Unproven => of_handoffs(report),
        Status::Healthy | Status::NoEvidence => {
            format!("each of {} carries a context that can be read", plural(messages, "message"))
        }
        Status::Broken | Status::Damaged => {
            let faulty: u64 = of_messages(report).sum();
            let causes = report.findings.iter().filter(|finding| finding.severity < Severity::Note).count();
            format!(
                "{} in {} of {} messages",
                plural(causes as u64, "cause"),
                count(faulty.min(messages)),
                count(messages)
            )
        }
    }
}

/// Messages that belong to a finding at warning or above.
fn of_messages(report: &Report) -> impl Iterator<Item = u64> {
    let is_fault = |id: &String| {
        report.findings.iter().any(|finding| finding.id == *id && finding.severity < Severity::Note)
    };
    report.tasks.iter().flat_map(move |share| {
        share.findings.iter().filter(move |(id, _)| is_fault(id)).map(|(_, count)| *count)
    })
}
