//! A scenario: how the application is set up, and what happens to it.

use super::setup::{
    Api, Canvas, Client, Email, Exporter, Propagator, Protocol, RunSpan, Sampler, Telemetry, Worker,
};
use crate::demo::orders::Order;
use crate::demo::otlp_endpoints::OtlpEndpoints;
use crate::demo::timing;

/// Where a process sends its spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// gRPC to the gRPC port.
    Right,
    /// gRPC to the HTTP port.
    HttpPort,
    /// HTTP to the HTTP port, without `/v1/traces`.
    WithoutPath,
    /// A port where nothing listens.
    Nowhere,
}

/// OpenTelemetry in a process of the scenario.
#[derive(Clone, Debug)]
pub struct Instrumentation {
    pub service: &'static str,
    pub sdk: bool,
    pub propagators: Vec<Propagator>,
    pub sampler: Sampler,
    pub to: Destination,
    pub delay_ms: u64,
    pub processors: u8,
    pub flushes_at_exit: bool,
}

impl Instrumentation {
    pub fn healthy(service: &'static str) -> Self {
        Self {
            service,
            sdk: true,
            propagators: vec![Propagator::W3c, Propagator::Baggage],
            sampler: Sampler::ParentBased,
            to: Destination::Right,
            delay_ms: timing::NATIVE_EXPORT_DELAY_MS,
            processors: 1,
            flushes_at_exit: true,
        }
    }

    /// As the process gets it.
    pub fn telemetry(&self, otlp: &OtlpEndpoints) -> Telemetry {
        let (endpoint, protocol) = match self.to {
            Destination::Right => (otlp.grpc.clone(), Protocol::Grpc),
            Destination::HttpPort => (otlp.http.clone(), Protocol::Grpc),
            Destination::WithoutPath => (otlp.http.clone(), Protocol::Http),
            // Port 1 is reserved, and nothing uses it nowadays.
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

/// What publishes.
#[derive(Clone, Debug)]
pub enum PublishedBy {
    /// The API, for orders that the run sends.
    Api,
    /// The API and a second instance of it.
    TwoApis(Box<Api>),
    /// The API, for orders of a storefront that is traced itself.
    Storefront,
    /// No API: a scheduler or a script.
    Client(Client),
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub api: Api,
    pub api_sdk: Instrumentation,
    pub worker: Worker,
    pub worker_sdk: Instrumentation,
    pub published_by: PublishedBy,
    pub orders: u32,
    /// What each of them is.
    pub order: Order,
    /// Whether any worker is started.
    pub has_worker: bool,
    /// The API is killed as soon as it has published.
    pub api_is_killed: bool,
    /// How long nothing happens at the end, in milliseconds.
    pub waits_ms: u64,
    /// Work takes at least this fraction of the article's times.
    pub least_pace: f64,
}

impl Default for Scenario {
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
                canvas: Canvas::One,
            },
            api_sdk: Instrumentation::healthy("order-api"),
            worker: Worker {
                concurrency: 1,
                instrumentor: Some(RunSpan::Child),
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
            worker_sdk: Instrumentation::healthy("order-worker"),
            published_by: PublishedBy::Api,
            orders: 1,
            order: Order::default(),
            has_worker: true,
            api_is_killed: false,
            waits_ms: 0,
            least_pace: 0.0,
        }
    }
}

impl Scenario {
    /// Whether the user may choose the number of orders.
    pub const fn takes_orders(&self) -> bool {
        self.orders == 1 && !matches!(self.published_by, PublishedBy::Client(_))
    }

    /// How many tasks are published for this many orders before a worker does anything.
    pub fn first_tasks(&self, orders: u32) -> usize {
        let each = match self.api.canvas {
            Canvas::Group | Canvas::Chord | Canvas::Unroutable => 2,
            _ => 1,
        };
        let count = match self.published_by {
            PublishedBy::Client(Client::Beat(count)) => count,
            PublishedBy::Client(Client::Script(count)) => count + 1,
            _ if self.order.quantity <= 0 => 0,
            _ => orders * each,
        };
        count as usize
    }
}
