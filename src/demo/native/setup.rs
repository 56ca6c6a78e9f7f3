//! How the processes of the reference application are set up: what a real one has in its
//! code and its environment. A fault changes one thing here.

use serde::{Deserialize, Serialize};

/// Everything about a process except its role: where its broker is, how its spans leave.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Setup {
    /// `redis://…`, as Celery writes it.
    pub broker: String,
    /// The queue, which is its exchange and its routing key too.
    pub queue: String,
    /// The duration of work, as a factor: 1 is the article's.
    pub pace: f64,
    pub telemetry: Telemetry,
    pub role: Role,
}

/// What a process does.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub enum Role {
    Api(Api),
    Worker(Worker),
    /// A child of a worker, which runs one task at a time, as Celery's prefork
    /// pool does.
    Pool(Worker),
    Client(Client),
    /// The embedded broker.
    Broker,
}

/// OpenTelemetry, as a process configures it.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Telemetry {
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
    /// Without an SDK, instrumented code makes no spans and injects nothing.
    pub sdk: bool,
    /// `OTEL_PROPAGATORS`.
    pub propagators: Vec<Propagator>,
    /// `OTEL_TRACES_SAMPLER`.
    pub sampler: Sampler,
    pub exporter: Exporter,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Propagator {
    /// `tracecontext`.
    W3c,
    /// `baggage`. The demo sends none, so it writes nothing.
    Baggage,
    /// `b3multi`.
    B3Multi,
    /// `b3`.
    B3,
    Jaeger,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub enum Sampler {
    /// `parentbased_always_on`, the default.
    ParentBased,
    /// `always_off`.
    Off,
    /// `traceidratio`: decides by the trace id alone, whatever the parent says.
    Ratio(f64),
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Exporter {
    /// `http://host:port`.
    pub endpoint: String,
    pub protocol: Protocol,
    /// `OTEL_BSP_SCHEDULE_DELAY`, in milliseconds.
    pub delay_ms: u64,
    /// How many batch processors there are: each exports every span.
    pub processors: u8,
    /// Whether the provider is shut down at exit, which sends what is left.
    pub flushes_at_exit: bool,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Grpc,
    /// HTTP, posting to the endpoint's own path: `OTLPSpanExporter(endpoint=…)`.
    Http,
}

/// The API: `POST /orders`.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Api {
    /// `FastAPIInstrumentor`: a SERVER span for each request.
    pub serves_spans: bool,
    /// `CeleryInstrumentor` in the API: a PRODUCER span, and flat headers.
    pub instrumentor: bool,
    /// A carrier that is written by hand, as in the article.
    pub by_hand: Option<HandMade>,
    /// Headers of the request that are copied into the message unchanged.
    pub copies: Vec<String>,
    /// Publishes in a thread of its own, which has no context.
    pub in_a_thread: bool,
    /// Celery's `task_protocol`: 1 or 2.
    pub protocol: u8,
    /// Sentry's SDK beside or instead of OpenTelemetry.
    pub sentry: bool,
    pub canvas: Canvas,
}

/// What is published for an order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Canvas {
    /// `process_order`.
    One,
    /// By a name that the API has not registered: the span ends before it is sent.
    ByName,
    /// `process_order` in so many milliseconds.
    Later(u64),
    /// `process_order`, then `send_receipt`.
    Chain,
    /// Two `reserve_item`s.
    Group,
    /// Two `reserve_item`s, then `ship_order`.
    Chord,
    /// `process_order`, and `audit_order` to an exchange to which nothing is bound.
    Unroutable,
}

/// A carrier written by hand.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct HandMade {
    pub source: Source,
    pub form: Form,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// `propagate.inject` while the request's span is current.
    Current,
    /// The same while no span is current.
    Nothing,
    /// Made once, for the first request.
    First,
}

/// Where a hand-made carrier is, and how it is written.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub enum Form {
    /// The headers themselves.
    Flat,
    /// `json.dumps(carrier)` under a key of the headers.
    Json(String),
    /// `str(carrier)` under that key.
    Repr(String),
    /// The dict itself under that key.
    Object(String),
    /// `headers={"headers": carrier}`.
    Nested,
    /// Flat, the ids formatted with `032X`.
    UpperCase,
    /// Flat, of the invalid span: all zeros.
    Zero,
    /// Flat, under `Traceparent`.
    Capitalised,
    /// Among the task's arguments.
    Kwargs(String),
    /// `apply_async(**carrier)`: the message's properties.
    Properties,
}

/// The worker and its pool.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Worker {
    /// How many tasks run at a time.
    pub concurrency: usize,
    /// `CeleryInstrumentor` in the worker.
    pub instrumentor: Option<RunSpan>,
    /// A consumer span written by hand, as in the article.
    pub by_hand: Option<Reader>,
    /// Whether the task makes spans of its own.
    pub work_spans: bool,
    /// Tasks that the worker has imported.
    pub registered: Vec<String>,
    pub email: Email,
    /// Celery before 5.3: custom headers are not sent again with a retry.
    pub retries_forget_headers: bool,
    /// `process_order` publishes `send_receipt` itself.
    pub follow_up: bool,
    /// Acknowledges when a task ended instead of when it starts.
    pub acks_late: bool,
    /// When a message that is held counts as lost, in milliseconds.
    pub visibility_timeout_ms: u64,
    /// The child is killed in the middle of its first task.
    pub is_killed: bool,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunSpan {
    Child,
    /// `use_span_links=True`.
    Link,
}

/// A hand-made consumer span.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Reader {
    pub reads: Reads,
    /// Started without the context that was read.
    pub drops_context: bool,
    /// Never ended.
    pub leaks: bool,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub enum Reads {
    /// `propagate.extract(self.request.headers)`.
    Flat,
    /// `json.loads(self.request.headers.get(key, "{}"))`.
    Json(String),
}

/// How the email service behaves.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Email {
    Works,
    /// Refuses the connection this many times; the task is retried.
    Fails(u32),
    /// Refuses for good: a ValueError, without a retry.
    Declines,
}

/// A process that is neither server nor worker.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub enum Client {
    /// `celery beat`: publishes so many orders, each a root.
    Beat(u32),
    /// A script: publishes so many orders under an INTERNAL root each.
    Script(u32),
    /// A storefront that calls the API with a traced HTTP client.
    Storefront {
        /// `http://127.0.0.1:port`.
        api: String,
        orders: u32,
    },
}
