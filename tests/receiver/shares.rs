//! What one client may take of the memory for bodies, and what is left to others.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::Code;
use tracelink::evidence::Outcome;
use tracelink::receiver::{Budget, Signal};

use super::inbox::{House, ask};
use super::ports::call;

const JSON: &str = "content-type: application/json\r\n";

/// A body that begins and does not go on.
struct Open(Option<Bytes>);

impl Body for Open {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |start| Poll::Ready(Some(Ok(Frame::data(start)))))
    }
}

/// Opens 128 bodies over one connection, each again when it was refused.
async fn hold(to: SocketAddr) {
    let stream = tokio::net::TcpStream::connect(to).await.expect("it listens");
    let connection = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = connection.await.expect("HTTP/2");
    tokio::spawn(connection);
    for _ in 0..128 {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            loop {
                let request = Request::post(format!("http://{to}/v1/traces"));
                let request = request.header("content-type", "application/json");
                let request = request.body(Open(Some(Bytes::from_static(b"{")))).expect("a request");
                if sender.ready().await.is_err() || sender.send_request(request).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// 70 connections with 128 open bodies each once took everything: 272 of 282 honest
/// requests were told to come again.
#[test]
fn open_bodies_of_one_peer_leave_room_for_honest_exports() {
    const CONNECTIONS: usize = 24;
    let house = House::with(|limits| limits.bodies = Arc::new(Budget::new(4 << 20)));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    for _ in 0..CONNECTIONS {
        runtime.block_on(hold(house.http));
    }
    // They would hold six times as much as there is.
    house.wait_for_bytes(3 << 20);
    let mut slowest = Duration::ZERO;
    for size in (0..60).map(|number| 2_000 * number) {
        let began = Instant::now();
        let body = " ".repeat(size) + "{}";
        let answer = ask(house.http, "POST /v1/traces", JSON, body.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{size} bytes: {answer}");
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(house.budget.peak() <= 4 << 20);
    runtime.shutdown_background();
    house.receiver.close(Duration::from_secs(5));
}

/// Where nobody else holds anything, another time is no better.
#[test]
fn what_never_fits_is_refused_for_good() {
    let house = House::with(|limits| limits.bodies = Arc::new(Budget::new(400_000)));
    let body = vec![b' '; 350_000];
    let answer = ask(house.http, "POST /v1/traces", JSON, &body);
    assert!(answer.starts_with("HTTP/1.1 413 ") && !answer.contains("retry-after"), "{answer}");
    assert!(answer.contains("at most 300000 bytes"), "{answer}");
    let status = call(house.grpc, Signal::Traces.method(), None, body).expect_err("too large");
    assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]));
    assert!(status.metadata().get_bin("google.rpc.retryinfo-bin").is_none());
    // Small when it comes, and large unpacked.
    for coding in ["gzip", "deflate"] {
        let mut packed = Vec::new();
        let spaces = std::io::repeat(b' ');
        let mut spaces = std::io::Read::take(spaces, 5_000_000);
        let level = flate2::Compression::fast();
        match coding {
            "gzip" => {
                std::io::copy(&mut spaces, &mut flate2::write::GzEncoder::new(&mut packed, level)).map(drop)
            }
            _ => {
                std::io::copy(&mut spaces, &mut flate2::write::ZlibEncoder::new(&mut packed, level)).map(drop)
            }
        }
        .expect("memory");
        let answer =
            ask(house.http, "POST /v1/traces", &format!("{JSON}content-encoding: {coding}\r\n"), &packed);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{coding}: {answer}");
    }
    house.book.wait(Outcome::TooLarge, 4);
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

/// JSON may hold half a surrogate pair, and no parser takes it for a text.
#[test]
fn half_a_surrogate_pair_is_replaced_before_it_is_handed_on() {
    let house = House::open();
    let body = br#"{"resourceSpans": [], "note": "cut \ud83d, whole \ud83d\ude00"}"#;
    assert!(ask(house.http, "POST /v1/traces", JSON, body).starts_with("HTTP/1.1 200 "));
    let (_, _, _, taken) = house.book.told().taken.pop().expect("taken");
    let taken: serde_json::Value = serde_json::from_slice(&taken).expect("JSON");
    assert_eq!(taken["note"], "cut \u{fffd}, whole 😀");
    house.receiver.close(Duration::from_secs(5));
}
