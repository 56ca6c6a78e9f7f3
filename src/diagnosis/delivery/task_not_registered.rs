use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// The worker got the message and knows no task of that name, so it threw
    /// the message away. Mostly the worker never imports the module that
    /// defines the task.
    ///
    /// ## What shows it
    /// A result FAILURE with `NotRegistered` and the task's own name, and no run: a
    /// task that asks for another one which is not registered fails by itself.
    ///
    /// ## How to fix it
    /// ```python
    /// app = Celery("shop", broker=…, include=["shop.tasks"])
    /// ```
    ///
    /// or `app.autodiscover_tasks([...])`; or start the worker with the module
    /// that has the tasks: `celery -A shop.tasks worker`.
    pub static TASK_NOT_REGISTERED = {
        code: "TL704",
        slug: "task-not-registered",
        station: None,
        severity: Error,
        summary: "the worker knows no task of this name and threw the message away",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) else {
        return Verdict::Clean;
    };
    let has_begun = !handoff.consumers.is_empty();
    // Celery names the task that it was asked for.
    let is_of_another =
        !failure.message.is_empty() && !handoff.task.is_empty() && !failure.message.contains(handoff.task);
    if &*failure.kind != "NotRegistered" || has_begun || is_of_another {
        return Verdict::Clean;
    }
    Occurrence::certain().about(handoff).quote(quote::result(result)).fix(celery::IMPORT_THE_TASK).into()
}
