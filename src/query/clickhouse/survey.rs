//! What the store counts itself: hand-offs by what became of them, and the figures that
//! people monitor. Rows of spans do not come over the wire for it, only groups, each with the
//! ids of a few hand-offs to look at.
//!
//! A hand-off is joined as `evidence/handoff/` does it: both sides have the message's id. A
//! run without an id counts by itself. A retry has the id of its first attempt, so it is one
//! hand-off here with all of its runs, and the worst of them decides.

use std::collections::BTreeMap;

use super::error::QueryError;
use super::schema::Store;
use super::spans::{Filter, number};
use super::sql::{Question, text};
use super::window::Window;
use crate::model::{Distribution, RetryShare, TraceId};

/// Hand-offs of one task between two services that came out alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub task: String,
    /// The service that published; empty if it was not seen.
    pub producer: String,
    /// The service that ran it; empty if it was not seen.
    pub consumer: String,
    /// `whole`, `linked`, `new-root`, `other-trace`, `missing-parent`, `no-producer` or
    /// `no-consumer`.
    pub outcome: &'static str,
    pub count: u64,
    /// The latest of them.
    pub sample: Vec<Sampled>,
}

/// What becomes of a hand-off, by the names that a report has.
pub const OUTCOMES: [&str; 7] =
    ["whole", "linked", "new-root", "other-trace", "missing-parent", "no-producer", "no-consumer"];

impl Group {
    /// Whether its hand-offs are connected on both sides.
    pub fn is_whole(&self) -> bool {
        matches!(self.outcome, "whole" | "linked")
    }
}

/// One hand-off to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sampled {
    /// The task's id; `None` for a run that names none.
    pub id: Option<String>,
    /// The traces of both sides.
    pub traces: Vec<TraceId>,
}

/// What the store counted.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Survey {
    /// The largest first.
    pub groups: Vec<Group>,
    /// How many hand-offs there are, in groups that are listed or not.
    pub handoffs: u64,
    pub queue_wait_ms: Option<Distribution>,
    pub retries: RetryShare,
    pub end_to_end_ms: Option<Distribution>,
    /// Failed runs by exception.
    pub failures: BTreeMap<String, u64>,
}

/// The groups that are listed. An application has a few tasks and services.
const GROUPS: usize = 500;
/// The kinds of exceptions that are told apart.
const FAILURES: usize = 50;
/// Services, each with the kinds of its spans.
const SERVICES: usize = 1_000;

/// A row of the groups: task, producer, consumer, outcome; count, sample; how many waited,
/// p50, p95 and max in ms; tasks that ran, those that ran again, runs.
type GroupRow = (
    String,
    String,
    String,
    String,
    serde_json::Value,
    Vec<(serde_json::Value, String, Vec<String>)>,
    serde_json::Value,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    serde_json::Value,
    serde_json::Value,
    serde_json::Value,
);

impl Store<'_> {
    /// Counts the hand-offs with a side within the time, and names `most` of each group.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn survey(&self, window: &Window, filter: &Filter, most: usize) -> Result<Survey, QueryError> {
        let mut survey = self.handoffs(window, filter, most)?;
        self.client.rows(
            &Question::new("how long requests took with their tasks", self.end_to_end(window, filter)),
            |(count, p50, p95, max): (serde_json::Value, Option<f64>, Option<f64>, Option<f64>)| {
                survey.end_to_end_ms = distribution(number(&count), p50, p95, max);
            },
        )?;
        self.client.rows(
            &Question::new("which exceptions runs ended with", self.failures(window, filter)),
            |(kind, count): (String, serde_json::Value)| {
                survey.failures.insert(kind, number(&count));
            },
        )?;
        Ok(survey)
    }

    /// The same, without how long requests took and how runs failed: one question.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn handoffs(&self, window: &Window, filter: &Filter, most: usize) -> Result<Survey, QueryError> {
        let mut survey = Survey::default();
        let sql = self.groups(window, filter, most);
        self.client.rows(&Question::new("what became of hand-offs", sql), |row: GroupRow| {
            let (
                task,
                producer,
                consumer,
                outcome,
                count,
                sample,
                waits,
                p50,
                p95,
                max,
                tasks,
                retried,
                runs,
            ) = row;
            let count = number(&count);
            if let Some(outcome) = OUTCOMES.into_iter().find(|known| *known == outcome) {
                let sample = sample.into_iter().map(|(_, key, traces)| sampled(&key, &traces)).collect();
                survey.groups.push(Group { task, producer, consumer, outcome, count, sample });
            } else if outcome.is_empty() {
                survey.handoffs = count;
                survey.queue_wait_ms = distribution(number(&waits), p50, p95, max);
                survey.retries =
                    RetryShare { tasks: number(&tasks), retried: number(&retried), attempts: number(&runs) };
            }
        })?;
        Ok(survey)
    }

    /// A trace for each kind of span that each service has within the time, so that none
    /// of them is missing in a sample.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn trace_of_each_service(&self, window: &Window) -> Result<Vec<TraceId>, QueryError> {
        let table = &self.table;
        let (kind, root) = (table.kind_name(), format!("{} = ''", table.parent_id()));
        let sql = format!(
            "SELECT toString(argMax({trace}, {start}))\nFROM {path}\nWHERE {within}\n\
             GROUP BY {service}, {kind}, {root}\nORDER BY count() DESC\nLIMIT {SERVICES}",
            trace = table.trace_id(),
            start = table.start(),
            path = table.path(),
            within = table.within(window),
            service = table.service(),
        );
        let mut traces = Vec::new();
        self.trace_ids(Question::new("which services do what", sql), &mut |trace| traces.push(trace))?;
        Ok(traces)
    }

    /// The condition that a span is a run.
    fn is_run(&self) -> String {
        format!("{} IN ('Consumer', 'SPAN_KIND_CONSUMER')", self.table.kind_name())
    }

    /// The condition that a span may be Celery's: another system's name speaks against it.
    fn may_be_celery(&self) -> String {
        let table = &self.table;
        format!(
            "({} != '' OR {} IN ('', 'celery', 'redis'))",
            table.attribute("celery.action"),
            table.attribute("messaging.system")
        )
    }

    /// One question for the groups, for what waited, and for retries: a hand-off is a row of
    /// the middle part, and a side of it a row of the innermost.
    fn groups(&self, window: &Window, filter: &Filter, most: usize) -> String {
        let table = &self.table;
        let padded = table.within(&window.padded());
        let [from, to] = [window.from, window.to].map(|at| i64::try_from(at.as_nanos()).unwrap_or(i64::MAX));
        let (path, trace, span, parent) =
            (table.path(), table.trace_id(), table.span_id(), table.parent_id());
        let (run, is_in, start) = (self.is_run(), table.is_in(), table.start());
        let mut wanted = vec![format!("max(at) >= {from} AND min(at) < {to}")];
        if let Some(service) = &filter.service {
            let service = text(service);
            wanted.push(format!("(producer = {service} OR consumer = {service})"));
        }
        if let Some(task) = &filter.task {
            let task = text(task);
            wanted.push(format!("(task = {task} OR task = concat('run/', {task}))"));
        }
        format!(
            "SELECT\n  task, producer, consumer, outcome, count(), groupArraySorted({most})((-last, key, traces)),\n  \
             countIf(waited), quantileTDigestIf(0.5)(wait, waited), quantileTDigestIf(0.95)(wait, waited), \
             if(countIf(waited) = 0, NULL, maxIf(wait, waited)),\n  \
             countIf(runs > 0), countIf(runs > 1), sum(runs)\n\
             FROM (\n  SELECT\n    key,\n    argMinIf(named, at, named != '') AS task,\n    \
             argMinIf(service, at, NOT is_run) AS producer,\n    argMinIf(service, at, is_run) AS consumer,\n    \
             countIf(NOT is_run) AS sent,\n    countIf(is_run) AS runs,\n    max(has_id) AS with_id,\n    \
             groupUniqArrayIf(8)(trace, NOT is_run) AS senders,\n    \
             groupArrayIf(16)((parent, trace, links, is_attached), is_run) AS run_list,\n    \
             groupUniqArray(8)(trace) AS traces,\n    max(at) AS last,\n    sent > 0 AND runs > 0 AS waited,\n    \
             greatest((minIf(at, is_run) - minIf(ended, NOT is_run)) / 1e6, 0) AS wait,\n    \
             multiIf(\n      runs = 0, 'no-consumer',\n      \
             arrayExists(run -> run.1 != '' AND NOT run.4, run_list), 'missing-parent',\n      \
             sent = 0 AND arrayExists(run -> run.1 = '' AND empty(run.3), run_list), \
             if(with_id, 'no-producer', 'new-root'),\n      \
             sent > 0 AND arrayExists(run -> run.1 = '' AND NOT hasAny(run.3, senders), run_list), 'new-root',\n      \
             sent > 0 AND arrayExists(run -> run.1 != '' AND NOT has(senders, run.2) AND NOT hasAny(run.3, senders), \
             run_list), 'other-trace',\n      \
             arrayExists(run -> run.1 = '', run_list), 'linked',\n      'whole') AS outcome\n  \
             FROM (\n    SELECT\n      {id} AS id, id != '' AS has_id, if(has_id, id, concat('span ', {span})) AS key,\n      \
             toString({trace}) AS trace, {parent} AS parent, {run} AS is_run, toString({service}) AS service,\n      \
             {links} AS links, {start} AS at, at + {duration} AS ended,\n      \
             multiIf({task} != '', {task}, is_run AND NOT has_id, toString({name}), '') AS named,\n      \
             parent = '' OR parent {is_in} (\n        SELECT {span} FROM {path} WHERE {padded} AND {span} {is_in} (\n          \
             SELECT {parent} FROM {path} WHERE {padded} AND {run} AND {parent} != ''\n        )\n      ) AS is_attached\n    \
             FROM {path}\n    WHERE {padded} AND {sides} AND {celery} AND (has_id OR is_run)\n  )\n  \
             GROUP BY key\n  HAVING {wanted}\n)\n\
             GROUP BY GROUPING SETS ((task, producer, consumer, outcome), ())\n\
             ORDER BY outcome = '' DESC, count() DESC, task, producer, consumer, outcome\nLIMIT {limit}",
            id = table.message_id(),
            service = table.service(),
            links = table.links(false),
            duration = table.duration(),
            task = table.attribute("celery.task_name"),
            name = table.span_name(),
            sides = self.is_side(),
            celery = self.may_be_celery(),
            wanted = wanted.join(" AND "),
            limit = GROUPS + 1,
        )
    }

    /// From the start of a request to the end of the last span of its trace, for traces with
    /// a run.
    fn end_to_end(&self, window: &Window, filter: &Filter) -> String {
        let table = &self.table;
        let (path, trace, run) = (table.path(), table.trace_id(), self.is_run());
        let mut runs = vec![table.within(window), run, self.may_be_celery()];
        runs.extend(
            filter.service.as_ref().map(|service| format!("{} = {}", table.service(), text(service))),
        );
        runs.extend(filter.task.as_ref().map(|task| self.is_of_task(task)));
        format!(
            "SELECT count(), quantileTDigest(0.5)(took), quantileTDigest(0.95)(took), if(count() = 0, NULL, max(took))\n\
             FROM (\n  SELECT\n    minIf({start}, {kind} IN ('Server', 'SPAN_KIND_SERVER')) AS served,\n    \
             (max({start} + {duration}) - served) / 1e6 AS took\n  FROM {path}\n  \
             WHERE {padded} AND {trace} {is_in} (SELECT {trace} FROM {path} WHERE {runs})\n  \
             GROUP BY {trace}\n  HAVING served > 0\n)",
            start = table.start(),
            duration = table.duration(),
            kind = table.kind_name(),
            padded = table.within(&window.padded()),
            is_in = table.is_in(),
            runs = runs.join(" AND "),
        )
    }

    /// Runs that ended with an error and are not tried again, by the first exception.
    fn failures(&self, window: &Window, filter: &Filter) -> String {
        let table = &self.table;
        let mut of = vec![table.within(window), self.is_run(), self.may_be_celery()];
        of.push(format!("{} IN ('Error', 'STATUS_CODE_ERROR')", table.status()));
        of.extend(filter.service.as_ref().map(|service| format!("{} = {}", table.service(), text(service))));
        of.extend(filter.task.as_ref().map(|task| self.is_of_task(task)));
        // Celery steers by these, and they are no failures.
        format!(
            "SELECT arrayElement(splitByChar('.', left(kinds[1], 256)), -1) AS kind, count()\n\
             FROM (SELECT {kinds} AS kinds FROM {path} WHERE {of})\n\
             WHERE notEmpty(kinds) AND NOT arrayExists(kind -> match(kind, '(^|[.])(Retry|Ignore|Reject)$'), kinds)\n\
             GROUP BY kind\nORDER BY count() DESC, kind\nLIMIT {FAILURES}",
            kinds = table.exceptions("exception.type"),
            path = table.path(),
            of = of.join(" AND "),
        )
    }
}

fn sampled(key: &str, traces: &[String]) -> Sampled {
    let ids = traces.iter().filter_map(|id| TraceId::parse_hex(id.as_bytes()).filter(|id| !id.is_zero()));
    let id = (!key.starts_with("span ")).then(|| key.to_owned());
    Sampled { id, traces: ids.collect() }
}

fn distribution(count: u64, p50: Option<f64>, p95: Option<f64>, max: Option<f64>) -> Option<Distribution> {
    let (p50, p95, max) = (p50?, p95?, max?);
    (count > 0).then_some(Distribution { count, p50, p95, max })
}
