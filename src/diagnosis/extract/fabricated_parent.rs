use crate::diagnosis::advice::{extraction, propagators};
use crate::diagnosis::known::{FabricatedParent, SdkSetup};
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{Fix, Quote, Station};

diagnosis! {
    /// ## What it means
    /// The worker builds the parent of its spans itself: the trace id is the
    /// message's, and the span id is of its own making. No such span exists:
    /// the run is in the right trace, and has no parent there.
    ///
    /// ## What shows it
    /// The parent of a CONSUMER span, or of one whose flags say that its parent is
    /// remote, is in no message and was never exported, while the span that the
    /// message of the trace names was; and no other run of the message is there, or
    /// the span lies in that run. Where the message was not seen, it lies in the run
    /// that follows the PRODUCER span, above which nothing is missing.
    ///
    /// ## How to fix it
    /// Let the propagator make the context out of what the message carries. Inside of
    /// an instrumentor's run that was done: a span belongs below the run, which is
    /// current. Where it is the instrumentor's own run that hangs below a made-up span,
    /// a propagator of the program's makes it: set those of OpenTelemetry.
    ///
    /// Where only ids travel, both have to: `SpanContext(trace_id, span_id, …)`
    /// with the span id of the sender.
    ///
    /// ## What it is not
    /// A worker that follows the span of the request from the task's arguments:
    /// that is a span which exists.
    pub static FABRICATED_PARENT = {
        code: "TL308",
        slug: "fabricated-parent",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the worker's parent is in no message and was never exported, though the span that the message names was: the worker makes up a span id",
        fixes: || extraction::no_parent_of_its_own(false, &SdkSetup::default()),
        check: Trace(check),
    }
}

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for made_up in &known.traces().missing(trace.id).fabricated {
        let mut occurrence = Occurrence::likely()
            .service(made_up.child.service())
            .quote(made_up.carried().map(|(message, carried)| quote::context(message, carried)))
            .quote(Quote {
                note: match made_up.carried() {
                    Some(_) => "the message names it",
                    None => "it published the task, and the run follows it",
                }
                .to_owned(),
                ..quote::span(SpanRef { trace, span: made_up.sender })
            })
            .quote(quote::span(SpanRef { trace, span: made_up.child }))
            .unless(
                slug::PARENT_NOT_EXPORTED,
                "a context may have come another way, from a process that sends no spans",
            )
            .mend(fixes(trace, made_up));
        occurrence.tasks.extend(made_up.task().map(str::to_owned));
        occurrence.handoffs.insert(made_up.task_id.to_owned());
        found(occurrence);
    }
}

/// By what opened the span: the instrumentor, through a propagator; the task, inside its
/// run; or the task, as a run of its own.
fn fixes(trace: &Trace, made_up: &FabricatedParent<'_>) -> Vec<Fix> {
    let child = made_up.child;
    let worker = SdkSetup::of(&child.process);
    if child.is_instrumented_run() {
        let format = made_up.carried().map(|(_, carried)| carried.format);
        return propagators::in_the_worker(&format.into_iter().collect(), &worker);
    }
    let is_around = |run: &StoredSpan| {
        run.is_instrumented_run()
            && run.process == child.process
            && run.start <= child.start
            && run.end >= child.end
    };
    extraction::no_parent_of_its_own(trace.spans.iter().any(is_around), &worker)
}
