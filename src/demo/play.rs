//! A play: how the application is put together, and what happens to it.

use super::setup::{
    Api, Client, Email, Exporter, Order, Propagator, Protocol, Run, Sampler, Telemetry, Worker,
};

/// Where a process sends its spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// gRPC to the gRPC port.
    Right,
    /// gRPC to the HTTP port.
    HttpPort,
    /// HTTP to the HTTP port, without `/v1/traces`.
    WithoutPath,
    /// A port at which nobody listens.
    Nowhere,
}

/// The doors of a receiver: `http://host:port` each.
#[derive(Clone, Debug)]
pub struct Otlp {
    pub grpc: String,
    pub http: String,
}

/// OpenTelemetry in a process of the play.
#[derive(Clone, Debug)]
pub struct Observed {
    pub service: &'static str,
    pub sdk: bool,
    pub propagators: Vec<Propagator>,
    pub sampler: Sampler,
    pub to: Destination,
    pub delay_ms: u64,
    pub processors: u8,
    pub flushes_at_exit: bool,
}

/// How long spans wait in a process, in milliseconds. Python's default is 5000;
/// the demo is not to be waited for.
const DELAY: u64 = 150;

impl Observed {
    pub fn healthy(service: &'static str) -> Self {
        Self {
            service,
            sdk: true,
            propagators: vec![Propagator::W3c, Propagator::Baggage],
            sampler: Sampler::ParentBased,
            to: Destination::Right,
            delay_ms: DELAY,
            processors: 1,
            flushes_at_exit: true,
        }
    }

    /// As a process is told.
    pub fn telemetry(&self, otlp: &Otlp) -> Telemetry {
        let (endpoint, protocol) = match self.to {
            Destination::Right => (otlp.grpc.clone(), Protocol::Grpc),
            Destination::HttpPort => (otlp.http.clone(), Protocol::Grpc),
            Destination::WithoutPath => (otlp.http.clone(), Protocol::Http),
            // Port 1 is reserved, and bound by nobody in our days.
            Destination::Nowhere => ("http://127.0.0.1:1".to_owned(), Protocol::Grpc),
        };
        Telemetry {
            service: self.service.to_owned(),
            sdk: self.sdk,
            propagators: self.propagators.clone(),
            sampler: self.sampler,
            exporter: Exporter {
                endpoint,
                protocol,
                delay_ms: self.delay_ms,
                processors: self.processors,
                flushes_at_exit: self.flushes_at_exit,
            },
        }
    }
}

/// What a request brings along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming {
    Nothing,
    /// A `traceparent` of a caller outside.
    TraceParent,
    /// A `b3` header of a caller outside.
    B3,
}

/// Who publishes.
#[derive(Clone, Debug)]
pub enum Cast {
    /// The API, for orders that the stage sends.
    Api,
    /// The API and a second instance of it.
    TwoApis(Box<Api>),
    /// The API, for orders of a storefront that is traced itself.
    Storefront,
    /// No API: a scheduler or a script.
    Client(Client),
}

/// A play.
#[derive(Clone, Debug)]
pub struct Play {
    pub api: Api,
    pub api_sdk: Observed,
    pub worker: Worker,
    pub worker_sdk: Observed,
    pub cast: Cast,
    pub orders: u32,
    pub quantity: i64,
    pub incoming: Incoming,
    /// Whether any worker is started.
    pub has_worker: bool,
    /// The API is killed as soon as it has published.
    pub api_is_killed: bool,
    /// How long nothing happens at the end, in milliseconds.
    pub waits_ms: u64,
    /// Work takes at least this share of the article's times.
    pub least_pace: f64,
}

impl Default for Play {
    fn default() -> Self {
        let tasks = ["process_order", "send_receipt", "reserve_item", "ship_order"];
        Self {
            api: Api {
                serves_spans: true,
                instrumentor: true,
                by_hand: None,
                copies: Vec::new(),
                in_a_thread: false,
                protocol: 2,
                sentry: false,
                order: Order::One,
            },
            api_sdk: Observed::healthy("order-api"),
            worker: Worker {
                concurrency: 1,
                instrumentor: Some(Run::Child),
                by_hand: None,
                work_spans: true,
                registered: tasks.map(str::to_owned).to_vec(),
                email: Email::Works,
                retries_forget_headers: false,
                follow_up: false,
                acks_late: false,
                visibility_timeout_ms: 3_600_000,
                is_killed: false,
            },
            worker_sdk: Observed::healthy("order-worker"),
            cast: Cast::Api,
            orders: 1,
            quantity: 2,
            incoming: Incoming::Nothing,
            has_worker: true,
            api_is_killed: false,
            waits_ms: 0,
            least_pace: 0.0,
        }
    }
}

impl Play {
    /// Whether it is given with as many orders as anybody likes.
    pub const fn takes_orders(&self) -> bool {
        self.orders == 1 && !matches!(self.cast, Cast::Client(_))
    }

    /// How many tasks are published for so many orders before a worker does anything.
    pub fn first_tasks(&self, orders: u32) -> usize {
        let each = match self.api.order {
            Order::Group | Order::Chord | Order::Unroutable => 2,
            _ => 1,
        };
        let count = match self.cast {
            Cast::Client(Client::Beat(count)) => count,
            Cast::Client(Client::Script(count)) => count + 1,
            _ if self.quantity <= 0 => 0,
            _ => orders * each,
        };
        count as usize
    }
}
