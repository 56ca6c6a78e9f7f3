//! OpenTelemetry set up in code: a provider, an exporter and Celery's instrumentor,
//! in a process that has none of them.

use crate::model::{Fix, FixPlace, Side, Text};

/// Which process is set up: that says when, and where the lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// What publishes: at once, before its application is made.
    Publisher,
    /// A worker of the prefork or the solo pool: in each process that runs tasks,
    /// once it is there. What a thread of the parent held is lost in a fork.
    Worker,
    /// A worker whose tasks run in threads or greenlets of one process, for which
    /// Celery sends no `worker_process_init`.
    ThreadedWorker,
    /// Celery beat.
    Beat,
}

/// What the lines need.
const PACKAGES: [&str; 3] =
    ["opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-instrumentation-celery"];

/// Exporters of both protocols find the endpoint in the environment.
const ENDPOINT: &str = "the endpoint takes gRPC (port 4317); for HTTP (port 4318) import trace_exporter from opentelemetry.exporter.otlp.proto.http";

const IMPORTS: [&str; 5] = [
    "from opentelemetry import trace",
    "from opentelemetry.exporter.otlp.proto.grpc import trace_exporter",
    "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
    "from opentelemetry.sdk.trace import TracerProvider",
    "from opentelemetry.sdk.trace.export import BatchSpanProcessor",
];

/// Mends TL101, TL102 and TL108 where nothing was seen of the process that
/// publishes, and adds the whole set-up of a program to the fix of another rule. The
/// environment may name the service and the endpoint.
pub fn in_code(fix: Fix, program: Program) -> Fix {
    let (side, place) = match program {
        Program::Publisher => (Side::Producer, FixPlace::BeforeApp),
        Program::Worker | Program::ThreadedWorker => (Side::Worker, FixPlace::WorkerModule),
        Program::Beat => (Side::Producer, FixPlace::WorkerModule),
    };
    fix.python(side, place, lines(program)).installing(PACKAGES).needing(ENDPOINT)
}

/// Mends TL107 where nothing was seen of the worker: by the pool that it has.
pub fn worker() -> Vec<Fix> {
    let title = |pool: &str| format!("set up the SDK and Celery's instrumentor in the worker ({pool})");
    let threads = "the worker runs with --pool threads, gevent or eventlet";
    vec![
        in_code(Fix::new(title("prefork or solo pool")), Program::Worker),
        in_code(Fix::new(title("threads or greenlets")), Program::ThreadedWorker).needing(threads),
    ]
}

fn lines(program: Program) -> Vec<Text> {
    let set_up = set_up(program.service());
    let Some((starts, ends)) = program.signals() else {
        let head = ["import os", ""].into_iter().chain(IMPORTS).chain([""]);
        return head.map(Text::from).chain(set_up).collect();
    };
    let signals: Vec<_> = std::iter::once(starts).chain(ends).collect();
    let signals = format!("from celery.signals import {}", signals.join(", "));
    let head = ["import os".into(), "".into(), signals.into()].into_iter();
    let starting = ["", "", &format!("@{starts}.connect(weak=False)"), "def start_tracing(**_):"]
        .map(|line| Text::from(line.to_owned()));
    let body = set_up.into_iter().map(|line| Text::from(format!("    {line}")));
    let ending = ends.into_iter().flat_map(|ends| {
        let connected = Text::from(format!("@{ends}.connect(weak=False)"));
        let stop = ["def stop_tracing(**_):", "    trace.get_tracer_provider().shutdown()"].map(Text::from);
        ["".into(), "".into(), connected].into_iter().chain(stop)
    });
    head.chain(IMPORTS.map(Text::from)).chain(starting).chain(body).chain(ending).collect()
}

/// What makes the set-up. The provider is there before anything is instrumented.
fn set_up(service: &str) -> Vec<Text> {
    let named = format!("os.environ.setdefault(\"OTEL_SERVICE_NAME\", \"{service}\")");
    let rest = [
        "provider = TracerProvider()",
        "exporter = trace_exporter.OTLPSpanExporter()",
        "provider.add_span_processor(BatchSpanProcessor(exporter))",
        "trace.set_tracer_provider(provider)",
        "CeleryInstrumentor().instrument()",
    ];
    std::iter::once(named.into()).chain(rest.map(Text::from)).collect()
}

impl Program {
    /// What its service is called where the environment does not say.
    const fn service(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Worker | Self::ThreadedWorker => "worker",
            Self::Beat => "beat",
        }
    }

    /// The signals of Celery at which it is set up, and sends what it holds. `None`
    /// where it is set up when its module is imported. A process that ends as
    /// Python does sends what it holds by itself; a child of the pool does not end so.
    const fn signals(self) -> Option<(&'static str, Option<&'static str>)> {
        match self {
            Self::Publisher => None,
            Self::Worker => Some(("worker_process_init", Some("worker_process_shutdown"))),
            Self::ThreadedWorker => Some(("worker_init", None)),
            Self::Beat => Some(("beat_init", None)),
        }
    }
}
