//! Sends the orders, as a browser would.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;

use super::error::DemoError;

/// The most bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that a request carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming {
    Nothing,
    /// The `traceparent` of an outside caller.
    TraceParent,
    /// The `b3` header of an outside caller.
    B3,
}

/// The items that are ordered, in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    pub quantity: i64,
    pub incoming: Incoming,
}

impl Default for Order {
    fn default() -> Self {
        Self { quantity: SAMPLE_QUANTITY, incoming: Incoming::Nothing }
    }
}

impl Order {
    /// The body of its request.
    pub fn body(self) -> String {
        format!(r#"{{"user_id": "u123", "product_id": "p456", "quantity": {}}}"#, self.quantity)
    }
}

/// How many orders are sent by default.
pub const SAMPLE_QUANTITY: i64 = 2;

/// The API's answer, and the order that it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The body of the request.
    pub order: String,
    pub status: u16,
    pub body: String,
}

/// Sends this many orders, in turn to the addresses, and calls `answered` with each answer.
/// It stops when the result is dropped.
///
/// # Errors
///
/// Where the runtime does not start.
pub fn send(
    addresses: &[String],
    orders: u32,
    rate: Option<f64>,
    order: Order,
    answered: impl Fn(u32, Result<Answer, DemoError>) + Clone + Send + Sync + 'static,
) -> Result<OrdersInFlight, DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let addresses = addresses.to_vec();
    runtime.spawn(async move {
        let pause = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let body = order.body();
        for (number, address) in (0..orders).zip(addresses.iter().cycle()) {
            let answer = place(client.clone(), request(address, order, &body), body.clone());
            let Some(pause) = pause else {
                answered(number, answer.await);
                continue;
            };
            let answered = answered.clone();
            tokio::spawn(async move { answered(number, answer.await) });
            tokio::time::sleep(pause).await;
        }
    });
    Ok(OrdersInFlight(Some(runtime)))
}

/// Orders in flight.
pub struct OrdersInFlight(Option<Runtime>);

impl Drop for OrdersInFlight {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn request(address: &str, order: Order, body: &str) -> Result<Request<Full<bytes::Bytes>>, http::Error> {
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    let request = Request::post(format!("{address}/orders")).header("content-type", "application/json");
    let request = match order.incoming {
        Incoming::Nothing => request,
        Incoming::TraceParent => request.header("traceparent", format!("00-{trace:032x}-{span:016x}-01")),
        Incoming::B3 => request.header("b3", format!("{trace:032x}-{span:016x}-1")),
    };
    request.body(Full::from(body.to_owned()))
}

async fn place(
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    request: Result<Request<Full<bytes::Bytes>>, http::Error>,
    order: String,
) -> Result<Answer, DemoError> {
    let request = request?;
    let answer = async {
        let answer = client.request(request).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        Ok(Answer { order, status, body: body.unwrap_or_default() })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or(Err(DemoError::Slow { who: "API", seconds: ANSWER_TIMEOUT.as_secs() }))
}
