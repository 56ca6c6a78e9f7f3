use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{OtlpProtocol, Outcome};
use crate::model::{Side, Station};

diagnosis! {
    /// ## What it means
    /// A client wants TLS from a port that speaks none. An exporter that does so
    /// sends no span.
    ///
    /// ## What shows it
    /// The first bytes of a connection are those of a TLS ClientHello. Who sent
    /// it cannot be read from it, so this is likely, and never certain: a browser
    /// that was given `https://` sends the same.
    ///
    /// ## How to fix it
    /// Write `http://`, not `https://`.
    ///
    /// A gRPC exporter takes an endpoint without a scheme, such as
    /// `localhost:4317`, for one with TLS, unless `insecure=True` is given or
    /// `OTEL_EXPORTER_OTLP_INSECURE=true` is set.
    pub static TLS_ON_PLAIN_PORT = {
        code: "TL511",
        slug: "tls-on-plain-port",
        station: Some(Station::Export),
        severity: Error,
        summary: "an exporter wants TLS from a port that speaks none: none of its spans arrive",
        fixes: || {
            let both = [(Side::Both, SdkSetup::default())];
            export::without_tls(ExportTarget::UNSEEN, &[OtlpProtocol::Grpc, OtlpProtocol::Http], &both)
        },
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let Some(requests) = known.evidence.receiver().of(Outcome::TlsOnPlainPort) else { return };
    // If nothing shows what the port's clients speak, gRPC is the most common.
    let asked = |port: &str| requests.targets.iter().any(|target| target.contains(port));
    let protocols: &[OtlpProtocol] = match (asked("gRPC"), asked("HTTP")) {
        (true, false) => &[OtlpProtocol::Grpc],
        (false, true) => &[OtlpProtocol::Http],
        _ => &[OtlpProtocol::Grpc, OtlpProtocol::Http],
    };
    let fixes =
        export::without_tls(endpoint::receiver(known), protocols, &endpoint::senders(known, requests));
    let mut occurrence = Occurrence::likely()
        .counting(requests.count)
        .mend(fixes)
        .needs("the exporter's own log: it says `wrong version number`, or that the handshake failed");
    for target in &requests.targets {
        occurrence = occurrence.quote(quote::fact("receiver", target.to_string()));
    }
    if requests.targets.is_empty() {
        occurrence = occurrence.quote(quote::fact("receiver", "TLS ClientHello"));
    }
    found(occurrence);
}
