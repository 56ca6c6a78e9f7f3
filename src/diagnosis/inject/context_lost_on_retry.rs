use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Protocol, Station};

diagnosis! {
    /// ## What it means
    /// The first attempt carried the context, the retry does not: the worker
    /// published the task again and left the custom headers behind. Each
    /// further attempt is a trace of its own.
    ///
    /// ## What shows it
    /// A message with `retries` above 0 and no context, whose attempt 0 had
    /// one. Celery before 5.3 drops custom headers on `self.retry()`.
    ///
    /// ## How to fix it
    /// Celery 5.3 or later; or hand them on:
    ///
    /// ```python
    /// raise self.retry(exc=exc, headers=self.request.headers)
    /// ```
    pub static CONTEXT_LOST_ON_RETRY = {
        code: "TL106",
        slug: "context-lost-on-retry",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the first attempt carried the context and the retry does not: Celery before 5.3 drops custom headers on self.retry()",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(message) = handoff.message() else { return Verdict::Clean };
    let is_bare_retry =
        message.retries > 0 && message.contexts.is_empty() && message.protocol == Protocol::Two;
    if !is_bare_retry || handoff.is_whole() {
        return Verdict::Clean;
    }
    let first = known.evidence.tasks.get(handoff.task_id).and_then(|task| {
        task.messages
            .iter()
            .find(|earlier| earlier.message.retries < message.retries && !earlier.message.contexts.is_empty())
    });
    let Some(first) = first else { return Verdict::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(first.message.contexts.first().map(|found| quote::sighting(&first.message, found)))
        .quote(quote::fact(
            format!("{}.headers", quote::place(message)),
            format!("retries {}, no trace context", message.retries),
        ))
        .fix("pip install 'celery>=5.3'")
        .fix("raise self.retry(exc=exc, headers=self.request.headers)   # or by hand")
        .into()
}
