use std::collections::BTreeSet;

use crate::diagnosis::advice::propagators;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
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
    /// Nothing, where the values may be seen. Otherwise let the process that publishes
    /// write no baggage, where it sets its propagators. Then whatever reads baggage
    /// behind it goes without, behind its HTTP calls too: tasks, services, and span
    /// processors that copy baggage into attributes. `opentelemetry.baggage.clear()`
    /// drops it for one publish alone.
    pub static BAGGAGE_AT_REST = {
        code: "TL801",
        slug: "baggage-at-rest",
        station: None,
        severity: Note,
        summary: "baggage lies in clear text in the broker",
        fixes: || propagators::without_baggage(&BTreeSet::new(), &SdkSetup::default()),
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message().filter(|message| !message.baggage.is_empty()) else {
        return Judgment::Clean;
    };
    let formats = message.contexts.iter().filter(|found| found.is_flat_header()).map(|found| found.format);
    let setting = SdkSetup::of_producer(handoff);
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(
            format!("{}.headers.baggage", quote::place(message)),
            format!("keys: {}", message.baggage.join(", ")),
        ))
        .mend(propagators::without_baggage(&formats.collect(), &setting))
        .into()
}
