use super::endpoint;
use crate::diagnosis::advice::export::ExportTarget;
use crate::diagnosis::advice::processor;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// The service sends every span twice: two exporters, two span processors,
    /// or a framework that adds one of its own beside the application's.
    ///
    /// ## What shows it
    /// A span that stands twice in one request; one that comes again grouped
    /// into other requests or with other content; or every request of the
    /// service, two or more, twice (of all services, where a collector mixes
    /// them in its requests). Certain where all spans of the service came again,
    /// or five requests and more: a collector mixes what it sends again with other
    /// spans, and an id comes again with other content where the generator of ids
    /// is given a seed.
    ///
    /// ## How to fix it
    /// One exporter: take the second `add_span_processor` out, or make the provider
    /// anew right before it is set. Where `opentelemetry-instrument` is around a
    /// program that adds a processor itself, one of the two exports; so it is with
    /// `FASTAPI_OTEL_AUTO_CONFIGURE`.
    ///
    /// ## What it is not
    /// One request that comes again as it was: the client got no answer, and
    /// OTLP asks receivers to live with that.
    pub static EXPORTED_TWICE = {
        code: "TL504",
        slug: "exported-twice",
        station: Some(Station::Export),
        severity: Warning,
        summary: "the service sends its spans twice: two exporters or two span processors",
        fixes: || processor::one_exporter(ExportTarget::UNSEEN, Side::Producer, &SdkSetup::default()),
        check: Population(check),
    }
}

/// This many requests do not all come again by chance.
const SURE: u64 = 5;

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (service, repeats) in known.evidence.exports.repeats() {
        let ways = [
            (repeats.within, "spans appear twice in one request"),
            (repeats.regrouped, "spans came again, grouped into other requests"),
            (repeats.rewritten, "span ids came again with other content"),
            (repeats.all_twice, "requests (all that the service sent) came twice"),
        ];
        let kept = known.services().get(service).map_or(u64::MAX, |service| service.total(|of| of.spans));
        // What may be chance: a few requests that were sent again for want of an answer.
        let is_sure = (repeats.within + repeats.regrouped) >= kept || repeats.all_twice >= SURE;
        let mut occurrence = if is_sure { Occurrence::certain() } else { Occurrence::likely() };
        if repeats.within + repeats.regrouped > 0 && !is_sure {
            occurrence =
                occurrence.needs("more of the service's spans: a Collector resends some, among others");
        }
        if repeats.rewritten > 0 {
            occurrence = occurrence.needs("the service's code: random.seed() makes ids come again");
        }
        occurrence = occurrence.service(&**service).counting(repeats.spans().max(repeats.all_twice));
        for (count, what) in ways.into_iter().filter(|(count, _)| *count > 0) {
            occurrence =
                occurrence.quote(quote::fact(format!("spans of {service}"), format!("{count} {what}")));
        }
        let example = repeats.examples.iter().find_map(|key| known.evidence.spans.get(*key));
        let (side, setting) = (known.services().side_of(service), known.services().setting_of(Some(service)));
        let fixes = processor::one_exporter(endpoint::receiver(known), side, &setting);
        found(occurrence.quote(example.map(quote::span)).mend(fixes));
    }
}
