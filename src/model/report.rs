//! The one golden report, which every format renders.
//!
//! The field names and their meaning are the schema `tracelink/1`
//! (`docs/tracelink-1.schema.json`). Adding a field is allowed, changing one is
//! a new schema.
//!
//! Over 400 lines, since it is one document in one place: reading it beside the schema
//! shows whether they agree.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    CarriedContext, Confidence, DatabaseReport, Distribution, Finding, RetryShare, Severity, SpanId, Station,
    Stations, Text, Timestamp, TraceId,
};

/// The schema that a report follows.
pub const SCHEMA: &str = "tracelink/1";

/// Everything that a run reports.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// Whether the session goes on: then it is the report as of now, in which what has
    /// not settled is not judged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    pub inputs: Inputs,
    pub verdict: Verdict,
    /// In the order of [`Finding::rank`].
    pub findings: Vec<Finding>,
    /// What the queue or the spans alone would show, and all evidence together does not.
    pub retracted: Vec<Retracted>,
    pub queues: Vec<QueueReport>,
    /// One line for each task: how many messages, and what context they carry.
    pub tasks: Vec<ShareReport>,
    pub messages: Vec<MessageReport>,
    pub handoffs: Vec<HandoffReport>,
    pub traces: Vec<TraceReport>,
    pub metrics: Metrics,
    pub limits: LimitCounts,
    /// Findings that a rule of the configuration or the command line set aside. Nothing
    /// above counts them, but the ids in [`MessageReport`], [`ShareReport`] and
    /// [`HandoffReport`] still name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// Rules whose date has passed. Their findings count again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Expired>,
    /// What changed since the report of `--baseline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Comparison>,
    /// For a store that was asked: what it counted itself, and how much of that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseReport>,
    /// What was wrong with the environment (exit code 4), with the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A finding that is set aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ignored {
    /// The id that the finding would have.
    pub id: String,
    pub code: &'static str,
    pub slug: &'static str,
    pub variant: Option<String>,
    pub severity: Severity,
    /// How many hand-offs, messages, traces or spans it was seen in.
    pub count: u64,
    pub by: IgnoredBy,
    /// Why, in the words of the rule.
    pub reason: String,
    /// Where the rule stands: a file with its line.
    pub at: Option<String>,
    /// The last day on which it holds, such as `2027-01-31`.
    pub until: Option<String>,
}

/// Why a finding is set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IgnoredBy {
    /// It is not among those of `--select`.
    Select,
    /// It is among those of `--ignore`.
    Ignore,
    /// An `ignore` entry of the configuration.
    Config,
}

/// An `ignore` entry of the configuration whose date has passed, and which would have set a
/// finding aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Expired {
    /// The finding's.
    pub id: String,
    pub code: &'static str,
    pub slug: &'static str,
    pub reason: String,
    /// Where the entry stands: a file with its line.
    pub at: String,
    /// The last day on which it held.
    pub until: String,
}

/// What changed since an earlier report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Comparison {
    /// The file of that report.
    pub file: String,
    /// How many findings are not in it. These decide the exit code.
    pub new: u64,
    /// How many are in it.
    pub known: u64,
    /// What was found then and is not found now, at most a hundred.
    pub gone: Vec<Gone>,
    /// How many more are gone.
    pub gone_not_listed: u64,
}

/// A finding of an earlier report that is not found any more.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Gone {
    pub slug: String,
    pub code: String,
    pub variant: Option<String>,
    /// Where it was found then: tasks, queues and services.
    pub tasks: BTreeSet<String>,
    pub queues: BTreeSet<String>,
    pub services: BTreeSet<String>,
}

/// What a part of the evidence would show, at warning or above, about hand-offs that are
/// fine with all of the evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Retracted {
    pub slug: &'static str,
    /// What speaks against it.
    pub evidence: &'static str,
    /// How many hand-offs it concerns.
    pub count: u64,
    /// Task ids, a few.
    pub handoffs: BTreeSet<String>,
}

/// How much was looked at: complete counts, whatever the lists leave out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Inputs {
    pub messages: u64,
    pub spans: u64,
    pub traces: u64,
    pub results: u64,
    pub handoffs: u64,
    /// Hand-offs that were seen whole on both sides, or for which the reason why they have
    /// no run was seen.
    pub handoffs_whole: u64,
    /// Snapshots of brokers; 1 for a live broker.
    pub snapshots: u64,
    /// Metric data points and log records, accepted and not looked at.
    pub metrics: u64,
    pub logs: u64,
    /// Entries of a queue that are no Celery message.
    pub foreign_entries: u64,
    /// Requests to the receiver's ports, however they ended.
    pub requests: u64,
    pub span_account: SpanAccount,
}

/// What became of every span that came: `received` is the sum of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SpanAccount {
    pub received: u64,
    /// Here at the end.
    pub held: u64,
    /// Let go because memory was short.
    pub evicted: u64,
    /// Refused because of an invalid id.
    pub rejected: u64,
    /// With an id that was here before: sent again, or with different content. One of the
    /// two is kept.
    pub duplicates: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Every hand-off was seen, and each is whole.
    Healthy,
    /// Nothing that was seen is wrong, but not every hand-off was seen whole.
    Unproven,
    /// A warning only.
    Damaged,
    /// An error.
    Broken,
    #[default]
    NoEvidence,
}

impl Status {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unproven => "unproven",
            Self::Damaged => "damaged",
            Self::Broken => "broken",
            Self::NoEvidence => "no-evidence",
        }
    }
}

/// The verdict on the whole: the first finding at warning or above, in short, and what
/// could not be proven.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Verdict {
    pub status: Status,
    pub slug: Option<&'static str>,
    pub code: Option<&'static str>,
    pub station: Option<Station>,
    pub confidence: Option<Confidence>,
    /// Why it cannot be called healthy although nothing is wrong. Kept even if there is a
    /// finding.
    pub unproven: Vec<Unproven>,
}

/// One reason why not everything is known to be right although nothing wrong was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Unproven {
    /// The reason's stable name, such as `run-not-seen`.
    pub reason: &'static str,
    /// The reason in words, as they follow the count.
    pub what: &'static str,
    /// For how many hand-offs it is true; 0 if it is that none was seen.
    pub count: u64,
    /// The evidence that would settle it.
    pub needs: &'static str,
    /// The command that shows it, if one of tracelink's options can.
    pub command: Option<Text>,
}

impl Verdict {
    /// The verdict on `findings`, which are in the order of [`Finding::rank`]. `unproven`
    /// is what could not be proven.
    pub fn of(findings: &[Finding], inputs: &Inputs, unproven: Vec<Unproven>) -> Self {
        let nothing = inputs.messages == 0 && inputs.spans == 0 && inputs.results == 0;
        let Some(first) = findings.first().filter(|first| first.severity <= Severity::Warning) else {
            let status = match () {
                () if nothing => Status::NoEvidence,
                () if unproven.is_empty() => Status::Healthy,
                () => Status::Unproven,
            };
            return Self { status, unproven, ..Self::default() };
        };
        Self {
            status: match first.severity {
                // That nothing came is a finding, but no evidence for anything else.
                _ if nothing && inputs.requests == 0 => Status::NoEvidence,
                Severity::Error => Status::Broken,
                _ => Status::Damaged,
            },
            slug: Some(first.slug),
            code: Some(first.code),
            station: first.station,
            confidence: Some(first.confidence),
            unproven,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct QueueReport {
    pub name: String,
    /// Messages in the list, over all its priorities.
    pub ready: u64,
    /// Messages of this queue that workers hold.
    pub unacked: u64,
    /// How many of both were read.
    pub read: u64,
    /// The list of each existing priority step, in the order in which it is consumed, with
    /// its length.
    pub priorities: Vec<(u32, u64)>,
    /// Entries that are no Celery message.
    pub foreign: u64,
    /// Whether a worker is bound to the broker; `None` if that cannot be seen.
    pub workers: Option<u64>,
}

/// What was found in the messages of one task.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShareReport {
    pub task: String,
    pub messages: u64,
    /// Messages by the format of their context; `none` for those without.
    pub contexts: BTreeMap<&'static str, u64>,
    /// Messages by origin, the ten busiest.
    pub origins: BTreeMap<String, u64>,
    /// Messages by the id of their finding.
    pub findings: BTreeMap<String, u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MessageReport {
    pub queue: String,
    pub state: &'static str,
    pub task: String,
    pub id: String,
    pub attempt: u32,
    pub origin: Option<String>,
    /// The priority step of its list; lower ones are consumed first.
    pub priority: u32,
    /// The index in its list, 0 being the newest.
    pub index: Option<u64>,
    pub eta: Option<Timestamp>,
    pub contexts: Vec<ContextReport>,
    /// With `--show-args` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
    pub findings: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ContextReport {
    pub at: String,
    pub format: &'static str,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    /// `None` if the writer left it to the reader, or the value is invalid.
    pub sampled: Option<bool>,
    pub valid: bool,
}

impl From<&CarriedContext> for ContextReport {
    fn from(carried: &CarriedContext) -> Self {
        use super::Sampling::{Deferred, NotSampled, Sampled};
        let context = carried.context();
        Self {
            at: carried.at.to_string(),
            format: carried.format.label(),
            trace_id: context.map(|context| context.trace_id),
            span_id: context.map(|context| context.span_id),
            sampled: context.and_then(|context| match context.sampling {
                Sampled => Some(true),
                NotSampled => Some(false),
                Deferred => None,
            }),
            valid: context.is_some(),
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HandoffReport {
    /// Empty if only a hand-made consumer was seen.
    pub task_id: String,
    pub attempt: u32,
    pub task: String,
    pub stations: Stations,
    /// From the end of the PRODUCER span to the start of the consumer's.
    pub queue_wait_ms: Option<f64>,
    /// The id of the finding that explains it.
    pub finding: Option<String>,
    /// The reason in `verdict.unproven` why it is not called whole.
    pub unproven: Option<&'static str>,
    /// What joined the two sides: `task-id`, `traceparent`, `link`, `attributes`, `timing`.
    pub joined_by: Option<&'static str>,
    /// The span on the producing side: the PRODUCER span, or else the one that the
    /// message's context names.
    pub producer: Option<(TraceId, SpanId)>,
    /// The consumer spans, ten at most.
    pub consumers: Vec<(TraceId, SpanId)>,
    /// How many times the broker was seen to hand its message out: 1, plus one each time
    /// that a worker gave it back; 0 if it was not seen.
    pub deliveries: u32,
    /// What the result backend says: `SUCCESS`, `FAILURE ValueError`.
    pub result: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TraceReport {
    pub trace_id: TraceId,
    pub healthy: bool,
    /// Whether every span of the trace is listed.
    pub complete: bool,
    /// How many spans it has, listed or not.
    pub span_count: u64,
    /// In start order, parents before their children where times agree.
    pub spans: Vec<SpanReport>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SpanReport {
    pub span_id: SpanId,
    pub parent_id: Option<SpanId>,
    pub service: String,
    pub name: String,
    pub kind: &'static str,
    pub start: Timestamp,
    pub duration_ms: f64,
    pub status: &'static str,
    /// The task id that it belongs to.
    pub task_id: Option<String>,
    /// Set for a root, or a span whose parent is missing, that should not be one: the id of
    /// the finding.
    pub orphan: Option<String>,
    /// The first exception, as `Type: message`.
    pub exception: Option<String>,
    /// The attempt, if the span states it.
    pub retries: Option<u32>,
    /// Trace and span ids of its links.
    pub links: Vec<(TraceId, SpanId)>,
}

/// The figures that people monitor.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Metrics {
    /// From the start of the request to the end of the last span of its trace.
    pub end_to_end_ms: Option<Distribution>,
    pub queue_wait_ms: Option<Distribution>,
    /// Ready messages, at the last look.
    pub queue_depth: BTreeMap<String, u64>,
    pub retries: RetryShare,
    /// Hand-offs with an error.
    pub broken_handoffs: u64,
    /// Runs that wrongly began a trace of their own.
    pub orphaned_roots: u64,
    pub failures: BTreeMap<String, u64>,
}

/// What was let go or left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LimitCounts {
    pub evicted_traces: u64,
    pub rejected_spans: u64,
    pub messages_not_listed: u64,
    pub handoffs_not_listed: u64,
    pub traces_not_listed: u64,
    /// Hand-offs whose message was never seen although a broker was watched: a worker took
    /// it before a look.
    pub messages_not_seen: u64,
    /// Messages in the broker that were not read.
    pub messages_not_read: u64,
    /// Messages that were read twice because the list moved.
    pub messages_seen_twice: u64,
    /// Spans that were let go because memory was short, with their traces or because one
    /// trace alone had too many.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub evicted_spans: u64,
    /// Marks of what was let go that were forgotten. Since then nothing is said of
    /// hand-offs that lack their other half, and they are not counted.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub forgotten_marks: u64,
    /// Looks at brokers that were let go because memory was short.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub evicted_looks: u64,
    /// Names of queues and other keys of brokers, and of processes, that found no room in
    /// memory.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub names_not_kept: u64,
    /// Findings that found no room while evidence came in. The report is made from scratch.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub findings_not_kept: u64,
    /// Requests and looks that were not written to the bundle of `--save`.
    #[serde(skip_serializing_if = "is_none_left_out")]
    pub not_saved: u64,
}

/// Counts of zero are left out, so that a report without them stays as it always was.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none_left_out(count: &u64) -> bool {
    *count == 0
}
