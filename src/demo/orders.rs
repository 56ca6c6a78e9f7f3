//! Sends the orders, as a browser would.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;

use super::error::DemoError;
use super::play::{Incoming, Play};

/// The most bytes of an answer that are read.
const ANSWER: usize = 64 << 10;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the API said, and to what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The body of the request.
    pub order: String,
    pub status: u16,
    pub body: String,
}

/// Sends so many orders in turn to the addresses, and calls `answered` with
/// each one's answer. They stop coming where the result is dropped.
///
/// # Errors
///
/// Where the runtime does not start.
pub fn send(
    addresses: &[String],
    orders: u32,
    rate: Option<f64>,
    play: &Play,
    answered: impl Fn(u32, Result<Answer, DemoError>) + Clone + Send + Sync + 'static,
) -> Result<Sending, DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (addresses, play) = (addresses.to_vec(), play.clone());
    runtime.spawn(async move {
        let pause = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        let body = body(&play);
        for (number, address) in (0..orders).zip(addresses.iter().cycle()) {
            let order = order(client.clone(), request(address, &play, &body), body.clone());
            let Some(pause) = pause else {
                answered(number, order.await);
                continue;
            };
            let answered = answered.clone();
            tokio::spawn(async move { answered(number, order.await) });
            tokio::time::sleep(pause).await;
        }
    });
    Ok(Sending(Some(runtime)))
}

/// Orders on their way.
pub struct Sending(Option<Runtime>);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The sample order.
fn body(play: &Play) -> String {
    format!(r#"{{"user_id": "u123", "product_id": "p456", "quantity": {}}}"#, play.quantity)
}

fn request(address: &str, play: &Play, body: &str) -> Result<Request<Full<bytes::Bytes>>, http::Error> {
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    let request = Request::post(format!("{address}/orders")).header("content-type", "application/json");
    let request = match play.incoming {
        Incoming::Nothing => request,
        Incoming::TraceParent => request.header("traceparent", format!("00-{trace:032x}-{span:016x}-01")),
        Incoming::B3 => request.header("b3", format!("{trace:032x}-{span:016x}-1")),
    };
    request.body(Full::from(body.to_owned()))
}

async fn order(
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    request: Result<Request<Full<bytes::Bytes>>, http::Error>,
    order: String,
) -> Result<Answer, DemoError> {
    let request = request?;
    let answer = async {
        let answer = client.request(request).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER).collect().await;
        let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        Ok(Answer { order, status, body: body.unwrap_or_default() })
    };
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or(Err(DemoError::Slow { who: "API", seconds: PATIENCE.as_secs() }))
}
