use crate::diagnosis::advice::extraction;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Handoff, SpanRef, StoredSpan};
use crate::model::{Fix, Place, Quote, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// Two consumer spans are made for one run: the instrumentor's `run/…` and
    /// one by hand. They stand side by side, the work hangs under one of them,
    /// the other is empty, and every count of tasks is doubled.
    ///
    /// ## What shows it
    /// Two CONSUMER spans of one process that overlap, neither of which is
    /// above the other. From a queue alone a prediction: two carriers of one
    /// trace, with the span ids of two senders; it is taken back when the spans
    /// show one consumer.
    ///
    /// ## How to fix it
    /// Remove one of the two. Either `CeleryInstrumentor().instrument()` in the
    /// worker, or the span with `kind=SpanKind.CONSUMER` in the task: an
    /// INTERNAL span without `context=` nests in the instrumentor's.
    ///
    /// ## What it is not
    /// A second span whose parent is made up: that has one cause, the context that the
    /// task builds itself, and `fabricated-parent` names it. Its fix makes the span nest
    /// in the run, so that it is no second one either.
    pub static DUPLICATE_CONSUMER_SPANS = {
        code: "TL306",
        slug: "duplicate-consumer-spans",
        station: Some(Station::Extract),
        severity: Warning,
        summary: "two consumer spans are made for one run of the task: the instrumentor's and one by hand",
        fixes: || vec![extraction::nest_in_the_run("process_order", &SdkSetup::default())],
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if let Some(run) = handoff.consumers.iter().find(|consumer| consumer.span.is_instrumented_run()) {
        let Some((twin, fix)) = twin_of(*run, handoff, known) else { return Judgment::Clean };
        return Occurrence::certain().about(handoff).quote(quote::span(*run)).quote(twin).mend([fix]).into();
    }
    predict(handoff)
}

/// A hand-made consumer of the same process that overlaps the run and is neither above nor
/// below it. With another parent it must lie within the run; with the same parent it may
/// begin first, as a span from `task_prerun` does.
fn twin_of(run: SpanRef<'_>, handoff: &Handoff<'_>, known: &Known<'_>) -> Option<(Quote, Fix)> {
    let is_twin = |other: &SpanRef<'_>| {
        let is_within = other.span.start >= run.span.start && other.span.end <= run.span.end;
        let is_beside = other.trace.id == run.trace.id
            && run.span.parent.is_some()
            && other.span.parent == run.span.parent
            && other.span.start < run.span.end
            && run.span.start < other.span.end;
        other.span.kind == SpanKind::Consumer
            && !other.span.is_instrumented_run()
            && other.span.process == run.span.process
            && (is_within || is_beside)
            && !is_inside_a_run(*other)
            && !has_fabricated_parent(*other, known)
            && !run.trace.ancestors(run.span).any(|above| above.id == other.span.id)
    };
    let told = |twin: SpanRef<'_>| {
        let setting = SdkSetup::of(&twin.span.process);
        (quote::span(twin), extraction::nest_in_the_run(&twin.span.name, &setting))
    };
    let in_trace = known.traces().hand_made_consumers(run.trace.id).into_iter().find(is_twin).map(told);
    let of_handoff = || handoff.consumers.iter().copied().find(is_twin).map(told);
    let roots = || known.orphans().of_task_within(handoff.task, run.span.start, run.span.end);
    in_trace.or_else(of_handoff).or_else(|| roots().iter().copied().find(is_twin).map(told))
}

/// Whether a hand-made span lies below an instrumentor's run: this one, or that of another
/// task that runs at the same time. The nearest span above it that crossed a process is a
/// run, and not the hand-off's producer.
fn is_inside_a_run(span: SpanRef<'_>) -> bool {
    let passage = |above: &&StoredSpan| above.kind == SpanKind::Producer || above.is_instrumented_run();
    span.trace.ancestors(span.span).find(passage).is_some_and(StoredSpan::is_instrumented_run)
}

/// Whether a span lies below one that does not exist. Then that is the cause, and a
/// diagnosis of the trace names it.
fn has_fabricated_parent(span: SpanRef<'_>, known: &Known<'_>) -> bool {
    let missing = known.traces().missing(span.trace.id);
    missing.fabricated.iter().any(|made_up| made_up.child.parent == span.span.parent)
}

/// Two carriers of one trace, with the span ids of two senders.
fn predict(handoff: &Handoff<'_>) -> Judgment {
    let Some(message) = handoff.message().filter(|_| handoff.consumers.is_empty()) else {
        return Judgment::Clean;
    };
    if handoff.was_run() {
        return Judgment::Clean;
    }
    let flat = message
        .contexts
        .iter()
        .find(|found| found.is_flat_header() && found.context().is_some() && !found.format.is_vendor());
    let carried = message.contexts.iter().find(|found| {
        matches!(found.place, Place::Carrier(_)) && found.context().is_some() && !found.format.is_vendor()
    });
    let (Some(flat), Some(carried)) = (flat, carried) else { return Judgment::Clean };
    let (Some(one), Some(other)) = (flat.context(), carried.context()) else {
        return Judgment::Clean;
    };
    if one.trace_id != other.trace_id || one.span_id == other.span_id {
        return Judgment::Clean;
    }
    Occurrence::likely()
        .about(handoff)
        .variant("predicted")
        .says("the message carries two carriers of one trace, from two senders: an instrumentor and a hand-made span will both take it up")
        .quote(quote::context(message, flat))
        .quote(quote::context(message, carried))
        .needs("the worker's spans, to see whether it makes two")
        .mend([extraction::nest_in_the_run(handoff.task, &SdkSetup::default())])
        .into()
}
