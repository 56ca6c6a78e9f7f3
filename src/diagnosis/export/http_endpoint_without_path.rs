use super::endpoint;
use crate::diagnosis::advice::export;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::Outcome;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// An HTTP exporter was given a bare endpoint in code and posts to `/`. The
    /// path is added only to the endpoint in `OTEL_EXPORTER_OTLP_ENDPOINT`; one
    /// that is given to the exporter itself is taken as it is.
    ///
    /// ## What shows it
    /// `POST /` with OTLP content.
    ///
    /// ## How to fix it
    /// ```python
    /// OTLPSpanExporter(endpoint="http://<host>:4318/v1/traces")
    /// ```
    ///
    /// or leave the argument away and set `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub static HTTP_ENDPOINT_WITHOUT_PATH = {
        code: "TL506",
        slug: "http-endpoint-without-path",
        station: Some(Station::Export),
        severity: Error,
        summary: "an HTTP exporter posts to `/` instead of `/v1/traces`: none of its spans arrive",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver.of(Outcome::WithoutPath) else { return };
    let mut occurrence =
        Occurrence::certain().counting(requests.count).fix(export::traces_path(endpoint::http(known)));
    for target in &requests.targets {
        occurrence = occurrence.quote(quote::fact("receiver, HTTP port", target.to_string()));
    }
    for agent in &requests.agents {
        occurrence = occurrence.quote(quote::fact("user-agent", agent.to_string()));
    }
    found(occurrence);
}
