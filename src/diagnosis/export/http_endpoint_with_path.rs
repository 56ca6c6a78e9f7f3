use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis};
use crate::evidence::Outcome;
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// An HTTP exporter posts its traces to another path than `/v1/traces`, and
    /// the receiver has nothing there. Most often the endpoint in
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` ends in `/v1/traces` already, and the exporter
    /// adds it once more.
    ///
    /// ## What shows it
    /// OTLP content posted to a path that ends in `/v1/traces` and has more before
    /// or behind it: `POST /v1/traces/v1/traces`, `POST /v1/traces/`.
    ///
    /// ## How to fix it
    /// Give `OTEL_EXPORTER_OTLP_ENDPOINT` without a path. Or name the whole address, for
    /// traces alone: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or the exporter's
    /// own argument, is taken as it is.
    ///
    /// ## What it is not
    /// An exporter of metrics or of logs: its path says nothing about spans.
    pub static HTTP_ENDPOINT_WITH_PATH = {
        code: "TL512",
        slug: "http-endpoint-with-path",
        station: Some(Station::Export),
        severity: Error,
        summary: "an HTTP exporter posts to another path than `/v1/traces`: none of its spans arrive",
        fixes: || export::traces_path(ExportTarget::UNSEEN, &[(Side::Both, SdkSetup::default())]),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver().of(Outcome::OtherPath) else { return };
    let fixes = export::traces_path(endpoint::receiver(known), &endpoint::senders(known, requests));
    found(endpoint::misdirected(requests, "receiver, HTTP port").mend(fixes));
}
