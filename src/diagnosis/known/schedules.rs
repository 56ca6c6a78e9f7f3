//! Which tasks a scheduler seems to publish, judging by when they run.
//!
//! Before Celery 5.7 a message from beat looks like any other, and beat is seldom
//! instrumented. Its tasks begin traces of their own, and should.

use std::time::Duration;

use super::even_intervals::look_scheduled;
use super::origins::is_publisher;
use super::requests::requests_without_publish;
use crate::evidence::{Continuity, Evidence, Handoff, Process};
use crate::model::{Map, Set, SpanKind, Timestamp};

/// A run that follows a request this closely is most likely its work.
const AFTER_A_REQUEST: Duration = Duration::from_secs(1);

/// Tasks that seem to be a scheduler's. If others publish the task too, with the process of
/// the scheduler, if that is known.
#[derive(Default, Debug)]
pub struct Schedules<'e> {
    known: Set<(&'e str, Option<&'e str>)>,
}

impl<'e> Schedules<'e> {
    /// Two kinds: a task whose every run began a trace of its own, at even intervals; and,
    /// for a task that others hand over with a context, a process that sends none and whose
    /// runs are even. Something must be handed over with its context, and not by a task:
    /// otherwise this may be an application without instrumentation under an even load.
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let runs = Runs::of(evidence);
        let mut schedules = Self::default();
        if runs.handed_over.is_empty() {
            return schedules;
        }
        let mut candidates = Vec::new();
        for (task, by_origin) in runs.roots {
            let is_own = !runs.handed_over.contains(task);
            let all: Vec<_> = by_origin.values().flatten().copied().collect();
            if is_own && look_scheduled(&all, false) {
                let origins: Vec<_> = by_origin.keys().flatten().copied().collect();
                candidates.push(((task, None), origins, all));
            }
            for (origin, starts) in by_origin {
                let Some(origin) = origin.filter(|origin| !runs.senders.contains(origin)) else { continue };
                if look_scheduled(&starts, !is_own) {
                    candidates.push(((task, Some(origin)), vec![origin], starts));
                }
            }
        }
        if candidates.is_empty() {
            return schedules;
        }
        let routes: Vec<_> = requests_without_publish(evidence).into_values().collect();
        candidates.retain(|(_, origins, starts)| {
            !origins.iter().any(|origin| serves(origin, evidence))
                && !routes.iter().any(|requests| follow_requests(starts, requests))
        });
        schedules.known.extend(candidates.into_iter().map(|(candidate, ..)| candidate));
        schedules
    }

    /// Whether the runs of its task (all of them, or those that the same process published)
    /// look like a scheduler's, which has no context to hand over.
    pub fn includes(&self, handoff: &Handoff<'_>) -> bool {
        let is_known = |origin| self.known.contains(&(handoff.task, origin));
        is_known(None) || origin_of(handoff).is_some_and(|origin| is_known(Some(origin)))
    }
}

/// The starts of runs that began a trace of their own, and who sends context.
#[derive(Default)]
struct Runs<'e> {
    /// By task and by the process that published it.
    roots: Map<&'e str, Map<Option<&'e str>, Vec<Timestamp>>>,
    /// Tasks that were handed over with their context.
    handed_over: Set<&'e str>,
    /// The processes that handed them over.
    senders: Set<&'e str>,
}

impl<'e> Runs<'e> {
    fn of(evidence: &'e Evidence) -> Self {
        let mut runs = Self::default();
        for task in evidence.tasks.iter() {
            for handoff in task.handoffs(evidence) {
                let Some(run) = handoff.consumer() else { continue };
                let is_root = handoff.continuity() == Some(Continuity::Orphaned);
                let origin = origin_of(&handoff);
                if is_root && handoff.producer.is_none() && handoff.attempt == 0 {
                    let by_origin = runs.roots.entry(handoff.task).or_default();
                    by_origin.entry(origin).or_default().push(run.span.start);
                } else if !is_root && !is_by_a_task(&handoff) {
                    runs.handed_over.insert(handoff.task);
                    runs.senders.extend(origin);
                }
            }
        }
        runs
    }
}

/// The process that published it: `gen<pid>@<host>`.
fn origin_of<'e>(handoff: &Handoff<'e>) -> Option<&'e str> {
    let of_message = handoff.message().and_then(|message| message.origin.as_deref());
    let of_run = || {
        let run = handoff.consumer().filter(|run| run.span.is_instrumented_run())?;
        run.span.attributes().celery_hostname.as_deref()
    };
    of_message.or_else(of_run).filter(|node| is_publisher(node))
}

/// Whether another task published this one, as far as can be told. Then it should have that
/// task's context, whoever started the chain.
fn is_by_a_task(handoff: &Handoff<'_>) -> bool {
    let by_span = handoff.producer.map(|producer| {
        producer.trace.ancestors(producer.span).any(|above| above.kind == SpanKind::Consumer)
    });
    let by_message = || handoff.message().map(|message| message.parent_id.is_some());
    by_span.or_else(by_message).unwrap_or(true)
}

/// Whether the publishing process serves requests. Then it is no scheduler.
fn serves(origin: &str, evidence: &Evidence) -> bool {
    let is_it = |process: &Process| process.pid.is_some() && process.is_origin(origin);
    evidence.processes.iter().any(|(process, activity)| activity.servers > 0 && is_it(process))
}

/// Whether most of the runs follow one request each of a single route that visibly
/// published nothing, with about as many requests as runs: an API that is polled is no
/// scheduler.
fn follow_requests(starts: &[Timestamp], requests: &[(Timestamp, Timestamp)]) -> bool {
    let is_about_as_many = requests.len() * 2 >= starts.len() && requests.len() <= starts.len() * 2;
    if !is_about_as_many {
        return false;
    }
    let follows = |start: &&Timestamp| {
        let before = requests.partition_point(|(request, _)| request <= *start);
        before.checked_sub(1).is_some_and(|last| start.since(requests[last].0) <= AFTER_A_REQUEST)
    };
    starts.iter().filter(follows).count() * 4 >= starts.len() * 3
}
