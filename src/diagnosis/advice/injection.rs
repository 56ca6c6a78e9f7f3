//! How the code that publishes hands its context over.

/// Mends TL101 where the message is not published by Celery's own code: where
/// the application builds the message.
pub const INTO_OWN_MESSAGE: [&str; 2] =
    ["headers = {}", "propagate.inject(headers)                # put these beside `task` and `id`"];

/// Mends TL103: where the application builds its carrier.
pub const WHILE_A_SPAN_IS_CURRENT: [&str; 2] = [
    "propagate.inject(carrier)                # while the request's span is current",
    "contextvars.copy_context().run(publish)  # where a thread or an executor publishes",
];

/// Mends TL104: where the request starts the thread that publishes.
pub const INTO_A_THREAD: [&str; 2] = [
    "ctx = contextvars.copy_context()",
    "threading.Thread(target=ctx.run, args=(publish,)).start()   # or: await asyncio.to_thread(publish)",
];

/// Mends TL104 where the request's span is over, or has not begun: in the handler,
/// where the publish happens, and where the application is set up.
pub const OUTSIDE_THE_REQUEST: [&str; 3] = [
    "ctx = context.get_current()              # opentelemetry.context, in the handler, while the request's span is current",
    "token = context.attach(ctx)              # where it publishes: the generator, the listener; detach(token) after it",
    "FastAPIInstrumentor.instrument_app(app)  # or yours: last, so that no middleware lies outside",
];

/// Mends TL106: in the worker's environment, or in the task that retries.
pub const ON_RETRY: [&str; 3] = [
    "pip install 'celery>=5.3'",
    "headers = {}; propagate.inject(headers)   # or by hand, in the run's own span",
    "raise self.retry(exc=exc, headers=headers)",
];

/// Mends TL109: in the handler of the request.
pub const FOR_EACH_CALL: [&str; 2] = [
    "headers = {}                             # inside the handler, for each call",
    "propagate.inject(headers)",
];

/// Mends TL111 where a task publishes: in the task.
pub const OWN_CONTEXT_IN_THE_TASK: [&str; 2] = [
    "headers = {}",
    "propagate.inject(headers)                # in the run's own span, instead of copying self.request's headers",
];

/// Mends TL111: in the handler of the request.
pub const OWN_CONTEXT: [&str; 2] = [
    "headers = {}",
    "propagate.inject(headers)                # instead of copying request.headers[\"traceparent\"]",
];
