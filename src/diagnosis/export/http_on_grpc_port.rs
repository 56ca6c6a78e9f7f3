use super::endpoint;
use crate::diagnosis::advice::export;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::Outcome;
use crate::model::Station;

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
    /// ```sh
    /// OTEL_EXPORTER_OTLP_ENDPOINT=http://<host>:4318      # HTTP is on 4318
    /// ```
    ///
    /// or `OTEL_EXPORTER_OTLP_PROTOCOL=grpc` and port 4317. The variable for
    /// traces alone, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, needs the path too:
    /// `http://<host>:4318/v1/traces`.
    pub static HTTP_ON_GRPC_PORT = {
        code: "TL510",
        slug: "http-on-grpc-port",
        station: Some(Station::Export),
        severity: Error,
        summary: "an HTTP exporter is pointed at the OTLP/gRPC port: none of its spans arrive",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver.of(Outcome::HttpOnGrpcPort) else { return };
    let mut occurrence =
        Occurrence::certain().counting(requests.count).fix(export::http_port(endpoint::http(known)));
    for target in &requests.targets {
        occurrence = occurrence.quote(quote::fact("receiver, gRPC port", target.to_string()));
    }
    for agent in &requests.agents {
        occurrence = occurrence.quote(quote::fact("user-agent", agent.to_string()));
    }
    found(occurrence);
}
