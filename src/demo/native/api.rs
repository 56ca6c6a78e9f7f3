//! The reference API: `POST /orders` validates an order, saves it, and hands it
//! to the worker.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use redis::RedisResult;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::process_protocol::{ProcessEvent, stdin_lines};
use super::publisher::{Publisher, Sending};
use super::result_backend::chord_keys;
use super::setup::{Api, Canvas, Form, Setup, Source};
use super::task_message::{Route, TaskMessage};
use super::telemetry::{Carrier, Context, OpenSpan, Parent, Tracer, uuid};
use crate::demo::error::DemoError;
use crate::demo::timing;

const FASTAPI: &str = "opentelemetry.instrumentation.fastapi";
/// The scope of the application's own spans.
const SHOP: &str = "order-api";
/// The most bytes of an order.
const BODY: usize = 64 << 10;
/// How long a client may take to send its request.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// `{"user_id": "u123", "product_id": "p456", "quantity": 2}`.
#[derive(Deserialize)]
struct OrderRequest {
    user_id: String,
    product_id: String,
    quantity: i64,
}

struct Shop {
    api: Api,
    pace: f64,
    publisher: Publisher,
    address: SocketAddr,
    /// The carrier from the first request, if the code keeps it.
    first: Mutex<Option<Carrier>>,
}

/// The answer to a request.
struct Answer {
    status: StatusCode,
    body: Value,
}

/// Serves on a free port of the loopback until the standard input closes.
pub fn run(setup: &Setup, api: &Api) -> Result<(), DemoError> {
    let stdin = stdin_lines();
    let tracer = Tracer::new(&setup.telemetry);
    let publisher = Publisher::open(setup, tracer.clone(), api.instrumentor)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let shop = Shop { api: api.clone(), pace: setup.pace, publisher, address, first: Mutex::new(None) };
    runtime.spawn(accept(listener, Arc::new(shop)));
    ProcessEvent::Ready { port: Some(address.port()) }.send();
    // The only thing that the standard input can say is the end.
    for _ in stdin {}
    tracer.shut_down();
    runtime.shutdown_background();
    Ok(())
}

async fn accept(listener: TcpListener, shop: Arc<Shop>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shop = Arc::clone(&shop);
                async move { Ok::<_, Infallible>(shop.serve(request, peer).await) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT);
            // A client that goes away does not matter to the API.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Shop {
    async fn serve(self: Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = tokio::time::timeout(READ_TIMEOUT, Limited::new(body, BODY).collect()).await;
        let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
        // Handling an order blocks, as it does in Python.
        let answered = tokio::task::spawn_blocking(move || self.answer(&head, body.as_deref(), peer)).await;
        let answer = answered.unwrap_or_else(|_| Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: json!({"detail": "Internal Server Error"}),
        });
        let mut response = Response::new(Full::new(answer.body.to_string().into()));
        *response.status_mut() = answer.status;
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        response
    }

    fn answer(&self, head: &http::request::Parts, body: Option<&[u8]>, peer: SocketAddr) -> Answer {
        let route = head.uri.path();
        let mut span = self.api.serves_spans.then(|| self.server_span(head, peer));
        let current = span.as_ref().map_or(Parent::None, OpenSpan::as_parent);
        let answer = match (&head.method, route) {
            (&Method::POST, "/orders") => self.order(&head.headers, body, current),
            (_, "/orders") => Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            _ => Answer::detail(StatusCode::NOT_FOUND, "Not Found"),
        };
        if let Some(mut span) = span.take() {
            span.set("http.status_code", i64::from(answer.status.as_u16()));
            if answer.status.is_server_error() {
                span.fail("");
            }
            span.end();
        }
        answer
    }

    fn server_span(&self, head: &http::request::Parts, peer: SocketAddr) -> OpenSpan {
        let incoming: Carrier = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let tracer = &self.publisher.tracer;
        let parent = tracer.extract(&incoming).map_or(Parent::None, Parent::Remote);
        let is_known = head.uri.path() == "/orders";
        let name = if is_known { format!("{} /orders", head.method) } else { head.method.to_string() };
        let mut span = tracer.start(FASTAPI, SpanKind::Server, &name, parent);
        let host = self.address.to_string();
        let target = head.uri.path().to_owned();
        span.set("http.scheme", "http");
        span.set("http.host", &*host);
        span.set("net.host.port", i64::from(self.address.port()));
        span.set("http.flavor", "1.1");
        span.set("http.target", &*target);
        span.set("http.url", format!("http://{host}{target}"));
        span.set("http.method", head.method.as_str());
        span.set("http.server_name", &*host);
        span.set("net.peer.ip", peer.ip().to_string());
        span.set("net.peer.port", i64::from(peer.port()));
        if is_known {
            span.set("http.route", "/orders");
        }
        span
    }

    fn order(&self, headers: &HeaderMap, body: Option<&[u8]>, current: Parent) -> Answer {
        let Some(Ok(order)) = body.map(serde_json::from_slice::<OrderRequest>) else {
            let detail = "user_id and product_id are texts, quantity is a number";
            return Answer::detail(StatusCode::UNPROCESSABLE_ENTITY, detail);
        };
        let tracer = &self.publisher.tracer;
        let mut span = tracer.start(SHOP, SpanKind::Internal, "validate_order", current);
        timing::work(timing::VALIDATE_ORDER, self.pace);
        if order.quantity <= 0 {
            let detail = "Quantity must be positive";
            span.fail(&format!("HTTPException: 400: {detail}"));
            span.record("fastapi.exceptions.HTTPException", &format!("400: {detail}"), "");
            span.end();
            return Answer::detail(StatusCode::BAD_REQUEST, detail);
        }
        span.end();
        let span = tracer.start(SHOP, SpanKind::Internal, "save_order", current);
        timing::work(timing::SAVE_ORDER, self.pace);
        span.end();
        let order_id = format!("order_{}_{}", order.user_id, order.product_id);
        let order = json!({
            "user_id": order.user_id, "product_id": order.product_id, "quantity": order.quantity,
        });
        match self.hand_over(headers, &order_id, &order, current) {
            Ok(()) => {
                Answer { status: StatusCode::OK, body: json!({"order_id": order_id, "status": "processing"}) }
            }
            Err(error) => {
                ProcessEvent::Failed { why: format!("the API cannot publish: {error}") }.send();
                Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        }
    }

    /// Publishes the tasks of an order.
    fn hand_over(
        &self,
        headers: &HeaderMap,
        order_id: &str,
        order: &Value,
        current: Parent,
    ) -> RedisResult<()> {
        let task = |name: &str, args: Vec<Value>| {
            let mut task = self.publisher.task(name, args);
            task.protocol = self.api.protocol;
            self.add_context(&mut task, headers, current);
            task
        };
        let process_order = || task("process_order", vec![json!(order_id), order.clone()]);
        let reserve = |group: &str, index: u64| {
            let mut part = task("reserve_item", vec![json!(index + 1)]);
            part.group = Some((group.to_owned(), index));
            part
        };
        let send = |task: TaskMessage| self.send(task, current, Sending::Plain);
        match self.api.canvas {
            Canvas::One => send(process_order()),
            Canvas::ByName => self.send(process_order(), current, Sending::ByName),
            Canvas::Later(millis) => {
                let due = crate::demo::clock::now() + Duration::from_millis(millis);
                send(TaskMessage { eta: Some(crate::demo::clock::isoformat(due)), ..process_order() })
            }
            Canvas::Chain => {
                let receipt = self.publisher.task("send_receipt", Vec::new());
                ProcessEvent::Awaited { id: receipt.id.clone(), keys: Vec::new() }.send();
                send(TaskMessage { chain: vec![receipt.signature()], ..process_order() })
            }
            Canvas::Group => {
                let group = uuid();
                (0..2).try_for_each(|index| send(reserve(&group, index)))
            }
            Canvas::Chord => {
                let group = uuid();
                let body = self.publisher.task("ship_order", Vec::new());
                ProcessEvent::Awaited { id: body.id.clone(), keys: chord_keys(&group) }.send();
                self.publisher.with_channel(|channel| channel.set_chord_size(&group, 2))?;
                (0..2).try_for_each(|index| {
                    send(TaskMessage { chord: Some(body.signature()), ..reserve(&group, index) })
                })
            }
            Canvas::Unroutable => {
                send(process_order())?;
                let route = Route { exchange: "shop".to_owned(), routing_key: "order.audit".to_owned() };
                let audit = task("audit_order", vec![json!(order_id)]);
                self.publisher.send_to(&route, audit, current, Sending::Plain)
            }
        }
    }

    fn send(&self, task: TaskMessage, current: Parent, sending: Sending) -> RedisResult<()> {
        if !self.api.in_a_thread {
            return self.publisher.send(task, current, sending);
        }
        // A thread does not inherit the context of the thread that starts it.
        thread::scope(|scope| {
            let publish = scope.spawn(|| self.publisher.send(task, Parent::None, sending));
            publish.join().unwrap_or_else(|_| Err(io::Error::other("the publishing thread panicked").into()))
        })
    }

    /// Writes the context into a task in every way that the API's own code uses, apart from
    /// the instrumentor.
    fn add_context(&self, task: &mut TaskMessage, incoming: &HeaderMap, current: Parent) {
        for name in &self.api.copies {
            if let Some(value) = incoming.get(name).and_then(|value| value.to_str().ok()) {
                task.headers.insert(name.clone(), json!(value));
            }
        }
        if self.api.sentry {
            Self::add_sentry(task);
        }
        let Some(hand) = &self.api.by_hand else { return };
        let tracer = &self.publisher.tracer;
        let here = match current {
            Parent::None => None,
            Parent::Local(context) | Parent::Remote(context) => Some(context),
        };
        let mut carrier = Carrier::new();
        match hand.source {
            Source::Current => tracer.inject(here, &mut carrier),
            Source::Nothing => {}
            Source::First => {
                let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
                carrier.clone_from(first.get_or_insert_with(|| {
                    let mut made = Carrier::new();
                    tracer.inject(here, &mut made);
                    made
                }));
            }
        }
        write(task, &hand.form, carrier, here);
    }

    /// Sentry's headers, flat and once more under `headers`.
    fn add_sentry(task: &mut TaskMessage) {
        let (trace, span) = (format!("{:032x}", fastrand::u128(1..)), format!("{:016x}", fastrand::u64(1..)));
        let mut headers = Map::new();
        headers.insert("sentry-trace".to_owned(), json!(format!("{trace}-{span}-1")));
        headers.insert("baggage".to_owned(), json!(format!("sentry-trace_id={trace},sentry-sampled=true")));
        task.headers.extend(headers.clone());
        task.headers.insert("headers".to_owned(), Value::Object(headers));
    }
}

/// Writes a carrier into a task.
fn write(task: &mut TaskMessage, form: &Form, carrier: Carrier, here: Option<Context>) {
    let object: Map<String, Value> =
        carrier.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let ids = here.map_or((0, 0), |here| (here.trace_id, here.span_id));
    let mut set = |name: &str, value: Value| {
        task.headers.insert(name.to_owned(), value);
    };
    match form {
        Form::Flat => task.headers.extend(object),
        Form::Json(key) => set(key, json!(Value::Object(object).to_string())),
        Form::Repr(key) => set(key, json!(super::task_message::repr(&Value::Object(object)))),
        Form::Object(key) => set(key, Value::Object(object)),
        Form::Nested => set("headers", Value::Object(object)),
        Form::UpperCase => set("traceparent", json!(format!("00-{:032X}-{:016X}-01", ids.0, ids.1))),
        Form::Zero => set("traceparent", json!(format!("00-{:032x}-{:016x}-00", 0, 0))),
        Form::Capitalised => {
            let value = object.get("traceparent").cloned();
            value.into_iter().for_each(|value| set("Traceparent", value));
        }
        Form::Kwargs(key) => {
            task.kwargs.insert(key.clone(), json!(Value::Object(object).to_string()));
        }
        Form::Properties => task.properties.extend(object),
    }
}

impl Answer {
    fn detail(status: StatusCode, detail: &str) -> Self {
        Self { status, body: json!({"detail": detail}) }
    }
}
