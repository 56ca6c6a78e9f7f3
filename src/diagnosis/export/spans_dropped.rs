use super::endpoint;
use super::missing_in_process::{MissingInProcess, missing_by_process};
use super::unfinished_tasks::{TraceTasks, entry_around};
use crate::diagnosis::advice::export::ExportTarget;
use crate::diagnosis::advice::processor;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanRef, Trace};
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// The process made more spans than its exporter could send: the batch
    /// processor's queue (2,048 spans) was full, and what came then was thrown
    /// away.
    ///
    /// ## What shows it
    /// Many spans of one process miss a parent of that very process, which sent
    /// more spans than a queue holds; and what was open around them has ended:
    /// the run, the request, the task by its result, or the process is silent, or
    /// the evidence is a file, which is over. A task that waits for many things at
    /// once has as many spans open. Of a process that sent fewer spans it is
    /// `parent-not-ended`.
    ///
    /// ## How to fix it
    /// A longer queue, which is emptied more often. The environment is enough where
    /// code makes the span processor too, unless it names sizes of its own. Or fewer
    /// spans: one for a batch instead of one for an item.
    pub static SPANS_DROPPED = {
        code: "TL509",
        slug: "spans-dropped",
        station: Some(Station::Export),
        severity: Warning,
        summary: "the exporter's queue overflowed: many spans miss a parent of their own process",
        fixes: || processor::larger_queue(ExportTarget::UNSEEN, Side::Worker, &SdkSetup::default()),
        check: Trace(check),
    }
}

/// Whether the parents of these spans are known to have ended.
fn is_over(trace: &Trace, missing: &MissingInProcess<'_>, known: &Known<'_>) -> bool {
    let children: Vec<_> = missing.children.iter().map(|(_, child)| *child).collect();
    let is_done = || {
        let tasks = TraceTasks::of(trace, known);
        !tasks.may_run(missing) && (known.silence().is_final() || tasks.finished(missing).is_some())
    };
    entry_around(trace, &children).is_some() || is_done() || known.silence().has_begun(missing.process, trace)
}

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for missing in missing_by_process(trace, known).into_values() {
        let Some((_, child)) = missing.children.first() else { continue };
        if !missing.is_overflow(known) || !is_over(trace, &missing, known) {
            continue;
        }
        let sent = known.evidence.processes.of(missing.process).map_or(0, |activity| activity.spans);
        found(
            Occurrence::likely()
                .service(child.service())
                .counting(missing.children.len() as u64)
                .quote(quote::span(SpanRef { trace, span: child }))
                .quote(quote::fact(
                    format!("spans of {}", child.service()),
                    format!("{} miss a parent of their own process, {sent} arrived", missing.children.len()),
                ))
                .needs("the process's log: `Queue full, dropping span`")
                .mend(processor::larger_queue(
                    endpoint::receiver(known),
                    known.services().side_of(child.service()),
                    &SdkSetup::of(missing.process),
                )),
        );
    }
}
