use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::injection;
use crate::diagnosis::known::{SdkSetup, publishing_traces};
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanKey, SpanRef};
use crate::model::{CarriedContext, Fix, Message, Quote, Severity, SpanKind, Station, Timestamp, TraceId};

diagnosis! {
    /// ## What it means
    /// One carrier is built once and used for every message: a module-level
    /// dict, a default argument, a cached header. All tasks join the trace of
    /// the first request, and the other requests have none.
    ///
    /// ## What shows it
    /// Several messages carry the span of one request, while other requests to
    /// the same route published nothing of their own: as many as there are
    /// messages beyond the first. And one of the messages was first seen, or run, after
    /// the first of those. From a queue alone it is a note: one request that fans
    /// out by hand looks the same.
    ///
    /// ## How to fix it
    /// Build the carrier for each call, right before the task is published.
    pub static STALE_CARRIER = {
        code: "TL109",
        slug: "stale-carrier",
        station: Some(Station::Inject),
        severity: Error,
        summary: "one carrier is used for the messages of many requests: all tasks join the first request's trace",
        fixes: || injection::for_each_call(&CarrierShape::Flat, &SdkSetup::default(), false),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let tasks = &known.evidence.tasks;
    let mut suspects = BTreeMap::new();
    for (context, ids) in tasks.shared_contexts() {
        // The instrumentor gives each message a span of its own, so a context that several
        // messages share was put there by hand.
        let first_attempts: BTreeSet<&str> = ids.iter().map(|id| &**id).collect();
        if first_attempts.len() > 1 {
            suspects.insert(context, first_attempts);
        }
    }
    let routes =
        if suspects.is_empty() { BTreeMap::new() } else { routes(known, &publishing_traces(known.evidence)) };
    let shared: BTreeSet<_> = suspects.keys().map(|context| context.trace_id).collect();
    for (context, ids) in suspects {
        let occurrence = match known.evidence.spans.get(context) {
            Some(request) => check_request(request, &ids, &routes, &shared, known),
            _ => Some(hint()),
        };
        if let Some(occurrence) = occurrence {
            found(finish(occurrence, known, context, &ids));
        }
    }
    for class in known.evidence.class_counts.classes().filter(|class| class.repeated > 0) {
        let Some(example) = class.examples.first() else { continue };
        let quote = example.message.contexts.first().map(|found| quote::context(&example.message, found));
        let fixes = mending(None, &example.message, example.message.contexts.first());
        let mut occurrence =
            hint().quote(quote).mend(fixes).queue(&*example.message.queue).counting(class.repeated + 1);
        occurrence.tasks.insert(example.message.task.to_string());
        occurrence.origins.extend(example.message.origin.as_deref().map(str::to_owned));
        found(occurrence);
    }
}

/// The SERVER spans of one route of one service.
#[derive(Default)]
struct Route<'e> {
    /// Those that published something.
    publishing: Vec<SpanRef<'e>>,
    /// Those that published nothing and answered well.
    silent: Vec<SpanRef<'e>>,
}

/// Every route, by service and name. Made once, however many carriers are shared.
fn routes<'e>(known: &Known<'e>, publishing: &BTreeSet<TraceId>) -> BTreeMap<(&'e str, &'e str), Route<'e>> {
    let mut routes = BTreeMap::<_, Route<'_>>::new();
    for trace in known.evidence.spans.traces() {
        for span in trace.spans.iter().filter(|span| span.kind == SpanKind::Server) {
            let route = routes.entry((span.service(), &*span.name)).or_default();
            if publishing.contains(&trace.id) {
                route.publishing.push(SpanRef { trace, span });
            } else if known.traces().has_settled(trace) && span.http_status.is_none_or(|status| status < 400)
            {
                route.silent.push(SpanRef { trace, span });
            }
        }
    }
    routes
}

/// Whether no later request of the route published anything of its own, and they are as
/// many as the surplus messages. A request that published after this one built its own
/// carrier.
fn check_request(
    request: SpanRef<'_>,
    ids: &BTreeSet<&str>,
    routes: &BTreeMap<(&str, &str), Route<'_>>,
    shared: &BTreeSet<TraceId>,
    known: &Known<'_>,
) -> Option<Occurrence> {
    let route = routes.get(&(request.span.service(), &*request.span.name))?;
    let is_later = |other: &SpanRef<'_>| other.span.start > request.span.start;
    let is_elsewhere = |other: &SpanRef<'_>| other.span.process.differs_from(&request.span.process);
    let silent = || route.silent.iter().filter(|other| is_later(other) && !is_elsewhere(other));
    let too_many = ids.len() - 1;
    // Each process of a server keeps a carrier of its own, which may be stale too.
    let is_stale_too = |other: &SpanRef<'_>| is_elsewhere(other) && shared.contains(&other.trace.id);
    let others_publish = route.publishing.iter().any(|other| is_later(other) && !is_stale_too(other));
    if request.span.kind != SpanKind::Server || others_publish || silent().count() < too_many {
        return None;
    }
    let example = silent().min_by_key(|other| (other.span.start, other.span.id))?;
    // Everything that one request sends is there before the next one comes.
    let mut signs = ids.iter().filter_map(|id| first_sign(id, request, known));
    if !signs.any(|sign| sign > example.span.start) {
        return None;
    }
    let published_nothing =
        Quote { note: "published nothing of its own".to_owned(), ..quote::span(*example) };
    Some(
        Occurrence::likely()
            .service(request.span.service())
            .quote(quote::span(request))
            .quote(published_nothing)
            .needs("the code: a carrier that is built outside the handler (a module, a default argument, a cache)"),
    )
}

/// What mends it, by the shape of the carrier in the message.
fn mending(request: Option<SpanRef<'_>>, message: &Message, carried: Option<&CarriedContext>) -> Vec<Fix> {
    let setting = request.map(|request| SdkSetup::of(&request.span.process)).unwrap_or_default();
    let shape = carried.map_or(CarrierShape::Flat, CarrierShape::of);
    injection::for_each_call(&shape, &setting.or_of(message), message.hand_made)
}

/// When a task was first seen: when its run began, or else when its message was first seen.
/// A run that seems to precede its request has a clock that is behind, and does not count.
fn first_sign(id: &str, request: SpanRef<'_>, known: &Known<'_>) -> Option<Timestamp> {
    let task = known.evidence.tasks.get(id)?;
    let handoffs = task.handoffs(known.evidence);
    let runs = handoffs.iter().flat_map(|handoff| &handoff.consumers).map(|run| run.span.start);
    let runs = runs.filter(|start| *start >= request.span.start);
    let observations = task.messages.iter().map(|delivery| delivery.first().at);
    runs.chain(observations).min()
}

fn hint() -> Occurrence {
    Occurrence::possible()
        .variant("from-queue")
        .severity(Severity::Note)
        .says("several messages carry the very same context: one request that fans out by hand, or a carrier that is used again")
        .needs("the producer's spans, to see whether other requests published nothing of their own")
}

fn finish(
    mut occurrence: Occurrence,
    known: &Known<'_>,
    context: SpanKey,
    ids: &BTreeSet<&str>,
) -> Occurrence {
    let mut quoted = false;
    for id in ids {
        let Some(delivery) = known.evidence.tasks.get(id).and_then(|task| task.messages.first()) else {
            continue;
        };
        let message = &delivery.message;
        occurrence.tasks.insert(message.task.to_string());
        occurrence.queues.insert(message.queue.to_string());
        occurrence.origins.extend(message.origin.as_deref().map(str::to_owned));
        occurrence.handoffs.insert((*id).to_owned());
        let carries = |found: &&CarriedContext| {
            found
                .context()
                .is_some_and(|found| found.span_id == context.span_id && found.trace_id == context.trace_id)
        };
        if let (false, Some(found)) = (quoted, message.contexts.iter().find(carries)) {
            quoted = true;
            let note = format!("in {} messages", ids.len());
            let request = known.evidence.spans.get(context);
            occurrence.fixes = mending(request, message, Some(found));
            occurrence.evidence.insert(0, Quote { note, ..quote::context(message, found) });
        }
    }
    occurrence.counting(ids.len() as u64)
}
