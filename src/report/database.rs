//! What a store was asked and what it counted, in words that all formats for people share.

use super::text::{count, plural, safe};
use crate::model::{DatabaseReport, Timestamp};

/// What was asked for, by the store's own count. Times are to the second.
pub fn asked(database: &DatabaseReport) -> String {
    let DatabaseReport { from, to, spans, traces, handoffs, .. } = database;
    let counts: Vec<_> = [(*spans, "span"), (*traces, "trace"), (*handoffs, "hand-off")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| plural(number, what))
        .collect();
    let mut words = Vec::new();
    if from < to {
        words.push(format!("{} to {}", to_the_second(*from), to_the_second(*to)));
    }
    if !database.version.is_empty() {
        words.push(format!("ClickHouse {}", safe(&database.version)));
    }
    let asked = if words.is_empty() { "asked, and not answered".to_owned() } else { words.join(", ") };
    if counts.is_empty() { asked } else { format!("{asked}: {} by ClickHouse's count", counts.join(", ")) }
}

pub fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos() / 1_000_000_000 * 1_000_000_000)
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
