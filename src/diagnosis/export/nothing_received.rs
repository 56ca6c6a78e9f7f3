use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// The receiver was up for as long as it was asked to be, and no telemetry
    /// came, neither right nor wrong: the programs export elsewhere, or nowhere.
    ///
    /// ## What shows it
    /// Not one request at any of the receiver's ports, while no message says
    /// that its sender samples nothing, and some message was one that a worker can
    /// take. From saved evidence: an empty
    /// `receiver.jsonl` beside the result of a task that ran.
    ///
    /// ## How to fix it
    /// Point the exporter of every program at the receiver: where code makes it, or
    /// by environment. And remember that Python's batch processor holds spans for
    /// 5 seconds.
    /// Under `tracelink listen -- COMMAND` the environment is set already: then
    /// an endpoint in code overrides it, or something in between (tox, docker,
    /// sudo) does not pass it on.
    pub static NOTHING_RECEIVED = {
        code: "TL507",
        slug: "nothing-received",
        station: Some(Station::Export),
        severity: Error,
        summary: "no telemetry arrived at all in the time given",
        fixes: || export::send_here(ExportTarget::UNSEEN, &[(Side::Both, SdkSetup::default())]),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let receiver = known.evidence.receiver();
    let is_explained = || known.origins().are_all_unsampled() || is_nothing_readable(known);
    if receiver.total() > 0 || known.has_spans() || is_explained() {
        return;
    }
    let occurrence = match receiver.listened {
        Some(listened) => Occurrence::certain()
            .quote(quote::fact("receiver", format!("no request in {:.1} s", listened.as_secs_f64()))),
        // In saved evidence it shows only if there should have been something, and nobody
        // knows whether the receiver waited long enough.
        None if receiver.is_kept => {
            let Some(ran) = known.ran().min() else { return };
            Occurrence::likely()
                .quote(quote::fact("receiver.jsonl", "no request"))
                .quote(quote::fact(format!("celery-task-meta-{ran}"), "the task was run"))
                .needs("how long the receiver was up: Python's batch processor holds spans for 5 seconds")
        }
        None => return,
    };
    found(occurrence.mend(export::send_here(endpoint::receiver(known), &known.services().unheard())));
}

/// Whether no task ran because no worker can take any of the messages. Then the worker had
/// nothing to send.
fn is_nothing_readable(known: &Known<'_>) -> bool {
    let mut messages = known.evidence.tasks.iter().flat_map(|task| &task.messages).peekable();
    let were_seen = messages.peek().is_some();
    were_seen && messages.all(|delivery| !delivery.message.missing.is_empty()) && known.ran().next().is_none()
}
