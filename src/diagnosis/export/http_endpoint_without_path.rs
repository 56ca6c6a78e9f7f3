use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis};
use crate::evidence::Outcome;
use crate::model::{Side, Station};

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
    /// Give the exporter the whole address, `/v1/traces` included. Or leave the
    /// argument away, and let the environment name the endpoint: it is read only
    /// where code names none.
    pub static HTTP_ENDPOINT_WITHOUT_PATH = {
        code: "TL506",
        slug: "http-endpoint-without-path",
        station: Some(Station::Export),
        severity: Error,
        summary: "an HTTP exporter posts to `/` instead of `/v1/traces`: none of its spans arrive",
        fixes: || export::traces_path(ExportTarget::UNSEEN, &[(Side::Both, SdkSetup::default())]),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver().of(Outcome::WithoutPath) else { return };
    let fixes = export::traces_path(endpoint::receiver(known), &endpoint::senders(known, requests));
    found(endpoint::misdirected(requests, "receiver, HTTP port").mend(fixes));
}
