use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis};
use crate::evidence::Outcome;
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// An HTTP exporter is pointed at the port that speaks gRPC. None of its
    /// spans can be taken.
    ///
    /// ## What shows it
    /// An HTTP request to `/v1/traces` or with OTLP content at the gRPC port. A
    /// browser or a health check that looks at the port is neither.
    ///
    /// ## How to fix it
    /// HTTP goes to port 4318. Or the exporter stays at this port, 4317, and speaks
    /// gRPC. An endpoint in code and the variable for traces alone,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, both need the path too: `/v1/traces`.
    pub static HTTP_ON_GRPC_PORT = {
        code: "TL510",
        slug: "http-on-grpc-port",
        station: Some(Station::Export),
        severity: Error,
        summary: "an HTTP exporter is pointed at the OTLP/gRPC port: none of its spans arrive",
        fixes: || export::http_port(ExportTarget::UNSEEN, &[(Side::Both, SdkSetup::default())]),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver().of(Outcome::HttpOnGrpcPort) else { return };
    let fixes = export::http_port(endpoint::receiver(known), &endpoint::senders(known, requests));
    found(endpoint::misdirected(requests, "receiver, gRPC port").mend(fixes));
}
