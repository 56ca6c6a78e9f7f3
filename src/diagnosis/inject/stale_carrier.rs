use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanKey, SpanRef};
use crate::model::{Quote, Severity, SpanKind, Station, TraceId};

diagnosis! {
    /// ## What it means
    /// One carrier is built once and used for every message: a module-level
    /// dict, a default argument, a cached header. All tasks join the trace of
    /// the first request, and the other requests have none.
    ///
    /// ## What shows it
    /// Several messages carry the span of one request, while other requests to
    /// the same route published nothing of their own, as many as there are
    /// messages too much. From a queue alone it is a note: one request that fans
    /// out by hand looks the same.
    ///
    /// ## How to fix it
    /// Build the carrier for each call:
    ///
    /// ```python
    /// headers = {}                             # inside the handler
    /// propagate.inject(headers)
    /// task.apply_async(args, headers=headers)
    /// ```
    pub static STALE_CARRIER = {
        code: "TL109",
        slug: "stale-carrier",
        station: Some(Station::Inject),
        severity: Error,
        summary: "one carrier is used for the messages of many requests: all tasks join the first request's trace",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let tasks = &known.evidence.tasks;
    let mut suspects = BTreeMap::new();
    for (context, ids) in tasks.shared_contexts() {
        // The instrumentor gives each message a span of its own, so a context
        // that several messages share was put there by hand.
        let first_attempts: BTreeSet<&str> = ids.iter().map(|id| &**id).collect();
        if first_attempts.len() > 1 {
            suspects.insert(context, first_attempts);
        }
    }
    let publishing = if suspects.is_empty() { BTreeSet::new() } else { publishing_traces(known) };
    for (context, ids) in suspects {
        let occurrence = match known.evidence.spans.get(context) {
            Some(request) if known.has_spans() => check_request(known, request, &ids, &publishing),
            _ => Some(hint()),
        };
        if let Some(occurrence) = occurrence {
            found(finish(occurrence, known, context, &ids));
        }
    }
    for class in known.evidence.census.classes().filter(|class| class.repeated > 0) {
        let Some(example) = class.examples.first() else { continue };
        let quote = example.message.contexts.first().map(|found| quote::sighting(&example.message, found));
        let mut occurrence = hint().quote(quote).queue(&*example.message.queue).counting(class.repeated + 1);
        occurrence.tasks.insert(example.message.task.to_string());
        occurrence.origins.extend(example.message.origin.as_deref().map(str::to_owned));
        found(occurrence);
    }
}

/// Traces in which something was published: by a PRODUCER span, or by a
/// context that a message carries.
fn publishing_traces(known: &Known<'_>) -> BTreeSet<TraceId> {
    let carried = known.evidence.tasks.iter().flat_map(|task| &task.messages).flat_map(|delivery| {
        delivery
            .message
            .contexts
            .iter()
            .filter_map(|sighting| sighting.context())
            .map(|context| context.trace_id)
    });
    let produced =
        known.evidence.tasks.iter().flat_map(|task| &task.producers).map(|producer| producer.trace_id);
    carried.chain(produced).collect()
}

/// Whether requests like this one published nothing, as many as there are
/// messages too much.
fn check_request(
    known: &Known<'_>,
    request: SpanRef<'_>,
    ids: &BTreeSet<&str>,
    publishing: &BTreeSet<TraceId>,
) -> Option<Occurrence> {
    let is_alike = |other: SpanRef<'_>| {
        other.span.kind == SpanKind::Server
            && other.span.name == request.span.name
            && other.span.service() == request.span.service()
            && other.span.detail().http_status.is_none_or(|status| status < 400)
            && other.trace.id != request.trace.id
            && other.span.start > request.span.start
            && !publishing.contains(&other.trace.id)
    };
    let silent: Vec<_> = known
        .evidence
        .spans
        .traces()
        .flat_map(|trace| trace.spans.iter().map(move |span| SpanRef { trace, span }))
        .filter(|other| is_alike(*other))
        .collect();
    let too_many = ids.len() - 1;
    if request.span.kind != SpanKind::Server || silent.len() < too_many {
        return None;
    }
    let example = silent.into_iter().min_by_key(|other| (other.span.start, other.span.id))?;
    let published_nothing = Quote { note: "published nothing of its own".to_owned(), ..quote::span(example) };
    Some(
        Occurrence::likely()
            .service(request.span.service())
            .quote(quote::span(request))
            .quote(published_nothing)
            .fix("headers = {}                             # inside the handler, for each call")
            .fix("propagate.inject(headers)"),
    )
}

fn hint() -> Occurrence {
    Occurrence::possible()
        .variant("from-queue")
        .severity(Severity::Note)
        .says("several messages carry the very same context: one request that fans out by hand, or a carrier that is used again")
        .needs("the producer's spans, to see whether other requests published nothing of their own")
        .fix("headers = {}                             # inside the handler, for each call")
        .fix("propagate.inject(headers)")
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
        let carries = |found: &&crate::model::Sighting| {
            found
                .context()
                .is_some_and(|found| found.span_id == context.span_id && found.trace_id == context.trace_id)
        };
        if let (false, Some(found)) = (quoted, message.contexts.iter().find(carries)) {
            quoted = true;
            let note = format!("in {} messages", ids.len());
            occurrence.evidence.insert(0, Quote { note, ..quote::sighting(message, found) });
        }
    }
    occurrence.counting(ids.len() as u64)
}
