use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::TaskStatus;

diagnosis! {
    /// ## What it means
    /// The task was revoked, so no run of it exists and none is missing.
    ///
    /// ## What shows it
    /// The result says REVOKED, for another reason than expiry.
    ///
    /// ## How to fix it
    /// Nothing is broken. `celery -A app inspect revoked` lists what is revoked.
    pub static TASK_REVOKED = {
        code: "TL706",
        slug: "task-revoked",
        station: None,
        severity: Note,
        summary: "the task was revoked: no run of it exists",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let revoked =
        handoff.result.filter(|result| result.status == TaskStatus::Revoked && handoff.consumers.is_empty());
    let Some(result) = revoked else { return Verdict::Clean };
    if result.exception.as_ref().is_some_and(|exception| exception.message.contains("expired")) {
        return Verdict::Clean;
    }
    Occurrence::certain()
        .about(handoff)
        .quote(quote::result(result))
        .fix("celery -A <app> inspect revoked")
        .into()
}
