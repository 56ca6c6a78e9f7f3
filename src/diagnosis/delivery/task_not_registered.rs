use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
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
    /// Let the worker import the module that defines the task: by an `import` in the
    /// module that it starts with, by `imports` or `include` in the settings, or by
    /// `app.autodiscover_tasks([...])`. Or start it with the module that has the
    /// tasks: `celery -A shop.tasks worker`. Where the task has another name in the
    /// worker, publish it by that one.
    pub static TASK_NOT_REGISTERED = {
        code: "TL704",
        slug: "task-not-registered",
        station: None,
        severity: Error,
        summary: "the worker knows no task of this name and threw the message away",
        fixes: || celery::import_the_task("shop.tasks.send_email"),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) else {
        return Judgment::Clean;
    };
    let has_begun = !handoff.consumers.is_empty();
    // Celery's exception names the task that was asked for.
    let is_of_another =
        !failure.message.is_empty() && !handoff.task.is_empty() && !failure.message.contains(handoff.task);
    if &*failure.kind != "NotRegistered" || has_begun || is_of_another {
        return Judgment::Clean;
    }
    Occurrence::certain()
        .about(handoff)
        .quote(quote::result(result))
        .mend(celery::import_the_task(handoff.task))
        .into()
}
