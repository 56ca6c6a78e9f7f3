use crate::diagnosis::advice::propagators;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// The message carries `baggage`, in clear text, for as long as it lies in
    /// the broker. Whoever can read the queue can read it, and every service
    /// behind the worker gets it.
    ///
    /// ## What shows it
    /// A `baggage` header. tracelink shows its keys and never its values,
    /// unless asked to.
    ///
    /// ## How to fix it
    /// Nothing, where the values may be seen. Otherwise leave `baggage` out of
    /// `OTEL_PROPAGATORS`, or clear it before publishing:
    ///
    /// ```python
    /// baggage.clear(context)
    /// ```
    pub static BAGGAGE_AT_REST = {
        code: "TL801",
        slug: "baggage-at-rest",
        station: None,
        severity: Note,
        summary: "baggage lies in clear text in the broker",
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let Some(message) = handoff.message().filter(|message| !message.baggage.is_empty()) else {
        return Verdict::Clean;
    };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(
            format!("{}.headers.baggage", quote::place(message)),
            format!("keys: {}", message.baggage.join(", ")),
        ))
        .fix(propagators::NO_BAGGAGE)
        .into()
}
