//! What a store counted itself, beside what was judged of it.

use crate::diagnosis::NOT_LOOKED_AT;
use crate::evidence::Evidence;
use crate::model::{DatabaseReport, HandoffGroup, Report, TraceId, Unproven, Verdict};
use crate::query::clickhouse::{Store, Survey};

/// What the store counted, with how much of it was looked at. `database` says what was asked
/// for, and whether a part of it was fetched.
pub(super) fn counted(
    store: &Store<'_>,
    survey: Survey,
    evidence: &Evidence,
    database: DatabaseReport,
) -> DatabaseReport {
    let is_there = |id: &Option<String>, traces: &[TraceId]| match id {
        Some(id) => evidence.tasks.get(id).is_some(),
        None => traces.iter().any(|trace| evidence.spans.trace(*trace).is_some()),
    };
    let has_all = !database.is_sample && evidence.counts().evicted_traces == 0;
    let groups: Vec<_> = survey
        .groups
        .into_iter()
        .map(|group| {
            let seen = group.sample.iter().filter(|one| is_there(&one.id, &one.traces)).count() as u64;
            HandoffGroup {
                looked_at: if has_all { group.count } else { seen.min(group.count) },
                task: group.task,
                producer: group.producer,
                consumer: group.consumer,
                outcome: group.outcome,
                count: group.count,
            }
        })
        .collect();
    let cost = store.client().cost();
    let listed: u64 = groups.iter().map(|group| group.count).sum();
    DatabaseReport {
        handoffs: survey.handoffs,
        looked_at: groups.iter().map(|group| group.looked_at).sum(),
        not_listed: survey.handoffs.saturating_sub(listed),
        groups,
        queue_wait_ms: survey.queue_wait_ms,
        end_to_end_ms: survey.end_to_end_ms,
        retries: survey.retries,
        failures: survey.failures,
        questions: cost.questions,
        read_rows: cost.rows,
        read_bytes: cost.bytes,
        ..database
    }
}

/// A report with what the store counted. Where it is a sample, the figures that people monitor
/// are the store's, and hand-offs that are not whole and were not looked at are unproven.
pub(super) fn with_counts(mut report: Report, mut database: DatabaseReport) -> Report {
    if database.handoffs == 0 {
        // Nobody counted: so many were judged.
        database.looked_at = report.inputs.handoffs;
    }
    if database.is_sample && database.handoffs > 0 {
        report.metrics.queue_wait_ms = database.queue_wait_ms;
        report.metrics.end_to_end_ms = database.end_to_end_ms;
        report.metrics.retries = database.retries;
        report.metrics.failures = database.failures.clone();
    }
    let unseen = |group: &HandoffGroup| if group.is_whole() { 0 } else { group.count - group.looked_at };
    let count = database.groups.iter().map(unseen).sum::<u64>() + database.not_listed;
    if count > 0 {
        let mut unproven = std::mem::take(&mut report.verdict.unproven);
        unproven.push(Unproven { count, ..NOT_LOOKED_AT });
        report.verdict = Verdict::of(&report.findings, &report.inputs, unproven);
    }
    report.database = Some(database);
    report
}
