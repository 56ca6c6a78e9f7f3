//! What is right is taken, and each wrong way is answered with its remedy.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Status};
use tracelink::evidence::Outcome;
use tracelink::receiver::{OtlpEncoding, Signal, Transport};

use super::inbox::{House, ask};

const JSON: &str = "content-type: application/json\r\n";
const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

/// One call with tonic's client.
pub fn call(
    to: std::net::SocketAddr,
    method: &'static str,
    compression: Option<tonic::codec::CompressionEncoding>,
    body: Vec<u8>,
) -> Result<Bytes, Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{to}")).expect("a URL");
        let mut client = tonic::client::Grpc::new(channel.connect().await.expect("it listens"));
        if let Some(compression) = compression {
            client = client.send_compressed(compression);
        }
        client.ready().await.expect("it is up");
        let path = PathAndQuery::from_static(method);
        let response = client.unary(tonic::Request::new(Bytes::from(body)), path, Raw).await?;
        Ok(response.into_inner())
    })
}

#[test]
fn each_signal_is_taken_over_http_in_both_encodings() {
    let house = House::open();
    for port in [house.http, house.both] {
        for signal in Signal::ALL {
            for (header, body, empty) in [(JSON, "{}", "{}"), (PROTOBUF, "\x0a\x00", "")] {
                let answer = ask(port, &format!("POST {}", signal.path()), header, body.as_bytes());
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                assert!(answer.contains(header.trim_end()), "{answer}");
                assert!(answer.ends_with(&format!("\r\n\r\n{empty}")), "{answer}");
                let encoding = if header == JSON { OtlpEncoding::Json } else { OtlpEncoding::Protobuf };
                let taken = house.book.told().taken.pop().expect("taken");
                assert_eq!(taken, (signal, encoding, Transport::Http, body.as_bytes().to_vec()));
            }
        }
    }
    assert!(house.book.told().ended.iter().all(|(outcome, _)| *outcome == Outcome::Accepted));
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn each_signal_is_taken_over_grpc_in_each_compression() {
    use tonic::codec::CompressionEncoding::{Gzip, Zstd};
    let house = House::open();
    for port in [house.grpc, house.both] {
        for signal in Signal::ALL {
            for compression in [None, Some(Gzip), Some(Zstd)] {
                let body = vec![7; 300_000];
                let answer = call(port, signal.method(), compression, body.clone()).expect("taken");
                assert_eq!(answer, Bytes::new());
                let taken = house.book.told().taken.pop().expect("taken");
                assert_eq!(taken, (signal, OtlpEncoding::Protobuf, Transport::Grpc, body));
            }
        }
    }
    assert_eq!(
        call(house.grpc, Signal::Traces.method(), None, Vec::new()).expect("an empty one"),
        Bytes::new()
    );
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn gzip_and_zstd_are_unpacked_over_http() {
    use std::io::Write;
    let house = House::open();
    let body = vec![b' '; 100_000];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&body).expect("memory");
    let zstd = zstd::encode_all(&body[..], 3).expect("memory");
    for (name, packed) in [("gzip", gzip.finish().expect("memory")), ("zstd", zstd)] {
        let answer =
            ask(house.http, "POST /v1/traces", &format!("{JSON}content-encoding: {name}\r\n"), &packed);
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{name}: {answer}");
        assert_eq!(house.book.told().taken.pop().expect("taken").3, body, "{name}");
    }
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn what_the_inbox_says_is_the_answer() {
    let house = House::open();
    let http = |body: &str| ask(house.http, "POST /v1/traces", JSON, body.as_bytes());
    let grpc = |body: &str| call(house.grpc, Signal::Traces.method(), None, body.into());

    let partly = http("{\"partly\":1}");
    assert!(partly.contains("200 OK") && partly.contains("\"rejectedSpans\":\"3\""), "{partly}");
    assert_eq!(&grpc("{\"partly\":1}").expect("OK")[..4], b"\x0a\x16\x08\x03");

    let broken = http("{\"broken\"");
    assert!(broken.starts_with("HTTP/1.1 400 ") && broken.contains("line 1"), "{broken}");
    assert_eq!(grpc("{\"broken\"").expect_err("refused").code(), Code::InvalidArgument);

    let busy = http("{\"busy\":1}");
    assert!(busy.starts_with("HTTP/1.1 429 ") && busy.contains("retry-after: 2\r\n"), "{busy}");
    let status = grpc("{\"busy\":1}").expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(String::from_utf8_lossy(status.details()).contains("google.rpc.RetryInfo"));
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn each_wrong_way_is_answered_and_told() {
    let house = House::open();
    let status = call(house.http, Signal::Traces.method(), None, vec![1]).expect_err("the wrong port");
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains(&house.grpc.to_string()), "{status}");
    let status = call(house.grpc, "/a.Service/Call", None, vec![1]).expect_err("unknown");
    assert_eq!(status.code(), Code::Unimplemented);

    let cases = [
        (house.grpc, "POST /v1/traces", JSON, "415", house.http.to_string()),
        (house.http, "POST /", JSON, "404", "/v1/traces".to_owned()),
        (house.http, "POST /api/v2/spans", JSON, "404", "OTEL_TRACES_EXPORTER=otlp".to_owned()),
        (house.http, "POST /nowhere", JSON, "404", "no such path: /nowhere".to_owned()),
        (house.http, "POST /v1/traces", "content-type: text/csv\r\n", "415", "application/json".to_owned()),
        (house.http, "GET /v1/traces", JSON, "405", "allow: POST".to_owned()),
        (
            house.http,
            "POST /v1/traces",
            "content-type: application/json\r\ncontent-encoding: br\r\n",
            "415",
            "accept-encoding: gzip".to_owned(),
        ),
        (
            house.http,
            "POST /v1/traces",
            "content-type: application/json\r\norigin: https://example.com\r\n",
            "403",
            "localhost".to_owned(),
        ),
    ];
    for (port, line, headers, status, remedy) in cases {
        let answer = ask(port, line, headers, b"{}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert!(answer.contains(&remedy), "{line}: {answer}");
        assert!(answer.contains("content-type: application/json"), "{line}: {answer}");
    }
    let told: Vec<Outcome> = house.book.told().ended.iter().map(|(outcome, _)| *outcome).collect();
    assert_eq!(
        told,
        [
            Outcome::GrpcOnHttpPort,
            Outcome::UnknownPath,
            Outcome::HttpOnGrpcPort,
            Outcome::WithoutPath,
            Outcome::Zipkin,
            Outcome::UnknownPath,
            Outcome::UnknownContentType,
            Outcome::WrongMethod,
            Outcome::UnknownEncoding,
            Outcome::ForeignOrigin,
        ]
    );
    assert!(house.book.told().taken.is_empty());
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_local_page_may_send() {
    let house = House::open();
    let page = "origin: http://localhost:3000\r\naccess-control-request-method: POST\r\n\
                access-control-request-headers: content-type,x-key\r\n";
    let answer = ask(house.http, "OPTIONS /v1/traces", page, b"");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(answer.contains("access-control-allow-origin: http://localhost:3000"), "{answer}");
    assert!(answer.contains("access-control-allow-headers: content-type,x-key"), "{answer}");
    let page = "origin: http://localhost:3000\r\ncontent-type: application/json\r\n";
    for (body, status) in [("{}", "200"), ("{\"busy\":1}", "429"), ("{\"broken\"", "400")] {
        let answer = ask(house.http, "POST /v1/traces", page, body.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("access-control-allow-origin: http://localhost:3000\r\n"), "{answer}");
        assert!(answer.contains("access-control-expose-headers: retry-after\r\n"), "{answer}");
    }
    let outcomes = std::mem::take(&mut house.book.told().ended);
    assert_eq!(outcomes.len(), 3, "each of them is told, and no preflight: {outcomes:?}");
    let greeting = ask(house.http, "GET /", "", b"");
    assert!(
        greeting.contains("tracelink listens") && greeting.contains(&house.grpc.to_string()),
        "{greeting}"
    );
    assert!(house.book.told().ended.is_empty());
    house.receiver.close(Duration::from_secs(5));
}
