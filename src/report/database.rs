//! What a store was asked and what it counted, in words that all formats for people share.

use super::text::{count, plural, safe};
use crate::model::DatabaseReport;

/// What was asked for, by the store's own count.
pub fn asked(database: &DatabaseReport) -> String {
    let DatabaseReport { from, to, spans, traces, handoffs, .. } = database;
    let counts: Vec<_> = [(*spans, "span"), (*traces, "trace"), (*handoffs, "hand-off")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| plural(number, what))
        .collect();
    let counted = if counts.is_empty() {
        String::new()
    } else {
        format!(": {} by ClickHouse's count", counts.join(", "))
    };
    let version = if database.version.is_empty() {
        String::new()
    } else {
        format!(", ClickHouse {}", safe(&database.version))
    };
    format!("{from} to {to}{version}{counted}")
}

/// How much of it was looked at, and what that means for the rest of the report; `None`
/// where all was.
pub fn looked_at(database: &DatabaseReport) -> Option<String> {
    let DatabaseReport { handoffs, looked_at, is_sample, .. } = database;
    (*is_sample && handoffs > &0).then(|| {
        format!(
            "{} of {} hand-offs were looked at. Causes and their counts are of these; the table and the figures \
             are ClickHouse's, of all",
            count(*looked_at),
            count(*handoffs)
        )
    })
}

/// What became of the hand-offs of a group, in words.
pub fn outcome(outcome: &str) -> &str {
    match outcome {
        "whole" => "one trace",
        "linked" => "a trace that links back",
        "new-root" => "a trace of its own",
        "other-trace" => "another trace",
        "missing-parent" => "its parent is missing",
        "no-producer" => "no publish was seen",
        "no-consumer" => "no run was seen",
        other => other,
    }
}
