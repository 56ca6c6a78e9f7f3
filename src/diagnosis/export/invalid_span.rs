use crate::diagnosis::advice::processor;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::model::{Fix, Invalid, Side, Station};

diagnosis! {
    /// ## What it means
    /// Spans arrived with ids or times that OTLP does not allow. Those with
    /// broken ids belong to no trace and are left out; those with broken times
    /// are kept and look odd in every viewer.
    ///
    /// ## What shows it
    /// A trace id that is not 16 bytes or all zero, a span id that is not 8
    /// bytes or all zero, an end before the start, a start at the epoch.
    ///
    /// ## How to fix it
    /// It is the exporter's fault, or that of whatever rewrites spans on the
    /// way: update it, or look at the processor that sets ids or times by hand. A
    /// program with an `id_generator` of its own may take the SDK's.
    pub static INVALID_SPAN = {
        code: "TL508",
        slug: "invalid-span",
        station: Some(Station::Export),
        severity: Warning,
        summary: "spans arrived with ids or times that OTLP does not allow",
        fixes: || processor::ids_of_the_sdk(Side::Both, &SdkSetup::default()),
        check: Population(check),
    }
}

/// Ids that a generator made are mended by another one.
fn fixes<'s>(why: Invalid, services: impl Iterator<Item = &'s str>, known: &Known<'_>) -> Vec<Fix> {
    let senders = services
        .map(|service| (known.services().side_of(service), known.services().setting_of(Some(service))));
    let unseen = (Side::Both, SdkSetup::default());
    let common = senders.reduce(|one, other| if one == other { one } else { unseen.clone() });
    let (side, setting) = common.unwrap_or(unseen);
    match why {
        Invalid::TraceId | Invalid::SpanId => processor::ids_of_the_sdk(side, &setting),
        Invalid::ParentId | Invalid::Times | Invalid::Shape => processor::valid_spans(side).into(),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (why, spans) in &known.evidence.invalid {
        let says = match why {
            Invalid::TraceId => "spans arrived with a trace id that is not 16 bytes, or all zero",
            Invalid::SpanId => "spans arrived with a span id that is not 8 bytes, or all zero",
            Invalid::ParentId => "spans arrived with a parent id that is not 8 bytes",
            Invalid::Times => "spans arrived that end before they start, or start at the epoch",
            Invalid::Shape => "spans arrived that lack a required field, or have one of a wrong type",
        };
        let mut occurrence = Occurrence::certain()
            .variant(why.label())
            .says(says)
            .counting(spans.count)
            .mend(fixes(*why, spans.services.iter().map(|service| &**service), known));
        for example in &spans.examples {
            occurrence = occurrence.quote(quote::fact("OTLP", &**example));
        }
        for service in &spans.services {
            occurrence = occurrence.service(service.to_string());
        }
        found(occurrence);
    }
}
