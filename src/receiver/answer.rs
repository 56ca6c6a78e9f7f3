//! Answers as clients read them: export responses, `google.rpc.Status`, and the
//! trailers of gRPC.
//!
//! The export responses are `opentelemetry-proto`'s. `google.rpc.Status` with its
//! `RetryInfo` has four fields that are used, and stays by hand: `tonic-types` would
//! replace about 25 lines, and brings two crates (itself and `prost-types`), which take
//! about 3 s of CPU in the first build.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::{Code, Status};

use super::body::PREFIX;
use super::inbox::{OtlpEncoding, Receipt, Signal};
use crate::evidence::Outcome;

/// The body of an answer: some bytes, and gRPC's trailers after them.
#[derive(Default)]
pub struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    fn of(data: impl Into<Bytes>) -> Self {
        Self { data: Some(data.into()).filter(|data| !data.is_empty()), trailers: None }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.data.take().map(Frame::data);
        Poll::Ready(frame.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

/// The format in which the client reads answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerFormat {
    Grpc,
    Http(OtlpEncoding),
}

/// A request that was not accepted, and the answer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorAnswer {
    pub outcome: Outcome,
    pub status: StatusCode,
    pub code: Code,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl ErrorAnswer {
    pub fn new(outcome: Outcome, status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { outcome, status, code, message: message.into(), retry_after: None }
    }

    /// The answer in the client's format. OTLP requires a `Status` in the request's
    /// content type for every 4xx and 5xx.
    pub fn answer(&self, form: AnswerFormat) -> Response<Answer> {
        match form {
            AnswerFormat::Grpc => self.over_grpc(),
            AnswerFormat::Http(encoding) => self.over_http(encoding),
        }
    }

    fn over_grpc(&self) -> Response<Answer> {
        let status = match self.retry_after {
            Some(_) => Status::with_details(self.code, &*self.message, self.status_protobuf().into()),
            None => Status::new(self.code, &*self.message),
        };
        let mut response = status.into_http();
        if let Some(wait) = self.retry_after {
            // Only Python's exporter looks for it here.
            let info = BASE64_STANDARD.encode(retry_info(wait));
            let info = HeaderValue::from_str(&info).expect("Base64 is ASCII");
            response.headers_mut().insert("google.rpc.retryinfo-bin", info);
        }
        if self.outcome == Outcome::UnknownEncoding {
            response
                .headers_mut()
                .insert("grpc-accept-encoding", HeaderValue::from_static("gzip,zstd,deflate"));
        }
        response
    }

    fn over_http(&self, encoding: OtlpEncoding) -> Response<Answer> {
        let body = match encoding {
            OtlpEncoding::Protobuf => self.status_protobuf(),
            OtlpEncoding::Json => self.status_json().into_bytes(),
        };
        let mut response = Response::new(Answer::of(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        match self.outcome {
            Outcome::UnknownEncoding => {
                headers.insert(
                    http::header::ACCEPT_ENCODING,
                    HeaderValue::from_static(super::decompress::CODINGS),
                );
            }
            Outcome::WrongMethod => {
                headers.insert(http::header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            }
            _ => {}
        }
        response
    }

    /// `google.rpc.Status`, with a `google.rpc.RetryInfo` where the client may try again:
    /// <https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>.
    fn status_protobuf(&self) -> Vec<u8> {
        let mut status = Vec::new();
        put_number(&mut status, 1, self.code as u64);
        put_bytes(&mut status, 2, self.message.as_bytes());
        if let Some(wait) = self.retry_after {
            let mut any = Vec::new();
            put_bytes(&mut any, 1, RETRY_INFO.as_bytes());
            put_bytes(&mut any, 2, &retry_info(wait));
            put_bytes(&mut status, 3, &any);
        }
        status
    }

    fn status_json(&self) -> String {
        let mut status = serde_json::json!({ "code": self.code as i32, "message": self.message });
        if let Some(wait) = self.retry_after {
            let delay = format!("{}.{:03}s", wait.as_secs(), wait.subsec_millis());
            status["details"] = serde_json::json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
        }
        status.to_string()
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A `google.rpc.RetryInfo`.
fn retry_info(wait: Duration) -> Vec<u8> {
    let (mut delay, mut info) = (Vec::new(), Vec::new());
    put_number(&mut delay, 1, wait.as_secs());
    put_number(&mut delay, 2, wait.subsec_nanos().into());
    put_bytes(&mut info, 1, &delay);
    info
}

/// Whole seconds, rounded up, because 0 would mean at once.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The answer to a request that was accepted.
pub fn accepted(signal: Signal, receipt: &Receipt, form: AnswerFormat) -> Response<Answer> {
    match form {
        AnswerFormat::Http(encoding) => {
            let body = match encoding {
                OtlpEncoding::Protobuf => receipt_protobuf(receipt),
                OtlpEncoding::Json => receipt_json(signal, receipt).into_bytes(),
            };
            let mut response = Response::new(Answer::of(body));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
            response
        }
        AnswerFormat::Grpc => {
            let message = receipt_protobuf(receipt);
            let mut data = BytesMut::with_capacity(PREFIX + message.len());
            data.put_u8(0);
            data.put_u32(u32::try_from(message.len()).expect("a message of a few hundred bytes"));
            data.put_slice(&message);
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let mut response = Response::new(Answer { data: Some(data.freeze()), trailers: Some(trailers) });
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            response
        }
    }
}

/// A page for people.
pub fn text(text: String) -> Response<Answer> {
    let mut response = Response::new(Answer::of(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// An answer without content.
pub fn nothing() -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A message short enough for a client, however long the inbox made it.
fn short(message: &str) -> &str {
    const LONGEST: usize = 4096;
    &message[..message.floor_char_boundary(LONGEST)]
}

/// An `Export…ServiceResponse`: those of traces, metrics and logs have the same fields.
fn receipt_protobuf(receipt: &Receipt) -> Vec<u8> {
    let partial_success = (*receipt != Receipt::default()).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(receipt.rejected).unwrap_or(i64::MAX),
        error_message: short(&receipt.message).to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

fn receipt_json(signal: Signal, receipt: &Receipt) -> String {
    if *receipt == Receipt::default() {
        return "{}".to_owned();
    }
    // Protobuf's JSON writes 64-bit integers as strings.
    serde_json::json!({ "partialSuccess": {
        signal.rejected(): receipt.rejected.to_string(),
        "errorMessage": short(&receipt.message),
    }})
    .to_string()
}

fn put_varint(out: &mut Vec<u8>, number: u64) {
    prost::encoding::encode_varint(number, out);
}

/// A number, omitted where it is 0, as proto3 does.
fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    if number != 0 {
        out.push(field << 3);
        put_varint(out, number);
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_the_response_that_clients_know() {
        assert_eq!(receipt_protobuf(&Receipt::default()), b"");
        let receipt = Receipt { rejected: 300, message: "two ids are zero".to_owned() };
        let response = ExportTraceServiceResponse::decode(&*receipt_protobuf(&receipt)).expect("protobuf");
        let partial = response.partial_success.expect("a partial success");
        assert_eq!((partial.rejected_spans, &*partial.error_message), (300, "two ids are zero"));
        assert_eq!(
            receipt_json(Signal::Logs, &receipt),
            r#"{"partialSuccess":{"errorMessage":"two ids are zero","rejectedLogRecords":"300"}}"#
        );
    }

    #[test]
    fn a_wait_is_never_at_once() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(1001)), 2);
    }
}
