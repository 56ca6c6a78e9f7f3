use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The application hands a carrier over, and it is empty: `inject()` ran
    /// where no span was current, or was never called.
    ///
    /// ## What shows it
    /// A header with a carrier's name that holds `{}` or an empty string, and
    /// no valid context anywhere in the message.
    ///
    /// ## How to fix it
    /// Inject while the request's span is current. A thread or an executor does
    /// not inherit it by itself:
    ///
    /// ```python
    /// ctx = contextvars.copy_context()
    /// executor.submit(ctx.run, publish, order)    # or: await asyncio.to_thread(publish, order)
    /// ```
    pub static EMPTY_CARRIER = {
        code: "TL103",
        slug: "empty-carrier",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the carrier is there and holds nothing: inject() ran where no span was current, or never ran",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let Some(message) = handoff.message() else { return Verdict::Clean };
    let Some(empty) = message.empty_carriers.first() else { return Verdict::Clean };
    if handoff.contexts().next().is_some() || handoff.is_whole() {
        return Verdict::Clean;
    }
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(format!("{}.{}", quote::place(message), empty.at), &*empty.text))
        .fix("propagate.inject(carrier)                # while the request's span is current")
        .fix("contextvars.copy_context().run(publish)  # where a thread or an executor publishes")
        .into()
}
