//! OpenTelemetry set up in code: a provider, an exporter and Celery's instrumentor,
//! in a process that has none of them.

use super::export;
use crate::evidence::OtlpProtocol;
use crate::model::{Fix, FixPlace, Side, Text};

/// Which process is set up: that says when, and where the lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// What publishes: at once, before its application is made.
    Publisher,
    /// A worker, of whichever pool: in each process that runs tasks, once it is
    /// there. What a thread of the parent held is lost in a fork.
    Worker,
    /// Celery beat.
    Beat,
}

/// What the lines need.
const fn packages(exports: OtlpProtocol) -> [&'static str; 3] {
    ["opentelemetry-sdk", export::package(exports), "opentelemetry-instrumentation-celery"]
}

/// Exporters of both protocols find the endpoint in the environment.
const fn endpoint(exports: OtlpProtocol) -> &'static str {
    match exports {
        OtlpProtocol::Grpc => {
            "the endpoint takes gRPC (port 4317); for HTTP (port 4318) import trace_exporter from opentelemetry.exporter.otlp.proto.http"
        }
        OtlpProtocol::Http => {
            "the endpoint takes HTTP (port 4318); for gRPC (port 4317) import trace_exporter from opentelemetry.exporter.otlp.proto.grpc"
        }
    }
}

const fn imports(exports: OtlpProtocol) -> [&'static str; 6] {
    [
        "from opentelemetry import trace",
        export::import(exports),
        "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
        "from opentelemetry.sdk.resources import Resource",
        "from opentelemetry.sdk.trace import TracerProvider",
        "from opentelemetry.sdk.trace.export import BatchSpanProcessor",
    ]
}

/// Mends TL101, TL102 and TL108 where nothing was seen of the process that
/// publishes, and adds the whole set-up of a program to the fix of another rule. The
/// environment may name the service and the endpoint; `exports` is what the exports
/// that came speak.
pub fn in_code(fix: Fix, program: Program, exports: OtlpProtocol) -> Fix {
    let (side, place) = match program {
        Program::Publisher => (Side::Producer, FixPlace::BeforeApp),
        Program::Worker => (Side::Worker, FixPlace::WorkerModule),
        Program::Beat => (Side::Producer, FixPlace::WorkerModule),
    };
    fix.python(side, place, lines(program, exports)).installing(packages(exports)).needing(endpoint(exports))
}

/// Mends TL107 where nothing was seen of the worker, and TL501 where no run ever
/// was: also where the worker's own set-up is not called in its pool, or it ends
/// without sending what it holds.
pub fn worker(exports: OtlpProtocol) -> [Fix; 1] {
    let fix =
        in_code(Fix::new("set up the SDK and Celery's instrumentor in the worker"), Program::Worker, exports);
    [fix.environment(Side::Worker, SWITCHED_ON)]
}

/// What is set up in code is nothing where the environment disables the SDK.
pub const SWITCHED_ON: [&str; 1] = ["OTEL_SDK_DISABLED=false"];

/// A child of the pool does not end as Python does, so that it is told to send
/// what it holds.
pub const STOP: [&str; 3] = [
    "@worker_process_shutdown.connect(weak=False)",
    "def stop_tracing(**_):",
    "    trace.get_tracer_provider().shutdown()",
];

fn lines(program: Program, exports: OtlpProtocol) -> Vec<Text> {
    let imports = imports(exports);
    let made = provider(program.service());
    let starting = |signal: &str| {
        let head = [format!("@{signal}.connect(weak=False)"), "def start_tracing(**_):".to_owned()];
        head.map(Text::from)
    };
    let indented = |by: &str, lines: &[Text]| -> Vec<Text> {
        lines.iter().map(|line| format!("{by}{line}").into()).collect()
    };
    let instrumented: [Text; 1] = [INSTRUMENT.into()];
    let apart = || ["", ""].into_iter().map(Text::from);
    let head = ["import os", ""].into_iter();
    match program {
        Program::Publisher => {
            head.chain(imports).chain([""]).map(Text::from).chain(made).chain(instrumented).collect()
        }
        Program::Beat => {
            let head = head.chain(["from celery.signals import beat_init"]).chain(imports).map(Text::from);
            head.chain(apart())
                .chain(starting("beat_init"))
                .chain(indented("    ", &made))
                .chain(indented("    ", &instrumented))
                .collect()
        }
        Program::Worker => {
            let head = head.chain(WORKERS_SIGNALS).chain(imports).map(Text::from);
            let body = UNLESS_STARTED.map(Text::from).into_iter().chain(indented("        ", &made));
            let body = body.chain(indented("        ", &instrumented));
            let body = body.chain([BY_A_LAUNCHER.into()]).chain(indented("        ", &instrumented));
            let start = head.chain(apart()).chain(starting("worker_process_init")).chain(body);
            let rest =
                OF_ONE_PROCESS.iter().copied().map(Text::from).chain(apart()).chain(STOP.map(Text::from));
            start.chain(apart()).chain(rest).collect()
        }
    }
}

const WORKERS_SIGNALS: [&str; 5] = [
    "from celery.signals import (",
    "    worker_process_init,",
    "    worker_process_shutdown,",
    "    worker_ready,",
    ")",
];

/// A provider that the process has already stays.
const UNLESS_STARTED: [&str; 2] =
    ["    current = trace.get_tracer_provider()", "    if not isinstance(current, TracerProvider):"];

/// Where a launcher made it, Celery's instrumentor may have been left out. A program
/// that makes its own may make its consumer spans by hand too.
const BY_A_LAUNCHER: &str = "    elif \"telemetry.auto.version\" in current.resource.attributes:";

const INSTRUMENT: &str = "CeleryInstrumentor().instrument()";

/// Of threads and greenlets Celery sends no `worker_process_init`; and a parent
/// that forks is not to have what its children make for themselves.
const OF_ONE_PROCESS: [&str; 4] = [
    "@worker_ready.connect(weak=False)",
    "def start_tracing_in_one_process(sender, **_):",
    "    if not sender.pool.__module__.endswith(\"prefork\"):",
    "        start_tracing()",
];

/// The provider, which is there before anything is instrumented.
fn provider(service: &str) -> Vec<Text> {
    let named = format!("os.environ.setdefault(\"OTEL_SERVICE_NAME\", \"{service}\")");
    let rest = [
        // Old SDKs read the environment for the default resource when they are imported.
        "provider = TracerProvider(resource=Resource.create())",
        "exporter = trace_exporter.OTLPSpanExporter()",
        "provider.add_span_processor(BatchSpanProcessor(exporter))",
        "trace.set_tracer_provider(provider)",
    ];
    std::iter::once(named.into()).chain(rest.map(Text::from)).collect()
}

impl Program {
    /// What its service is called where the environment does not say.
    const fn service(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Worker => "worker",
            Self::Beat => "beat",
        }
    }
}
