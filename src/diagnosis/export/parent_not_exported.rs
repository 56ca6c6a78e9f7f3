use std::collections::BTreeMap;

use super::endpoint;
use super::missing_sender::MissingSender;
use crate::diagnosis::advice::export::ExportTarget;
use crate::diagnosis::advice::{processor, tracelink};
use crate::diagnosis::known::{MissingParent, ParentProcess, SILENCE, SdkSetup, is_publisher};
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{SpanKey, SpanRef, StoredSpan, Trace};
use crate::model::{Message, ParentOrigin, Sampling, Severity, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// Propagation works: the span continues a context that came in from
    /// another process. That process's spans never arrived. It died before its
    /// batch left, its exporter points elsewhere, or it has none.
    ///
    /// ## What shows it
    /// The parent is missing, and the span's flags say that it is remote. Never
    /// more than likely: a span that has not ended is not exported either. While
    /// evidence comes in, and for minutes after the span began, it is a note where
    /// the context looks handed over by hand: a request that goes on with its
    /// answer, or a long task, comes last.
    ///
    /// ## How to fix it
    /// By what shows of the sender:
    ///
    /// - nothing of it came: its exporter sends elsewhere; or it was killed, or
    ///   forked without the thread that exports, and then each span is sent when it
    ///   ends. That comes first where all its messages are of one trace, as those of
    ///   a script are, which ends right after it published
    /// - it sent other spans, none of this trace: it ended before its batch left
    /// - other spans of it in this trace came: a filter drops those that publish, or
    ///   the queue of its exporter was full
    /// - a vendor's agent wrote the context: its spans go to the vendor
    ///
    /// ## What it is not
    /// A SERVER span, whose caller may well export elsewhere, and a consumer of
    /// another messaging system. A parent that the worker made up
    /// (`fabricated-parent`). A run that followed a context which is not its
    /// producer's (`conflicting-contexts`).
    pub static PARENT_NOT_EXPORTED = {
        code: "TL502",
        slug: "parent-not-exported",
        station: Some(Station::Export),
        severity: Error,
        summary: "the context arrived, and the span that it names was never exported: the producer's spans are missing",
        fixes: || {
            let (receiver, by_code) = (ExportTarget::UNSEEN, SdkSetup::default());
            let silent = processor::publisher_sends(receiver, &by_code, false);
            let filtered = processor::without_a_filter(receiver, &by_code);
            silent.into_iter().chain(filtered).chain(processor::one_tracer()).collect()
        },
        check: Trace(check),
    }
}

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    // Each sender once: ten thousand messages and their runs may have the same one.
    let mut unsampled = BTreeMap::new();
    let mut did_not_sample =
        |sender: SpanKey| *unsampled.entry(sender).or_insert_with(|| sender_did_not_sample(sender, known));
    let missing = known.traces().missing(trace.id);
    let mut over = BTreeMap::new();
    let mut is_over = |sender: SpanKey| *over.entry(sender).or_insert_with(|| has_ended(sender, known));
    for MissingParent { id: parent, child: span, process } in missing.parents.iter().copied() {
        let is_fabricated = || missing.fabricated.iter().any(|of| of.child.parent == Some(parent));
        if process != ParentProcess::Other || span.kind == SpanKind::Server || is_fabricated() {
            continue;
        }
        // A SERVER span with the same parent: the caller of the request is outside, and its
        // context was passed on.
        let key = SpanKey { trace_id: trace.id, span_id: parent };
        let has_server_sibling = known.traces().server_below(key).is_some();
        if has_server_sibling || did_not_sample(key) || came_from_elsewhere(trace, span, known) {
            continue;
        }
        let is_said = span.parent_origin == ParentOrigin::Remote;
        // Without the message: the sender may not have sampled it.
        let is_sampled = sampling_of(key, known).any(|sampling| sampling == Sampling::Sampled);
        let mut occurrence =
            if !is_over(key) && may_be_open(trace, span, key, known) { open() } else { Occurrence::likely() };
        if !is_over(key) {
            occurrence = occurrence.unless(
                slug::PARENT_NOT_ENDED,
                "a request or a task that hands its own context over may still be open, or never ended",
            );
        }
        if !(is_said && is_sampled) {
            occurrence = occurrence.unless(
                slug::NOT_SAMPLED,
                "the producer may not have sampled it, and the worker samples by itself",
            );
        }
        if !is_sampled {
            occurrence = occurrence.needs(tracelink::to_see_the_message(known));
        }
        let sender = MissingSender::of(trace, span, messages_of(key, known), known);
        let occurrence = if occurrence.variant.is_none() { sender.says(occurrence) } else { occurrence };
        let mut occurrence = occurrence
            .service(span.service())
            .quote(quote::span(SpanRef { trace, span }))
            .quote(sender.quote(trace))
            .mend(sender.fixes(endpoint::receiver(known)));
        let detail = span.attributes();
        occurrence.tasks.extend(detail.task.as_deref().map(str::to_owned));
        occurrence.handoffs.extend(span.message_id().map(str::to_owned));
        // If a message has no `origin`, it is the worker itself.
        if let Some(origin) = detail.celery_hostname.as_deref().filter(|node| is_publisher(node)) {
            occurrence.origins.insert(origin.to_owned());
            occurrence = occurrence.quote(quote::fact("celery.hostname", format!("{origin} published it")));
        }
        found(occurrence);
    }
}

fn open() -> Occurrence {
    Occurrence::possible()
        .variant("open")
        .severity(Severity::Note)
        .says("the context arrived, and the span that it names has not come yet: its request or task may still be open")
        .needs("a later look: a span is sent when it ends")
}

/// Whether the sender may be a request or a run that is still open. An instrumentor's
/// PRODUCER span ends at once.
fn may_be_open(trace: &Trace, span: &StoredSpan, sender: SpanKey, known: &Known<'_>) -> bool {
    let is_recent = match known.evidence.since(trace.age.touched) {
        Some(since) => known.is_live && since <= SILENCE,
        // Saved evidence was complete when it was saved.
        None => false,
    };
    let by_hand = || {
        let mut contexts = messages_of(sender, known).flat_map(|message| &message.contexts);
        !span.is_instrumented_run()
            || known.evidence.tasks.carrying(sender).len() > 1
            || contexts.any(|found| !found.is_flat_header())
            || known.flow().hands_over_entries()
    };
    is_recent && by_hand()
}

/// Whether a task handed the context over that is known to be done.
fn has_ended(sender: SpanKey, known: &Known<'_>) -> bool {
    let tasks = &known.evidence.tasks;
    let publishers = messages_of(sender, known)
        .filter(|message| message.parent_id.as_deref() != Some(&*message.id))
        .filter_map(|message| tasks.get(message.parent_id.as_deref()?));
    publishers.into_iter().any(|task| {
        !task.consumers.is_empty() || task.result.as_ref().is_some_and(|result| result.status.is_final())
    })
}

/// Whether the parent is not the producer of a task: the message came from another system,
/// whose programs may export elsewhere; or the task's own PRODUCER span is in another
/// trace, so a foreign context was followed.
fn came_from_elsewhere(trace: &Trace, span: &StoredSpan, known: &Known<'_>) -> bool {
    let evidence = known.evidence;
    let task = span.task_id().and_then(|id| evidence.tasks.get(id));
    let producers =
        task.into_iter().flat_map(|task| &task.producers).filter_map(|key| evidence.spans.get(*key));
    span.attributes().is_foreign || producers.map(|producer| producer.trace.id).any(|other| other != trace.id)
}

/// Whether the message says that its sender did not sample: its span is
/// missing by that decision.
fn sender_did_not_sample(sender: SpanKey, known: &Known<'_>) -> bool {
    sampling_of(sender, known).any(|sampling| sampling == Sampling::NotSampled)
}

/// What messages with the sender's context say about its sampling.
fn sampling_of<'k>(sender: SpanKey, known: &'k Known<'_>) -> impl Iterator<Item = Sampling> + 'k {
    let contexts = messages_of(sender, known).flat_map(|message| &message.contexts);
    contexts
        .filter_map(|found| found.context())
        .filter(move |context| context.span_id == sender.span_id)
        .map(|context| context.sampling)
}

/// The messages that carry the sender's context.
fn messages_of<'k>(sender: SpanKey, known: &'k Known<'_>) -> impl Iterator<Item = &'k Message> + 'k {
    let tasks = known.evidence.tasks.carrying(sender).iter().filter_map(|id| known.evidence.tasks.get(id));
    tasks.flat_map(|task| &task.messages).map(|delivery| &*delivery.message)
}
