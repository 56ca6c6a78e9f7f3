//! Who makes spans, and who is to: instrumentors, and the SDK behind them.

/// Mends TL101 and TL108: in the process that publishes.
pub const PUBLISHER: [&str; 2] = [
    "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
    "CeleryInstrumentor().instrument()        # in the process that publishes, too",
];

/// Mends TL102: in the process that publishes, and its environment.
pub const PUBLISHER_SDK: [&str; 2] = [
    "trace.set_tracer_provider(provider)      # in the producing process, before the first request",
    "OTEL_SDK_DISABLED=false",
];

/// Mends TL107: in the worker, or where the chain is made.
pub const PUBLISHING_WORKER: [&str; 2] = [
    "CeleryInstrumentor().instrument()        # in the worker, which publishes too",
    "chain(a.s().set(headers=carrier), b.s().set(headers=carrier))   # or by hand, to each task",
];

/// Mends TL110: in the web application.
pub const WEB_FRAMEWORK: [&str; 1] = ["FastAPIInstrumentor.instrument_app(app)  # where it is a web API"];

/// Mends TL206 where the vendor's context has no propagator: on both sides.
pub const BOTH_SIDES: [&str; 1] =
    ["CeleryInstrumentor().instrument()        # OpenTelemetry on both sides, or one vendor on both"];

/// Mends TL305: in the worker, or in the task.
pub const WORKER: [&str; 2] = [
    "CeleryInstrumentor().instrument()        # in the worker, in worker_process_init",
    "with tracer.start_as_current_span(name, context=propagate.extract(self.request.headers or vars(self.request))):   # or by hand",
];

/// Shows what TL000 cannot tell of a schedule: in the program that runs beat.
pub const BEAT: [&str; 1] = [
    "beat_init.connect(lambda **kw: CeleryInstrumentor().instrument(), weak=False)   # to see the scheduler too",
];
