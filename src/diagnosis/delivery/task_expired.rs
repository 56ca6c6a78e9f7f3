use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, Presence};
use crate::model::{Confidence, Exception, TaskStatus};

diagnosis! {
    /// ## What it means
    /// The task waited past its `expires`, and the worker threw it away. No run
    /// of it exists and none is missing.
    ///
    /// ## What shows it
    /// The result says REVOKED because of expiry; or the message's `expires`
    /// had passed when it left the queue, or has passed where it waits.
    ///
    /// ## How to fix it
    /// Nothing is broken, unless the task should have run: more workers, or a
    /// later `expires`.
    pub static TASK_EXPIRED = {
        code: "TL707",
        slug: "task-expired",
        station: None,
        severity: Note,
        summary: "the task expired before a worker took it: no run of it exists",
        fixes: || celery::expire_later().into(),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if !handoff.consumers.is_empty() {
        return Judgment::Clean;
    }
    let found = Occurrence::certain().about(handoff).mend(celery::expire_later());
    if let Some(result) = handoff.result {
        let expired = result.status == TaskStatus::Revoked
            && result
                .exception
                .as_ref()
                .is_some_and(|exception| exception.message.contains(Exception::EXPIRED));
        return if expired { found.quote(quote::result(result)).into() } else { Judgment::Clean };
    }
    let Some(message) = handoff.message() else { return Judgment::Clean };
    match message.expires {
        Some(expires) if expires < known.now && handoff.presence != Presence::Unknown => {
            // A message that is gone may have been taken in time.
            let was_there = handoff.delivery.is_some_and(|delivery| delivery.last().at >= expires);
            let found = if was_there {
                found
            } else {
                Occurrence { confidence: Confidence::Likely, ..found }
                    .variant("gone")
                    .says("the task was to expire and is gone: most likely no worker took it in time")
                    .unless(slug::WORKER_SILENT, "a worker may have taken it in time, and sent no span")
                    .needs("a result backend, to see whether it ran")
            };
            found
                .quote(quote::fact(format!("{}.headers.expires", quote::place(message)), expires.to_string()))
                .into()
        }
        _ => Judgment::Clean,
    }
}
