use std::time::Duration;

use super::publisher::is_nested;
use crate::diagnosis::advice::distinct;
use crate::diagnosis::advice::request::{When, context_lost, context_lost_in_a_run};
use crate::diagnosis::known::{JustOutside, Position, RootsInRuns, SdkSetup};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Activity, Handoff, Library, SpanRef};
use crate::model::{Station, Timestamp};

diagnosis! {
    /// ## What it means
    /// The context was lost inside the API, before the task was published: the
    /// code that publishes runs in a thread, a greenlet or an executor that did
    /// not inherit the request's context. The worker continues a trace that is
    /// not the request's.
    ///
    /// ## What shows it
    /// The PRODUCER span is a root while a SERVER span of the same process is
    /// open. Likely at most: in a busy API some request is always open, and a
    /// scheduler inside it publishes roots that are right. There it takes pairs:
    /// requests of one route that published nothing, and a root of one task in
    /// each of them. What publishes the same task while nothing is open is a
    /// scheduler, unless more of it falls into requests than chance would put
    /// there; and a request that is open for minutes says nothing.
    ///
    /// Or it is a root just outside of a request, a little before the SERVER span
    /// begins or after it ends, and so are all others of the task, each beside a
    /// request of its own, closer than chance would put them: a streaming
    /// response, a teardown, a middleware outside the instrumentation, a listener. The first
    /// of them may be late, since a process imports and connects when it first
    /// publishes.
    ///
    /// In a worker it is a run in place of a request. The message names the task that
    /// published it (`parent_id`), and begins a trace of its own; or every such publish of a
    /// process lies in one of its runs, or right after one, where chance would not put them.
    /// Celery's `task_postrun` comes when the run's span may have ended already.
    ///
    /// ## How to fix it
    /// Carry the context over, by where the task is published. An instrumentor carries it into the threads and the
    /// executors that a request starts; `asyncio.to_thread` does so by itself. What was
    /// there before the request needs it handed over beside the work. A middleware lies
    /// inside the request's span where the application is instrumented last; a
    /// streamed response takes the context along in its generator; and Flask calls a
    /// `teardown_request` before the span ends only where it was registered after the
    /// application was instrumented.
    pub static CONTEXT_LOST_BEFORE_PUBLISH = {
        code: "TL104",
        slug: "context-lost-before-publish",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the task was published outside the request's context, though inside the request's time: a thread, greenlet or executor did not inherit it",
        fixes: || {
            let fixes = |when, server| context_lost(when, Some(server), &SdkSetup::default());
            let flask = fixes(When::RightAfter, Library::Flask);
            let in_run = context_lost_in_a_run(false, &SdkSetup::default());
            distinct(flask.into_iter().chain(fixes(When::Before, Library::Asgi)).chain(in_run))
        },
        check: Handoff(check),
    }
}

/// Up to this probability that a root falls into an open request by chance, chance is ruled
/// out.
const ACCIDENT: f64 = 0.05;

/// Requests needed before the share of busy time means anything.
const REQUESTS: usize = 10;

/// A request that is open for longer is waiting for something.
const LONG: Duration = Duration::from_mins(2);

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(producer) = handoff.producer.filter(|producer| known.evidence.is_orphaned_root(*producer))
    else {
        return Judgment::Clean;
    };
    if let Some(found) = beside_a_run(handoff, producer, known) {
        return found.about(handoff).into();
    }
    let activity = known.evidence.processes.of(&producer.span.process);
    let Some(activity) = activity.filter(|activity| activity.servers > 0) else {
        return Judgment::Clean;
    };
    let start = producer.span.start;
    if let Some(beside) = known.requests().just_beside(producer.key()) {
        let when = when(beside);
        let found = outside(producer, beside).about(handoff);
        return found
            .mend(context_lost(when, server(activity), &SdkSetup::of(&producer.span.process)))
            .into();
    }
    if !activity.has_open_request(start)
        || known.requests().coincide_with(handoff.task, &producer.span.process)
    {
        return Judgment::Clean;
    }
    let is_paired = could_be_a_scheduler(activity, start);
    if is_paired && !known.requests().have_one_for(producer.key()) {
        return Judgment::Clean;
    }
    let pair = is_paired.then(|| {
        let says = "as many as this task has roots published nothing, and one root began in each";
        quote::fact(format!("SERVER spans of {}", producer.span.service()), says)
    });
    let is_answering = known.requests().had_begun_to_answer(&producer.span.process, start);
    let within = if is_answering { When::WhileAnswering } else { When::Within };
    Occurrence::likely()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::fact(
            format!("SERVER spans of {}", producer.span.service()),
            "one was open in this very process when the task was published",
        ))
        .quote(pair)
        .needs(
            "a `service.instance.id` (SDK 1.40 or later), where several processes share the service's name",
        )
        .mend(context_lost(within, server(activity), &SdkSetup::of(&producer.span.process)))
        .into()
}

/// Runs needed before a publish in each of them means anything.
const RUNS: usize = 3;

/// A publish outside the context of the run that made it. The message names the task, or all
/// of these publishes lie in runs, or right after, where chance would not put them.
fn beside_a_run(handoff: &Handoff<'_>, producer: SpanRef<'_>, known: &Known<'_>) -> Option<Occurrence> {
    let by_message = || {
        let message = handoff.message().filter(|message| is_nested(message) && message.retries == 0)?;
        let parent = known.evidence.tasks.get(message.parent_id.as_deref()?)?;
        let mut runs = parent.consumers.iter().filter_map(|key| known.evidence.spans.get(*key));
        let run = runs.find(|run| run.span.process == producer.span.process)?;
        let path = format!("{}.headers.parent_id", quote::place(message));
        let names = quote::fact(path, &*parent.id);
        (run.trace.id != producer.trace.id).then_some((run, names))
    };
    let by_time = || {
        let groups = known.roots_in_runs().of_publish(producer);
        let own = groups.first().filter(|_| is_no_chance(&groups))?;
        let total =
            |each: fn(&RootsInRuns<'_>) -> usize| -> usize { groups.iter().map(|group| each(group)).sum() };
        let roots = total(|group| group.roots.len());
        let (in_runs, of_runs) = (total(|group| group.in_runs), total(|group| group.of_runs));
        // Beat in a thread of the worker, or forked from it, publishes beside its runs too.
        let is_told_apart = producer.span.process.is_identified();
        let place = format!("PRODUCER roots {} of {}", producer.span.name, producer.span.service());
        let says = format!("{roots}, in or right after {in_runs} of {of_runs} runs, and none elsewhere");
        is_told_apart.then(|| (own.run, quote::fact(place, says)))
    };
    let (run, shown) = by_message().or_else(by_time)?;
    let is_after = producer.span.start >= run.span.end;
    Some(
        Occurrence::likely()
            .variant("run")
            .says("the task was published outside the context of the run that published it: a thread or an executor did not inherit it, or the run's span had ended")
            .quote(quote::span(producer))
            .quote(quote::span(run))
            .quote(shown)
            .mend(context_lost_in_a_run(is_after, &SdkSetup::of(&producer.span.process))),
    )
}

/// Whether chance would not put these roots into runs, or right after them: several runs have
/// one, and a scheduler's would lie elsewhere too.
fn is_no_chance(groups: &[&RootsInRuns<'_>]) -> bool {
    let chance =
        |group: &&RootsInRuns<'_>| group.busy.powi(i32::try_from(group.roots.len()).unwrap_or(i32::MAX));
    let in_runs: usize = groups.iter().map(|group| group.in_runs).sum();
    in_runs >= RUNS && groups.iter().map(chance).product::<f64>() <= ACCIDENT
}

/// A publish close to its request, which began later or is already over.
fn outside(producer: SpanRef<'_>, beside: JustOutside<'_>) -> Occurrence {
    let JustOutside { position, within, late_first, requests, publishes, route } = beside;
    let when = match position {
        Position::Before => "before the start",
        Position::After => "after the end",
    };
    let paired = format!(
        "{requests} requests{}, {publishes} publishes of this task, each a root within {} ms {when} of one{}",
        route.map(|route| format!(" to {route}")).unwrap_or_default(),
        within.as_millis().max(1),
        late_first
            .map(|late| format!(", but for the first, which came after {} ms", late.as_millis()))
            .unwrap_or_default(),
    );
    Occurrence::likely()
        .variant("outside")
        .says("the task was published just outside the request's span, and so outside its context: a streaming response, what tears the request down, a middleware outside the instrumentation, a listener, or a thread that goes on")
        .quote(quote::span(producer))
        .quote(quote::fact(format!("SERVER spans of {}", producer.span.service()), paired))
}

/// What still runs in the request's thread publishes this soon after its end.
const SOON: Duration = Duration::from_millis(100);

fn when(beside: JustOutside<'_>) -> When {
    match beside.position {
        Position::Before => When::Before,
        Position::After if beside.within <= SOON => When::RightAfter,
        Position::After => When::After,
    }
}

/// The instrumentor of the requests of the process: a framework rather than what it is
/// built on.
fn server(activity: &Activity) -> Option<Library> {
    let libraries = [Library::Flask, Library::Django, Library::Wsgi, Library::Asgi];
    libraries.into_iter().find(|library| activity.instrumentor(*library).is_some())
}

/// Whether roots of a scheduler inside the process would look the same: if requests are
/// nearly always open, any root falls into one.
fn could_be_a_scheduler(activity: &Activity, start: Timestamp) -> bool {
    if activity.request_count() < REQUESTS {
        // A stream of events is open for hours, and anything falls into it.
        return !activity.has_short_request(start, LONG);
    }
    let roots = i32::try_from(activity.producer_roots).unwrap_or(i32::MAX);
    activity.busy_share().powi(roots) > ACCIDENT
}
