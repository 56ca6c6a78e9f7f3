use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::Outcome;
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// A gRPC exporter is pointed at the port that speaks OTLP over HTTP. None
    /// of its spans can be taken.
    ///
    /// ## What shows it
    /// HTTP/2 with `content-type: application/grpc` on the HTTP port.
    ///
    /// ## How to fix it
    /// gRPC goes to port 4317. Or the exporter stays at this port, 4318, and speaks
    /// HTTP. An endpoint in code wins over the environment, so the first fix goes
    /// where the exporter is made; the second is for a program that a launcher sets
    /// up.
    pub static GRPC_ON_HTTP_PORT = {
        code: "TL505",
        slug: "grpc-on-http-port",
        station: Some(Station::Export),
        severity: Error,
        summary: "a gRPC exporter is pointed at the OTLP/HTTP port: none of its spans arrive",
        fixes: || export::grpc_port(ExportTarget::UNSEEN, &[(Side::Both, SdkSetup::default())]),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver().of(Outcome::GrpcOnHttpPort) else { return };
    let fixes = export::grpc_port(endpoint::receiver(known), &endpoint::senders(known, requests));
    let mut occurrence = Occurrence::certain().counting(requests.count).mend(fixes);
    for agent in &requests.agents {
        occurrence = occurrence.quote(quote::fact("receiver, HTTP port", format!("gRPC from {agent}")));
    }
    found(occurrence);
}
