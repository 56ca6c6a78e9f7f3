//! Exporters, and where they send to.

use super::plain_name::plain_name;
use super::setting_fix::SettingFix;
use crate::diagnosis::known::SdkSetup;
use crate::evidence::{Endpoints, OtlpProtocol};
use crate::model::{Fix, FixPlace, Side, Text};

/// Where spans are to go, and what is spoken there, as far as the evidence says it.
#[derive(Clone, Copy, Debug)]
pub struct ExportTarget<'k> {
    pub place: ReceiverAddress<'k>,
    /// What the exports that came speak.
    pub protocol: OtlpProtocol,
}

impl ExportTarget<'_> {
    pub const UNSEEN: Self = Self { place: ReceiverAddress::Unseen, protocol: OtlpProtocol::Grpc };
}

/// Where a receiver is.
#[derive(Clone, Copy, Debug)]
pub enum ReceiverAddress<'k> {
    At(&'k Endpoints),
    /// The environment that the programs were started with names it.
    Told,
    /// The evidence was saved, or the receiver is another one.
    Unseen,
}

/// An exporter that is pointed at the receiver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exporter<'k> {
    receiver: ExportTarget<'k>,
    protocol: OtlpProtocol,
}

impl<'k> Exporter<'k> {
    pub(super) const fn grpc(receiver: ExportTarget<'k>) -> Self {
        Self { receiver, protocol: OtlpProtocol::Grpc }
    }

    pub(super) const fn http(receiver: ExportTarget<'k>) -> Self {
        Self { receiver, protocol: OtlpProtocol::Http }
    }

    /// One that needs no thread of its process, where a door for HTTP is known: at
    /// another it waits for each span until it gives up.
    pub(super) const fn without_threads(receiver: ExportTarget<'k>) -> Self {
        match receiver.place {
            ReceiverAddress::At(_) => Self::http(receiver),
            ReceiverAddress::Told | ReceiverAddress::Unseen => Self::as_others(receiver),
        }
    }

    /// One that speaks as those do which reach it.
    pub(super) const fn as_others(receiver: ExportTarget<'k>) -> Self {
        Self { receiver, protocol: receiver.protocol }
    }

    pub(super) const fn package(self) -> &'static str {
        package(self.protocol)
    }

    /// The address, without a path; `None` where no door is known.
    fn address(self) -> Option<&'k str> {
        let ReceiverAddress::At(endpoints) = self.receiver.place else { return None };
        let address = match self.protocol {
            OtlpProtocol::Grpc => &endpoints.grpc,
            OtlpProtocol::Http => &endpoints.http,
        };
        Some(plain_name(address, b":/.-[]", "")).filter(|address| !address.is_empty())
    }

    /// The address as an exporter for traces takes it.
    fn url(self, address: &str) -> String {
        match self.protocol {
            OtlpProtocol::Grpc => address.to_owned(),
            OtlpProtocol::Http => format!("{address}/v1/traces"),
        }
    }

    pub(super) const fn import(self) -> &'static str {
        import(self.protocol)
    }

    /// Lines that make it and name it `exporter`. Without an address it reads the
    /// environment.
    pub(super) fn made(self) -> Vec<Text> {
        let Some(address) = self.address() else {
            return vec!["exporter = trace_exporter.OTLPSpanExporter()".into()];
        };
        vec![
            "exporter = trace_exporter.OTLPSpanExporter(".into(),
            format!("    endpoint=\"{}\",", self.url(address)).into(),
            ")".into(),
        ]
    }

    fn lines(self) -> Vec<Text> {
        std::iter::once(self.import().into()).chain(self.made()).collect()
    }

    /// The same by environment: the variables for traces, which win over the others.
    fn variables(self) -> Vec<Text> {
        let (port, protocol) = match self.protocol {
            OtlpProtocol::Grpc => (4317, "grpc"),
            OtlpProtocol::Http => (4318, "http/protobuf"),
        };
        let address = self.address().map_or_else(|| format!("http://localhost:{port}"), str::to_owned);
        vec![
            format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}", self.url(&address)).into(),
            format!("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL={protocol}").into(),
        ]
    }

    /// Makes it where each side does so.
    pub(super) fn by(self, does: &str, sides: &[(Side, SdkSetup)]) -> Vec<Fix> {
        let ways = SettingFix {
            does,
            place: FixPlace::Exporter,
            python: self.lines(),
            environment: self.variables(),
            installs: vec![self.package().into()],
        };
        let sides: Vec<_> = sides.iter().map(|(side, setting)| (*side, setting)).collect();
        ways.by(&sides).into_iter().map(|fix| self.located(fix)).collect()
    }

    /// Says what only the user can know of the address.
    pub(super) fn located(self, fix: Fix) -> Fix {
        match (self.receiver.place, self.address()) {
            (ReceiverAddress::Told, _) => {
                fix.needing("the environment arrives: tox, docker and sudo pass it on where they are told to")
            }
            (_, None) => fix.needing(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names the collector, where it is not on this machine",
            ),
            (_, Some(address)) if address.contains("//localhost") => {
                fix.needing("localhost is the machine on which tracelink listens")
            }
            _ => fix,
        }
    }
}

/// The package of Python's exporter.
pub(super) const fn package(protocol: OtlpProtocol) -> &'static str {
    match protocol {
        OtlpProtocol::Grpc => "opentelemetry-exporter-otlp-proto-grpc",
        OtlpProtocol::Http => "opentelemetry-exporter-otlp-proto-http",
    }
}

/// The line that imports its module.
pub(super) const fn import(protocol: OtlpProtocol) -> &'static str {
    match protocol {
        OtlpProtocol::Grpc => "from opentelemetry.exporter.otlp.proto.grpc import trace_exporter",
        OtlpProtocol::Http => "from opentelemetry.exporter.otlp.proto.http import trace_exporter",
    }
}

/// Mends TL505.
pub fn grpc_port(receiver: ExportTarget<'_>, senders: &[(Side, SdkSetup)]) -> Vec<Fix> {
    let http = Exporter::http(receiver);
    let to_its_port = Exporter::grpc(receiver).by("send gRPC to its port", senders);
    to_its_port.into_iter().chain(http.by("speak HTTP to this port", senders)).collect()
}

/// Mends TL510.
pub fn http_port(receiver: ExportTarget<'_>, senders: &[(Side, SdkSetup)]) -> Vec<Fix> {
    let http = Exporter::http(receiver);
    let to_this_port = Exporter::grpc(receiver).by("speak gRPC to this port", senders);
    http.by("send HTTP to its port", senders).into_iter().chain(to_this_port).collect()
}

/// Mends TL506 and TL512.
pub fn traces_path(receiver: ExportTarget<'_>, senders: &[(Side, SdkSetup)]) -> Vec<Fix> {
    Exporter::http(receiver).by("send to /v1/traces", senders)
}

/// Mends TL511: by each protocol that the client may have meant.
pub fn without_tls(
    receiver: ExportTarget<'_>,
    protocols: &[OtlpProtocol],
    senders: &[(Side, SdkSetup)],
) -> Vec<Fix> {
    let by = |protocol: &OtlpProtocol| {
        let does = match protocol {
            OtlpProtocol::Grpc => "send gRPC without TLS",
            OtlpProtocol::Http => "send HTTP without TLS",
        };
        Exporter { receiver, protocol: *protocol }.by(does, senders)
    };
    protocols.iter().flat_map(by).collect()
}

/// Mends TL507: the exporter first, which wins over the environment; then what keeps
/// an SDK from sending.
pub fn send_here(receiver: ExportTarget<'_>, senders: &[(Side, SdkSetup)]) -> Vec<Fix> {
    let exporter = Exporter::grpc(receiver);
    let switches =
        ["OTEL_TRACES_EXPORTER=otlp", "OTEL_SDK_DISABLED=false", "OTEL_TRACES_SAMPLER=parentbased_always_on"];
    let address =
        if matches!(receiver.place, ReceiverAddress::Told) { Vec::new() } else { exporter.variables() };
    let switched = Fix::new("switch the export on, by environment")
        .environment(Side::Both, address.into_iter().chain(switches.map(Text::from)))
        .needing("no code of the program sets any of these: code wins");
    let in_code = exporter.by("send to where tracelink listens", senders);
    in_code.into_iter().take(1).chain([exporter.located(switched)]).collect()
}

/// Mends TL501 and TL502 where an exporter sends elsewhere.
pub fn to_the_receiver(receiver: ExportTarget<'_>, side: Side, setting: &SdkSetup) -> Vec<Fix> {
    Exporter::as_others(receiver).by("send to the receiver", &[(side, setting.clone())])
}
