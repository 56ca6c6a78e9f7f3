//! A batch processor and its exporter: spans leave their process over OTLP some time after
//! they ended, or are lost with the process.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use crate::demo::clock;
use crate::demo::native::setup::{Exporter, Protocol};

/// `OTEL_BSP_MAX_QUEUE_SIZE`: what comes while the queue is full is dropped.
const QUEUE: usize = 2048;
/// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
const BATCH: usize = 512;
/// How long one export may take.
const EXPORT: Duration = Duration::from_secs(2);
/// How often a batch that was refused for the moment is sent.
const TRIES: u32 = 3;
/// How long a process waits for its last spans to leave.
const FLUSH: Duration = Duration::from_secs(4);

type Scoped = (&'static str, Span);

enum Order {
    Span(Box<Scoped>),
    Flush(SyncSender<()>),
}

/// A batch processor with its thread.
#[derive(Clone, Debug)]
pub struct Batch(SyncSender<Order>);

impl Batch {
    pub fn start(settings: &Exporter, resource: &Resource) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let (settings, resource) = (settings.clone(), resource.clone());
        thread::spawn(move || Process { settings, resource }.run(&receiver));
        Self(sender)
    }

    pub fn add(&self, scope: &'static str, span: Span) {
        match self.0.try_send(Order::Span(Box::new((scope, span)))) {
            // A full queue drops spans, as the real one does; so does an exporter that is
            // gone.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    pub fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        if self.0.send(Order::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(FLUSH);
        }
    }
}

struct Process {
    settings: Exporter,
    resource: Resource,
}

impl Process {
    fn run(&self, orders: &Receiver<Order>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        let Some(wire) = runtime.block_on(async { Wire::to(&self.settings) }) else { return };
        let delay = Duration::from_millis(self.settings.delay_ms);
        let mut waiting: Vec<Scoped> = Vec::new();
        let mut deadline: Option<Duration> = None;
        loop {
            let order = match deadline {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => orders.recv_timeout(deadline.saturating_sub(clock::now())),
            };
            match order {
                Ok(Order::Span(span)) => {
                    waiting.push(*span);
                    deadline = deadline.or_else(|| Some(clock::now() + delay));
                    if waiting.len() < BATCH {
                        continue;
                    }
                    self.send(&mut waiting, &wire, &runtime);
                }
                Err(RecvTimeoutError::Timeout) => self.send(&mut waiting, &wire, &runtime),
                Ok(Order::Flush(done)) => {
                    self.send(&mut waiting, &wire, &runtime);
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            deadline = None;
        }
    }

    fn send(&self, waiting: &mut Vec<Scoped>, wire: &Wire, runtime: &tokio::runtime::Runtime) {
        if !waiting.is_empty() {
            runtime.block_on(wire.export(self.request(std::mem::take(waiting))));
        }
    }

    /// The spans as Python's exporter groups them: by scope.
    fn request(&self, spans: Vec<Scoped>) -> ExportTraceServiceRequest {
        let mut scopes = BTreeMap::<_, Vec<Span>>::new();
        for (scope, span) in spans {
            scopes.entry(scope).or_default().push(span);
        }
        let scope_spans = scopes.into_iter().map(|(name, spans)| ScopeSpans {
            scope: Some(InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() }),
            spans,
            ..ScopeSpans::default()
        });
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: scope_spans.collect(),
                ..ResourceSpans::default()
            }],
        }
    }
}

/// How requests are sent.
enum Wire {
    Grpc(TraceServiceClient<Channel>),
    Http(String, Client<hyper_util::client::legacy::connect::HttpConnector, Full<bytes::Bytes>>),
}

impl Wire {
    fn to(settings: &Exporter) -> Option<Self> {
        Some(match settings.protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(settings.endpoint.clone()).ok()?;
                let endpoint =
                    endpoint.user_agent(concat!("tracelink-demo/", env!("CARGO_PKG_VERSION"))).ok()?;
                Self::Grpc(TraceServiceClient::new(endpoint.connect_timeout(EXPORT).connect_lazy()))
            }
            Protocol::Http => {
                Self::Http(settings.endpoint.clone(), Client::builder(TokioExecutor::new()).build_http())
            }
        })
    }

    /// Sends a batch. If nothing accepts it, it is lost, as with an SDK.
    async fn export(&self, request: ExportTraceServiceRequest) {
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if matches!(timeout(EXPORT, self.try_export(request.clone())).await, Ok(Sent::Done)) {
                return;
            }
        }
    }

    async fn try_export(&self, request: ExportTraceServiceRequest) -> Sent {
        match self {
            Self::Grpc(client) => match client.clone().export(request).await {
                Err(status) if status.code() == tonic::Code::Unavailable => Sent::Again,
                _ => Sent::Done,
            },
            Self::Http(url, client) => {
                let body = Full::new(request.encode_to_vec().into());
                let request = http::Request::post(url)
                    .header("content-type", "application/x-protobuf")
                    .header("user-agent", concat!("tracelink-demo/", env!("CARGO_PKG_VERSION")))
                    .body(body);
                let Ok(request) = request else { return Sent::Done };
                match client.request(request).await {
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        let _ = answer.into_body().collect().await;
                        if matches!(status, 429 | 502 | 503 | 504) { Sent::Again } else { Sent::Done }
                    }
                    Err(_) => Sent::Again,
                }
            }
        }
    }
}

enum Sent {
    Done,
    /// Refused for the moment.
    Again,
}
