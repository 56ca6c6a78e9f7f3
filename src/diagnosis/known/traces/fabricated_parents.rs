//! Parents that nobody handed over: a worker made up their ids.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{MissingParent, ParentProcess};
use crate::evidence::{Evidence, SpanKey, SpanRef, StoredSpan, Task, Trace};
use crate::model::{CarriedContext, Message, SpanId, SpanKind};

/// How far the clocks of two machines may differ. A run begins after its task was
/// published, but its clock may be behind.
const SKEW: Duration = Duration::from_secs(5);

/// How many of a trace's parents, and of the messages handed over in it, are compared, each
/// with each.
const PARENTS: usize = 64;
const SENDERS: usize = 64;

/// A parent that is in no message and did not arrive, in a trace where a message's sender
/// did.
#[derive(Debug)]
pub struct FabricatedParent<'t> {
    /// The first span below it.
    pub child: &'t StoredSpan,
    /// The span that the message names.
    pub sender: &'t StoredSpan,
    pub task_id: &'t str,
    task: &'t str,
    /// The message; `None` if it was taken before a look saw it, and the run's own parent
    /// shows what it named.
    message: Option<&'t Message>,
}

impl<'t> FabricatedParent<'t> {
    /// The message, and the context in it.
    pub fn carried(&self) -> Option<(&'t Message, &'t CarriedContext)> {
        let names_it = |found: &&CarriedContext| {
            found.context().is_some_and(|context| context.span_id == self.sender.id)
        };
        let message = self.message?;
        Some((message, message.contexts.iter().find(names_it)?))
    }

    pub fn task(&self) -> Option<&'t str> {
        Some(self.task).filter(|task| !task.is_empty())
    }
}

/// The first span below each such parent. `is_a_callers` says whether a request came in
/// below a span: then whoever follows that span follows the caller.
pub(super) fn fabricated_parents<'t>(
    trace: &'t Trace,
    missing: &[MissingParent<'t>],
    evidence: &'t Evidence,
    is_a_callers: impl Fn(SpanKey) -> bool,
) -> Vec<FabricatedParent<'t>> {
    let tasks = &evidence.tasks;
    let key = |span_id: SpanId| SpanKey { trace_id: trace.id, span_id };
    let is_nobodys = |missing: &&MissingParent<'_>| {
        missing.process == ParentProcess::Other
            && missing.child.kind != SpanKind::Server
            && !missing.child.attributes().is_foreign
            && tasks.carrying(key(missing.id)).is_empty()
            && !is_a_callers(key(missing.id))
    };
    let mut children: Vec<_> = missing.iter().filter(is_nobodys).map(|missing| missing.child).collect();
    if children.is_empty() {
        return Vec::new();
    }
    children.sort_by_key(|span| (span.start, span.id));
    let mut senders: Vec<_> = trace
        .spans
        .iter()
        .flat_map(|sender| tasks.carrying(key(sender.id)).iter().map(move |id| (sender, id)))
        .filter_map(|(sender, id)| Some((sender, tasks.get(id)?)))
        .collect();
    let producers = trace.spans.iter().filter(|span| span.kind == SpanKind::Producer);
    let of_unseen = producers.filter_map(|sender| Some((sender, tasks.get(sender.task_id()?)?)));
    senders.extend(of_unseen.filter(|(_, task)| task.messages.is_empty()));
    senders.sort_by_key(|(sender, task)| (sender.start, sender.id, &task.id));
    senders.truncate(SENDERS);
    let mut seen = BTreeSet::new();
    let mut made_up = Vec::new();
    for child in children {
        if seen.len() >= PARENTS || child.parent.is_some_and(|parent| !seen.insert(parent)) {
            continue;
        }
        made_up.extend(senders.iter().find_map(|(sender, task)| {
            let message = match message_of(child, sender, task, evidence) {
                Some(message) => Some(message),
                None => {
                    is_beside_what_its_run_follows(child, sender, task, trace, evidence).then_some(None)?
                }
            };
            Some(FabricatedParent { child, sender, task_id: &task.id, task: task.name(evidence), message })
        }));
    }
    made_up
}

/// The message that the span should have followed: that of its own task, that of the run
/// around it, or one without a run that was taken before the span began.
fn message_of<'t>(
    child: &StoredSpan,
    sender: &StoredSpan,
    task: &'t Task,
    evidence: &'t Evidence,
) -> Option<&'t Message> {
    let named = child.task_id().and_then(|id| evidence.tasks.get(id));
    if named.is_some_and(|named| named.id != task.id) || sender.start.since(child.start) > SKEW {
        return None;
    }
    let mut handoffs = task.handoffs(evidence).into_iter();
    let names_sender = |message: &&Message| {
        let mut contexts = message.contexts.iter().filter_map(CarriedContext::context);
        contexts.any(|context| context.span_id == sender.id)
    };
    handoffs.find_map(|handoff| {
        let is_the_run = handoff.consumers.iter().any(|run| std::ptr::eq(run.span, child));
        // The last look at the queue says nothing about the time after it.
        let was_taken = || {
            handoff.was_consumed()
                || handoff.delivery.is_some_and(|delivery| delivery.last().at < child.start)
        };
        let has_no_run = named.is_none() && handoff.consumers.is_empty() && was_taken();
        let is_of_the_run = named.is_none() && handoff.consumers.iter().any(|run| is_inside(child, run));
        handoff.message().filter(names_sender).filter(|_| is_the_run || has_no_run || is_of_the_run)
    })
}

/// Whether a span lies within a run: in its process and in its time.
fn is_inside(child: &StoredSpan, run: &SpanRef<'_>) -> bool {
    run.span.process == child.process && run.span.start <= child.start && child.end <= run.span.end
}

/// Whether a span lies in a run that follows the sender and whose message was not seen.
/// Then it is known what the message named, and so is everything above that; a span that
/// did not arrive is not one of the sender's callers.
fn is_beside_what_its_run_follows(
    child: &StoredSpan,
    sender: &StoredSpan,
    task: &Task,
    trace: &Trace,
    evidence: &Evidence,
) -> bool {
    let follows = |run: &SpanRef<'_>| run.span.parent == Some(sender.id) && is_inside(child, run);
    child.task_id().is_none()
        && task.messages.is_empty()
        && task.handoffs(evidence).iter().any(|handoff| handoff.consumers.iter().any(follows))
        && is_known_to_its_root(sender, trace)
}

fn is_known_to_its_root(span: &StoredSpan, trace: &Trace) -> bool {
    /// No request is this deep. A cycle of parents ends here.
    const DEEPEST: usize = 256;
    let mut above = Some(span);
    for _ in 0..DEEPEST {
        match above.map(|span| span.parent) {
            Some(Some(parent)) => above = trace.get(parent),
            Some(None) => return true,
            None => return false,
        }
    }
    false
}
