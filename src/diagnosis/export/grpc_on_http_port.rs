use super::endpoint;
use crate::diagnosis::advice::export;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::Outcome;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// A gRPC exporter is pointed at the port that speaks OTLP over HTTP. None
    /// of its spans can be taken.
    ///
    /// ## What shows it
    /// HTTP/2 with `content-type: application/grpc` on the HTTP port.
    ///
    /// ## How to fix it
    /// ```sh
    /// OTEL_EXPORTER_OTLP_ENDPOINT=http://<host>:4317      # gRPC is on 4317
    /// ```
    ///
    /// or `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` and port 4318.
    pub static GRPC_ON_HTTP_PORT = {
        code: "TL505",
        slug: "grpc-on-http-port",
        station: Some(Station::Export),
        severity: Error,
        summary: "a gRPC exporter is pointed at the OTLP/HTTP port: none of its spans arrive",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver.of(Outcome::GrpcOnHttpPort) else { return };
    let mut occurrence =
        Occurrence::certain().counting(requests.count).fix(export::grpc_port(endpoint::grpc(known)));
    for agent in &requests.agents {
        occurrence = occurrence.quote(quote::fact("receiver, HTTP port", format!("gRPC from {agent}")));
    }
    found(occurrence);
}
