//! Processes that are neither server nor worker: a scheduler, a script, and a storefront
//! that calls the API. They begin when they are told to, and end when their work is done
//! and the standard input closes.

use std::io;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use super::process_protocol::{ProcessEvent, stdin_lines};
use super::publisher::{Publisher, Sending};
use super::setup::{Client, Setup};
use super::telemetry::{Carrier, OpenSpan, Parent, Tracer};
use crate::demo::error::DemoError;
use crate::demo::orders::Order;

const HTTP: &str = "opentelemetry.instrumentation.httpx";

pub fn run(setup: &Setup, client: &Client) -> Result<(), DemoError> {
    let stdin = stdin_lines();
    let tracer = Tracer::new(&setup.telemetry);
    ProcessEvent::Ready { port: None }.send();
    if stdin.recv().is_err() {
        return Ok(());
    }
    match client {
        Client::Beat(count) => publish(setup, &tracer, *count, true)?,
        Client::Script(count) => publish(setup, &tracer, *count, false)?,
        Client::Storefront { api, orders } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            for _ in 0..*orders {
                runtime.block_on(call(&tracer, api))?;
            }
        }
    }
    for _ in stdin {}
    tracer.shut_down();
    Ok(())
}

/// Publishes orders, each in a trace of its own.
fn publish(setup: &Setup, tracer: &Tracer, count: u32, is_beat: bool) -> Result<(), DemoError> {
    let publisher = Publisher::open(setup, tracer.clone(), true)?;
    let order: Value = serde_json::from_str(&Order::default().body()).map_err(io::Error::other)?;
    for number in 0..count {
        let mut task = publisher.task("process_order", vec![json!(format!("order_{number}")), order.clone()]);
        if is_beat {
            task.headers.insert("celery_beat_task".to_owned(), json!(true));
            publisher.send(task, Parent::None, Sending::Plain)?;
            continue;
        }
        let row = tracer.start("import", SpanKind::Internal, "import row", Parent::None);
        publisher.send(task, row.as_parent(), Sending::Plain)?;
        row.end();
    }
    // And one outside of any span, as scripts do.
    if !is_beat {
        let task = publisher.task("process_order", vec![json!("order_last"), json!({"quantity": 1})]);
        publisher.send(task, Parent::None, Sending::Plain)?;
    }
    Ok(())
}

/// Orders over HTTP, with a CLIENT span and its context in the headers. The API is called
/// by its service name.
async fn call(tracer: &Tracer, api: &str) -> Result<(), DemoError> {
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let mut span = tracer.start(HTTP, SpanKind::Client, "POST", Parent::None);
    span.set("http.method", "POST");
    span.set("http.url", "http://order-api:8000/orders");
    span.set("server.address", "order-api");
    span.set("server.port", 8000);
    let mut carrier = Carrier::new();
    tracer.inject(span.context(), &mut carrier);
    let mut request = Request::post(format!("{api}/orders")).header("content-type", "application/json");
    for (name, value) in &carrier {
        request = request.header(name, value);
    }
    let answer = client.request(request.body(Full::<bytes::Bytes>::from(Order::default().body()))?).await?;
    span.set("http.status_code", i64::from(answer.status().as_u16()));
    answer.into_body().collect().await?;
    OpenSpan::end(span);
    Ok(())
}
