use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Exception, TaskStatus};

diagnosis! {
    /// ## What it means
    /// The task was revoked, so that no run of it is missing: it never began, or
    /// it was ended while it ran (`revoke(terminate=True)`), and its span with it.
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
        summary: "the task was revoked: it never ran, or was ended while it ran",
        fixes: || celery::list_what_is_revoked().into(),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let revoked =
        handoff.result.filter(|result| result.status == TaskStatus::Revoked && handoff.consumers.is_empty());
    let Some(result) = revoked else { return Judgment::Clean };
    if result.exception.as_ref().is_some_and(|exception| exception.message.contains(Exception::EXPIRED)) {
        return Judgment::Clean;
    }
    let mut found = Occurrence::certain();
    if result.exception.as_ref().is_some_and(|exception| exception.message.contains(Exception::TERMINATED)) {
        found = found.variant("terminated").says(
            "the task was revoked while it ran: its process was ended, and the spans that were open with it",
        );
    }
    found.about(handoff).quote(quote::result(result)).mend(celery::list_what_is_revoked()).into()
}
