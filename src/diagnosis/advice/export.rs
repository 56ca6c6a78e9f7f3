//! How spans leave their process: exporters, where they send to, and the flush at
//! the end.

use super::{Ways, plain};
use crate::diagnosis::known::Setting;
use crate::evidence::Endpoints;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// Mends TL501 where no other run was seen: in the worker.
pub const WORKER_SENDS_NOTHING: [&str; 4] = [
    "worker_process_init.connect(init_tracing, weak=False)   # no SDK: prefork; worker_init under threads or gevent",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # wrong endpoint or port: 4317 is gRPC, 4318 is HTTP",
    "OTEL_TRACES_SAMPLER=parentbased_always_on   # a sampler of the worker's own",
    "worker_process_shutdown.connect(lambda **kw: provider.shutdown(), weak=False)   # lost at exit",
];

/// Mends TL501 where other runs were seen: in each worker.
pub const EVERY_WORKER_SENDS: [&str; 2] =
    [FLUSH_AT_EXIT[0], "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # the same for every worker"];

/// Mends TL501, TL503: in the worker's code.
pub const FLUSH_AT_EXIT: [&str; 1] =
    ["worker_process_shutdown.connect(lambda **kw: provider.shutdown(), weak=False)   # flush at exit"];

/// Mends TL502: in the process that publishes, and its environment.
pub const PUBLISHER_SENDS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # in the process that publishes",
    "trace.get_tracer_provider().shutdown()   # where it ends right after it published",
];

/// Mends TL503: where the span is started by hand, and in the worker's code.
pub const SPANS_END: [&str; 2] =
    ["with tracer.start_as_current_span(name):  # ends by itself, whatever happens", FLUSH_AT_EXIT[0]];

/// Mends TL503 where a publish left its span current: around each publish that
/// may fail.
pub const PUBLISH_IN_A_CONTEXT_OF_ITS_OWN: [&str; 3] = [
    "token = context.attach(context.get_current())   # opentelemetry.context, before the publish",
    "try: task.apply_async(args)",
    "finally: context.detach(token)   # with whatever a publish that failed left current",
];

/// Where spans are to go, as far as the evidence says it.
#[derive(Clone, Copy, Debug)]
pub enum Receiver<'k> {
    At(&'k Endpoints),
    /// The environment that the programs were started with names it.
    Told,
    /// The evidence was saved, or the receiver is another one.
    Unseen,
}

/// What an exporter speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Grpc,
    Http,
}

/// An exporter that is pointed at the receiver.
#[derive(Clone, Copy, Debug)]
struct Exporter<'k> {
    receiver: Receiver<'k>,
    protocol: Protocol,
}

impl<'k> Exporter<'k> {
    const fn grpc(receiver: Receiver<'k>) -> Self {
        Self { receiver, protocol: Protocol::Grpc }
    }

    const fn package(self) -> &'static str {
        match self.protocol {
            Protocol::Grpc => "opentelemetry-exporter-otlp-proto-grpc",
            Protocol::Http => "opentelemetry-exporter-otlp-proto-http",
        }
    }

    /// The address, without a path; `None` where no door is known.
    fn address(self) -> Option<&'k str> {
        let Receiver::At(endpoints) = self.receiver else { return None };
        let address = match self.protocol {
            Protocol::Grpc => &endpoints.grpc,
            Protocol::Http => &endpoints.http,
        };
        Some(plain(address, b":/.-[]", "")).filter(|address| !address.is_empty())
    }

    /// The address as an exporter for traces takes it.
    fn url(self, address: &str) -> String {
        match self.protocol {
            Protocol::Grpc => address.to_owned(),
            Protocol::Http => format!("{address}/v1/traces"),
        }
    }

    const fn import(self) -> &'static str {
        match self.protocol {
            Protocol::Grpc => "from opentelemetry.exporter.otlp.proto.grpc import trace_exporter",
            Protocol::Http => "from opentelemetry.exporter.otlp.proto.http import trace_exporter",
        }
    }

    /// Lines that make it and name it `exporter`. Without an address it reads the
    /// environment.
    fn made(self) -> Vec<Text> {
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
            Protocol::Grpc => (4317, "grpc"),
            Protocol::Http => (4318, "http/protobuf"),
        };
        let address = self.address().map_or_else(|| format!("http://localhost:{port}"), str::to_owned);
        vec![
            format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}", self.url(&address)).into(),
            format!("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL={protocol}").into(),
        ]
    }

    /// Makes it where each side does so.
    fn by(self, does: &str, sides: &[(Side, Setting)]) -> Vec<Fix> {
        let ways = Ways {
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
    fn located(self, fix: Fix) -> Fix {
        match (self.receiver, self.address()) {
            (Receiver::Told, _) => {
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

/// Mends TL505.
pub fn grpc_port(receiver: Receiver<'_>, senders: &[(Side, Setting)]) -> Vec<Fix> {
    let http = Exporter { receiver, protocol: Protocol::Http };
    let to_its_port = Exporter::grpc(receiver).by("send gRPC to its port", senders);
    to_its_port.into_iter().chain(http.by("speak HTTP to this port", senders)).collect()
}

/// Mends TL510.
pub fn http_port(receiver: Receiver<'_>, senders: &[(Side, Setting)]) -> Vec<Fix> {
    let http = Exporter { receiver, protocol: Protocol::Http };
    let to_this_port = Exporter::grpc(receiver).by("speak gRPC to this port", senders);
    http.by("send HTTP to its port", senders).into_iter().chain(to_this_port).collect()
}

/// Mends TL506.
pub fn traces_path(receiver: Receiver<'_>, senders: &[(Side, Setting)]) -> Vec<Fix> {
    Exporter { receiver, protocol: Protocol::Http }.by("send to /v1/traces", senders)
}

/// Mends TL511: by each protocol that the client may have meant.
pub fn without_tls(receiver: Receiver<'_>, protocols: &[Protocol], senders: &[(Side, Setting)]) -> Vec<Fix> {
    let by = |protocol: &Protocol| {
        let does = match protocol {
            Protocol::Grpc => "send gRPC without TLS",
            Protocol::Http => "send HTTP without TLS",
        };
        Exporter { receiver, protocol: *protocol }.by(does, senders)
    };
    protocols.iter().flat_map(by).collect()
}

/// Mends TL507: the exporter first, which wins over the environment; then what keeps
/// an SDK from sending.
pub fn send_here(receiver: Receiver<'_>, senders: &[(Side, Setting)]) -> Vec<Fix> {
    let exporter = Exporter::grpc(receiver);
    let switches =
        ["OTEL_TRACES_EXPORTER=otlp", "OTEL_SDK_DISABLED=false", "OTEL_TRACES_SAMPLER=parentbased_always_on"];
    let address = if matches!(receiver, Receiver::Told) { Vec::new() } else { exporter.variables() };
    let switched = Fix::new("switch the export on, by environment")
        .environment(Side::Both, address.into_iter().chain(switches.map(Text::from)))
        .needing("no code of the program sets any of these: code wins");
    let in_code = exporter.by("send to where tracelink listens", senders);
    in_code.into_iter().take(1).chain([exporter.located(switched)]).collect()
}

/// Mends TL504: one provider with one processor, as this service is set up.
pub fn one_exporter(receiver: Receiver<'_>, side: Side, service: &Setting) -> Vec<Fix> {
    match service.language.code() {
        Some(Language::Python) if service.is_zero_code == Some(true) => vec![
            Fix::new("let the program's own code export").environment(side, ["OTEL_TRACES_EXPORTER=none"]).needing(
                "the program adds a span processor to the provider that opentelemetry-instrument made",
            ),
            Fix::new("export once").environment(side, ["OTEL_TRACES_EXPORTER=otlp"]).needing(
                "no code of the program adds a span processor, and the variable names two exporters",
            ),
        ],
        Some(Language::Python) => vec![anew("export once", receiver, side, &[])],
        _ => vec![Fix::new("export once").by_hand(
            side,
            "look for a second exporter or span processor, and for a launcher around a program that sets up the SDK itself: keep one of them",
        )],
    }
}

/// The provider made anew, with one processor that takes these arguments.
fn anew(does: &'static str, receiver: Receiver<'_>, side: Side, arguments: &[&str]) -> Fix {
    let exporter = Exporter::grpc(receiver);
    let imports = [
        exporter.import(),
        "from opentelemetry.sdk.trace import TracerProvider",
        "from opentelemetry.sdk.trace.export import BatchSpanProcessor",
    ];
    let provider = [
        "provider = TracerProvider(",
        "    resource=provider.resource,",
        "    sampler=provider.sampler,",
        ")",
    ];
    let added: Vec<Text> = if arguments.is_empty() {
        vec!["provider.add_span_processor(BatchSpanProcessor(exporter))".into()]
    } else {
        let head =
            ["provider.add_span_processor(", "    BatchSpanProcessor(", "        exporter,"].map(Text::from);
        let arguments = arguments.iter().map(|argument| format!("        {argument},").into());
        head.into_iter().chain(arguments).chain(["    )".into(), ")".into()]).collect()
    };
    let lines = imports.into_iter().map(Text::from).chain(exporter.made());
    let lines = lines.chain(provider.map(Text::from)).chain(added);
    let fix = Fix::new(does).python(side, FixPlace::SetProvider, lines).installing([exporter.package()]);
    exporter.located(fix)
}

/// Mends TL509. The environment is read by code too, where that names no size.
pub fn larger_queue(receiver: Receiver<'_>, side: Side, service: &Setting) -> Vec<Fix> {
    let environment = Fix::new("let more spans wait to be sent, by environment")
        .environment(side, ["OTEL_BSP_MAX_QUEUE_SIZE=16384", "OTEL_BSP_SCHEDULE_DELAY=1000"]);
    let is_code = service.is_zero_code != Some(true) && service.language.code() == Some(Language::Python);
    let in_code = is_code.then(|| {
        anew(
            "let more spans wait to be sent, in code",
            receiver,
            side,
            &["max_queue_size=16384", "schedule_delay_millis=1000"],
        )
        .needing("the program gives its span processor a size: else the environment is enough")
    });
    let fewer = Fix::new("make fewer spans")
        .by_hand(side, "make one span for a batch of items instead of one for each");
    std::iter::once(environment).chain(in_code).chain([fewer]).collect()
}

/// Mends TL508 where a generator of the program's own makes ids.
pub fn ids_of_the_sdk(side: Side, service: &Setting) -> Vec<Fix> {
    let generator = (service.language.code() == Some(Language::Python)).then(|| {
        Fix::new("let the SDK make the ids")
            .python(
                side,
                FixPlace::Provider,
                [
                    "from opentelemetry.sdk.trace import TracerProvider",
                    "from opentelemetry.sdk.trace.id_generator import RandomIdGenerator",
                    "provider = TracerProvider(",
                    "    resource=provider.resource,",
                    "    sampler=provider.sampler,",
                    "    id_generator=RandomIdGenerator(),",
                    ")",
                ],
            )
            .needing("the program has an `id_generator=` of its own")
    });
    std::iter::once(update(side)).chain(generator).collect()
}

/// Mends TL508 otherwise.
pub fn valid_spans(side: Side) -> [Fix; 1] {
    [update(side)]
}

fn update(side: Side) -> Fix {
    Fix::new("send valid spans").by_hand(
        side,
        "take out what sets ids or times by hand, in the program or in a processor on the way; where nothing does, update the SDK and the exporter",
    )
}
