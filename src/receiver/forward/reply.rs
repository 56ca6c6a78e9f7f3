//! What an endpoint's answer means: accepted, refused, or to be tried again.
//!
//! The rules are those of <https://opentelemetry.io/docs/specs/otlp/#failures>. There is
//! no I/O here. An answer is as hostile as anything else from outside.

use std::time::Duration;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use tonic::Code;

use super::sent::Loss;

/// The meaning of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The endpoint has the request, and rejected this many records of it.
    Taken { rejected: u64 },
    /// Try again. The endpoint may have said how long to wait.
    Again { why: Loss, after: Option<Duration> },
    /// The endpoint refuses the request for good.
    Refused(Loss),
}

/// Reads an answer over HTTP.
pub fn over_http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Reply {
    match status.as_u16() {
        200..=299 => {
            let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
            let is_json = content.starts_with(b"application/json");
            Reply::Taken { rejected: if is_json { rejected_json(body) } else { rejected(body) } }
        }
        429 | 502 | 503 | 504 => {
            Reply::Again { why: Loss::Busy(status.as_u16().to_string()), after: retry_after(headers) }
        }
        _ => Reply::Refused(Loss::refused(status)),
    }
}

/// Reads an answer over gRPC. An answer without a message has its status in the headers.
pub fn over_grpc(
    status: StatusCode,
    headers: &HeaderMap,
    trailers: Option<&HeaderMap>,
    body: &[u8],
) -> Reply {
    let has_status = |headers: &&HeaderMap| headers.contains_key(GRPC_STATUS);
    let Some(trailers) = trailers.filter(has_status).or_else(|| Some(headers).filter(has_status)) else {
        // A proxy in between, or a server without gRPC.
        return match over_http(status, headers, b"") {
            Reply::Taken { .. } => {
                Reply::Refused(Loss::RefusedGrpc("an answer without grpc-status".to_owned()))
            }
            reply => reply,
        };
    };
    let code = trailers.get(GRPC_STATUS).map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()));
    let after = retry_info(trailers);
    match code {
        Code::Ok => Reply::Taken { rejected: rejected(body.get(5..).unwrap_or_default()) },
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Reply::Again { why: Loss::Busy(format!("{code:?}")), after },
        // Retryable only if the server says when (OTLP); otherwise the request is too
        // large for it.
        Code::ResourceExhausted if after.is_some() => {
            Reply::Again { why: Loss::Busy(format!("{code:?}")), after }
        }
        _ => Reply::Refused(Loss::refused_grpc(code)),
    }
}

const GRPC_STATUS: &str = "grpc-status";

/// `Retry-After` in seconds, or as a date, which is compared with the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let value = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parse = |date: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok();
    let (until, now) = (parse(value)?, parse(text(DATE)?)?);
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// `google.rpc.Status`, of which only the details are used.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The wait in the details of a status.
fn retry_info(trailers: &HeaderMap) -> Option<Duration> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let details = BASE64.decode(trailers.get("grpc-status-details-bin")?).ok()?;
    let details = Status::decode(&*details).ok()?.details;
    let info = details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())))
}

/// An `Export…ServiceResponse`: all three have these fields.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

fn rejected(body: &[u8]) -> u64 {
    let partial = Response::decode(body).ok().and_then(|response| response.partial_success);
    partial.and_then(|partial| u64::try_from(partial.rejected).ok()).unwrap_or_default()
}

fn rejected_json(body: &[u8]) -> u64 {
    let Ok(response) = serde_json::from_slice::<serde_json::Value>(body) else { return 0 };
    let Some(partial) = response["partialSuccess"].as_object() else { return 0 };
    let counts = partial.iter().filter(|(name, _)| name.starts_with("rejected"));
    // Protobuf's JSON writes 64-bit integers as strings.
    let number = |value: &serde_json::Value| {
        value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap_or_default()
    };
    counts.map(|(_, value)| number(value)).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a value");
        pairs.iter().map(|(name, text)| (http::HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn http_is_tried_again_on_four_answers_alone() {
        for status in 100..600_u16 {
            let reply = over_http(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), b"");
            let is_again = matches!(reply, Reply::Again { .. });
            assert_eq!(is_again, [429, 502, 503, 504].contains(&status), "{status}: {reply:?}");
            assert_eq!(matches!(reply, Reply::Taken { .. }), (200..300).contains(&status), "{status}");
        }
    }

    #[test]
    fn grpc_is_tried_again_as_the_specification_says() {
        for code in 0..20 {
            let trailers = headers(&[("grpc-status", &code.to_string())]);
            let reply = over_grpc(StatusCode::OK, &HeaderMap::new(), Some(&trailers), b"");
            assert_eq!(
                matches!(reply, Reply::Again { .. }),
                [1, 4, 10, 11, 14, 15].contains(&code),
                "{code}"
            );
            assert_eq!(matches!(reply, Reply::Taken { .. }), code == 0, "{code}");
            // Without a message, the trailers are in the headers.
            assert_eq!(over_grpc(StatusCode::OK, &trailers, None, b""), reply);
        }
        let proxy = over_grpc(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), None, b"");
        assert!(matches!(proxy, Reply::Again { .. }), "{proxy:?}");
        let page = over_grpc(StatusCode::OK, &HeaderMap::new(), None, b"<html>");
        assert!(matches!(page, Reply::Refused(_)), "{page:?}");
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept() {
        let after = |pairs: &[(&'static str, &str)]| match over_http(
            StatusCode::TOO_MANY_REQUESTS,
            &headers(pairs),
            b"",
        ) {
            Reply::Again { after, .. } => after,
            reply => panic!("{reply:?}"),
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(after(&[("retry-after", "7")]), seconds(7));
        let (date, until) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(after(&[("date", date), ("retry-after", until)]), seconds(60));
        assert_eq!(after(&[("date", until), ("retry-after", date)]), seconds(0));
        assert_eq!(after(&[("retry-after", until)]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn our_own_refusals_are_understood() {
        let delay = Delay { seconds: 1, nanos: 500_000_000 };
        let info = RetryInfo { retry_delay: Some(delay) }.encode_to_vec();
        let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: info };
        let status = base64::prelude::BASE64_STANDARD.encode(Status { details: vec![any] }.encode_to_vec());
        for code in ["14", "8"] {
            let trailers = headers(&[("grpc-status", code), ("grpc-status-details-bin", &status)]);
            match over_grpc(StatusCode::OK, &trailers, None, b"") {
                Reply::Again { after, .. } => assert_eq!(after, Some(Duration::from_millis(1500))),
                reply => panic!("{reply:?}"),
            }
        }
        for hostile in ["%%%", "", "AAAA", "gICAgICAgICAgIA="] {
            let trailers = headers(&[("grpc-status", "14"), ("grpc-status-details-bin", hostile)]);
            let reply = over_grpc(StatusCode::OK, &trailers, None, b"");
            assert!(matches!(reply, Reply::Again { after: None, .. }), "{hostile}: {reply:?}");
        }
    }

    #[test]
    fn what_was_rejected_is_counted() {
        let body = Response { partial_success: Some(PartialSuccess { rejected: 300 }) }.encode_to_vec();
        let json = headers(&[("content-type", "application/json; charset=utf-8")]);
        let of = |headers: &HeaderMap, body: &[u8]| over_http(StatusCode::OK, headers, body);
        assert_eq!(of(&HeaderMap::new(), &body), Reply::Taken { rejected: 300 });
        assert_eq!(of(&json, br#"{"partialSuccess":{"rejectedSpans":"12"}}"#), Reply::Taken { rejected: 12 });
        for hostile in [&b"\xff\xff"[..], b"[", b"{\"partialSuccess\":{\"rejectedSpans\":-1}}"] {
            assert_eq!(of(&json, hostile), Reply::Taken { rejected: 0 });
            assert_eq!(of(&HeaderMap::new(), hostile), Reply::Taken { rejected: 0 });
        }
        let framed = [&[0, 0, 0, 0, u8::try_from(body.len()).expect("short")], &body[..]].concat();
        let trailers = headers(&[("grpc-status", "0")]);
        let reply = over_grpc(StatusCode::OK, &HeaderMap::new(), Some(&trailers), &framed);
        assert_eq!(reply, Reply::Taken { rejected: 300 });
    }
}
