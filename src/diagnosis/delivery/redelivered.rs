use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// A worker had the message and gave it back: it was stopped while it held
    /// messages that it had not begun.
    ///
    /// ## What shows it
    /// `redelivered: true` in the message.
    ///
    /// ## How to fix it
    /// Nothing is broken. Where it happens often, let workers fetch less ahead:
    /// `worker_prefetch_multiplier = 1`.
    pub static REDELIVERED = {
        code: "TL709",
        slug: "redelivered",
        station: None,
        severity: Note,
        summary: "a worker had the message and gave it back",
        fixes: || celery::fetch_less_ahead().into(),
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let redelivered = handoff.delivery.filter(|delivery| delivery.last().redelivered);
    let Some(delivery) = redelivered else { return Judgment::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(quote::place(&delivery.message), "redelivered: true"))
        .mend(celery::fetch_less_ahead())
        .into()
}
