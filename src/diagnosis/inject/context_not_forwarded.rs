use super::publisher::{is_nested, message_without_context};
use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::distinct;
use crate::diagnosis::advice::forwarding::{Run, context_not_forwarded};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, Library, OtlpProtocol, SpanRef};
use crate::model::{CarriedContext, Encoding, Fix, Message, Place, Protocol, Station};

diagnosis! {
    /// ## What it means
    /// A task published this message, and did not hand its context on: the
    /// trace ends at the first task of a chain, or at a task that calls another.
    ///
    /// ## What shows it
    /// A message with a `parent_id` that is not its own id, and no context. Or
    /// a chain whose first message holds a carrier of the application's own
    /// while the signature of the next task, in its embed, has none: Celery
    /// publishes the next task itself, and nobody injects. Under the
    /// instrumentor such an embed is healthy.
    ///
    /// ## How to fix it
    /// Instrument the worker, which then injects for each task it publishes. Where its
    /// spans are made by hand, inject in a receiver of Celery's signal that comes
    /// before each publish.
    ///
    /// Where the run that published is the instrumentor's, the worker is instrumented.
    /// An instrumentor before 0.39b0 passes over a task that its process does not know
    /// (`send_task`): the same receiver, a task of that name, or a newer one mends it.
    pub static CONTEXT_NOT_FORWARDED = {
        code: "TL107",
        slug: "context-not-forwarded",
        station: Some(Station::Inject),
        severity: Error,
        summary: "a task published this message and did not hand its context on",
        fixes: || {
            let every = [Run::ByHand, Run::Instrumented(None), Run::Bare, Run::Unseen].into_iter();
            let unseen = SdkSetup::default();
            distinct(every.flat_map(|run| context_not_forwarded(run, false, &CarrierShape::Flat, &unseen, OtlpProtocol::Grpc)))
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if let Some(message) = message_without_context(handoff)
        && is_nested(message)
        && message.retries == 0
        // An instrumentor was at work: what it wrote is for the rules of another station.
        && handoff.instrumented_producer().is_none()
        && !began_without(message, known)
    {
        let parent = message.parent_id.as_deref().unwrap_or_default();
        return Occurrence::certain()
            .about(handoff)
            .quote(quote::fact(format!("{}.headers.parent_id", quote::place(message)), parent))
            .quote(quote::no_context(message))
            .mend(mending(parent, message, known))
            .into();
    }
    check_chain(handoff, known)
}

/// Whether the task at the root, or the one that published this, is known to have had no
/// context either. Then it was lost before, and the finding is there.
fn began_without(message: &Message, known: &Known<'_>) -> bool {
    let above = [message.root_id.as_deref(), message.parent_id.as_deref()];
    above.into_iter().flatten().filter(|id| **id != *message.id).any(|id| {
        let first = known.evidence.tasks.get(id).and_then(|task| task.messages.first());
        first
            .is_some_and(|first| first.message.contexts.is_empty() && first.message.protocol == Protocol::Two)
    })
}

/// What mends it, depending on the run that published and on how that run's own message was
/// read.
fn mending(parent: &str, message: &Message, known: &Known<'_>) -> Vec<Fix> {
    let task = known.evidence.tasks.get(parent);
    let theirs = || task.into_iter().flat_map(|task| &task.messages).map(|delivery| &delivery.message);
    let came_in = theirs().flat_map(|message| &message.contexts).find(|found| found.context().is_some());
    let is_chain = theirs().filter_map(|message| message.chain_next.as_ref());
    let is_chain = is_chain.into_iter().any(|next| *next.task == *message.task);
    let attempts = task.map(|task| task.handoffs(known.evidence)).unwrap_or_default();
    let (run, setting) = run_of(attempts.iter().find_map(Handoff::consumer), known);
    context_not_forwarded(
        run,
        is_chain,
        &came_in.map_or(CarrierShape::Flat, CarrierShape::of),
        &setting,
        known.evidence.receiver().protocol(),
    )
}

/// What was seen of a run and of its process; of any worker, if its span names no task.
fn run_of(run: Option<SpanRef<'_>>, known: &Known<'_>) -> (Run, SdkSetup) {
    if let Some(run) = run {
        let process = &run.span.process;
        let activity = known.evidence.processes.of(process);
        let release = activity.and_then(|activity| activity.instrumentor(Library::Celery)?.release);
        let is_instrumented = run.span.is_instrumented_run();
        let run = if is_instrumented { Run::Instrumented(release) } else { Run::ByHand };
        return (run, SdkSetup::of(process));
    }
    if let Some(worker) = known.services().values().find(|service| service.consumes()) {
        return (Run::ByHand, SdkSetup::of_service(worker));
    }
    let bare = known.services().uninstrumented_workers().next();
    bare.map_or((Run::Unseen, SdkSetup::default()), |(_, worker)| (Run::Bare, SdkSetup::of_service(worker)))
}

/// A chain whose next task will be published without a context.
fn check_chain(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message() else { return Judgment::Clean };
    let Some(next) = message.chain_next.as_ref().filter(|next| !next.has_context) else {
        return Judgment::Clean;
    };
    let hand_made = message.contexts.iter().find(|found| {
        found.context().is_some()
            && (matches!(found.place, Place::Carrier(_)) && found.encoding != Encoding::Flat)
    });
    // A flat header besides is the instrumentor's, which injects for the next task too.
    let is_instrumented = message.contexts.iter().any(CarriedContext::is_flat_header)
        || handoff.instrumented_producer().is_some();
    let Some(carrier) = hand_made.filter(|_| !is_instrumented) else { return Judgment::Clean };
    // What became of the next task is better evidence than the prediction, and its own
    // hand-off shows it.
    if handoff.was_run() && known.has_spans() {
        return Judgment::Clean;
    }
    let (run, setting) = run_of(None, known);
    Occurrence::likely()
        .variant("chain")
        .says("the chain hands its context to the first task only: the next one will be published without")
        .about(handoff)
        .quote(quote::context(message, carrier))
        .quote(quote::fact(
            format!("{}.body.embed.chain", quote::place(message)),
            format!("{}: no headers", next.task),
        ))
        .unless(
            slug::CARRIER_SHAPE_MISMATCH,
            "a worker with the instrumentor would inject for the next task, and not read this carrier",
        )
        .mend(context_not_forwarded(
            run,
            true,
            &CarrierShape::of(carrier),
            &setting,
            known.evidence.receiver().protocol(),
        ))
        .into()
}
