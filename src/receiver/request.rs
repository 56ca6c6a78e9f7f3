//! One request, from its head to its answer.
//!
//! gRPC's framing is read here, and not by tonic's server: that decompresses a message
//! before it asks for the bytes. Here each byte is in the budget first.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, EXPECT, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::task::JoinError;
use tonic::Code;

use super::answer::{self, Answer, AnswerFormat, ErrorAnswer};
use super::body::{self, Announced, BodyError, PREFIX};
use super::budget::Reservation;
use super::client::Client;
use super::cors::{self, Origin};
use super::decompress::{CODINGS, Coding, decompress};
use super::inbox::{Ended, OtlpEncoding, Refusal, Request, Signal, Transport};
use super::route::{Route, greeting, route};
use crate::evidence::Outcome;
use crate::wire::otlp::{has_lone_half, mend};

/// Answers a request.
pub async fn answer(
    client: Arc<Client>,
    request: http::Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let (mut parts, mut incoming) = request.into_parts();
    let origin = Origin::of(&parts.headers);
    let addresses = &client.shared.addresses;
    let mut record = RequestRecord::begin(&client, &parts);
    let mut response = match route(client.port, &parts, &origin, addresses) {
        Route::Greeting => {
            record.is_not_counted();
            answer::text(greeting(addresses))
        }
        Route::Preflight => {
            record.is_not_counted();
            let mut response = answer::nothing();
            if origin != Origin::Unsaid {
                cors::allow_preflight(&parts.headers, response.headers_mut());
            }
            response
        }
        Route::Wrong(fault, form) => {
            let writes_first = writes_before_reading(&parts);
            parts.headers = HeaderMap::new();
            drain_rest(&client, writes_first, &mut incoming).await;
            record.refuse(&fault, form)
        }
        Route::Take(signal, form) => {
            if form == AnswerFormat::Grpc {
                record.transport = Transport::Grpc;
            }
            let writes_first = writes_before_reading(&parts);
            let headers = std::mem::take(&mut parts.headers);
            match read(&client, headers, &mut incoming, signal, form).await {
                Ok(content) => handed_on(record, content).await,
                Err(fault) => {
                    // Do not wait for a client that is cut off or slow.
                    if !matches!(fault.outcome, Outcome::CutShort | Outcome::TimedOut) {
                        drain_rest(&client, writes_first, &mut incoming).await;
                    }
                    record.refuse(&fault, form)
                }
            }
        }
    };
    origin.allow(response.headers_mut());
    Ok(response)
}

/// Whether a client writes its whole body before it reads any answer. A client that asks
/// first whether to send does not.
fn writes_before_reading(parts: &Parts) -> bool {
    parts.version < Version::HTTP_2 && !parts.headers.contains_key(EXPECT)
}

/// Reads what an HTTP/1 client is still writing: see [`body::drain`].
async fn drain_rest(client: &Client, writes_before_reading: bool, incoming: &mut Incoming) {
    let limits = &client.shared.limits;
    if writes_before_reading {
        body::drain(incoming, (limits.request as u64).saturating_mul(8), limits.timeout).await;
    }
}

/// How many bytes a request takes while it waits for its body: its task, and the
/// protocol's state. There may be 65,536 streams.
const REQUEST: usize = 8 << 10;

/// The body of a request, and its reservation in the budget.
struct Content {
    signal: Signal,
    form: AnswerFormat,
    encoding: OtlpEncoding,
    body: Bytes,
    reservation: Reservation,
}

/// Reads and decompresses a body. The headers are dropped before that: 512 connections of
/// 128 streams each could hold a gigabyte of them.
async fn read(
    client: &Client,
    headers: HeaderMap,
    incoming: &mut Incoming,
    signal: Signal,
    form: AnswerFormat,
) -> Result<Content, ErrorAnswer> {
    let limits = &client.shared.limits;
    let (header, announced, limit, encoding) = match form {
        AnswerFormat::Grpc => {
            (GRPC_ENCODING, Announced::Prefix, limits.request.saturating_add(PREFIX), OtlpEncoding::Protobuf)
        }
        AnswerFormat::Http(encoding) => {
            (CONTENT_ENCODING, Announced::Length(length(&headers)), limits.request, encoding)
        }
    };
    let coding = coding(&headers, &header)?;
    drop(headers);
    let fault = |error| fault(error, limits.largest());
    let mut reservation = client.share.open();
    reservation.reserve(REQUEST).await.map_err(|full| fault(full.into()))?;
    let came =
        body::collect(incoming, announced, limit, limits.timeout, &mut reservation).await.map_err(fault)?;
    let (packed, coding) = match form {
        AnswerFormat::Grpc => message(&came, coding)?,
        AnswerFormat::Http(_) => (came, coding),
    };
    let body = decompressed(coding, packed, limits.request, &mut reservation).await.map_err(fault)?;
    let body = match encoding {
        OtlpEncoding::Json => mended(body, &mut reservation).await.map_err(fault)?,
        OtlpEncoding::Protobuf => body,
    };
    Ok(Content { signal, form, encoding, body, reservation })
}

/// Hands a request to the inbox, and answers it. It runs as a task of its own, so that it
/// continues if the client goes away: then the request is in the inbox, and its bytes
/// stay in the budget for as long as that takes.
async fn handed_on(record: RequestRecord, content: Content) -> Response<Answer> {
    let form = content.form;
    match tokio::spawn(hand_on(record, content)).await.map_err(JoinError::try_into_panic) {
        Ok(response) => response,
        Err(Ok(panic)) => resume_unwind(panic),
        // The receiver is closing.
        Err(Err(_)) => busy(AGAIN).answer(form),
    }
}

async fn hand_on(mut record: RequestRecord, content: Content) -> Response<Answer> {
    let Content { signal, form, encoding, body, reservation } = content;
    let client = Arc::clone(&record.client);
    let _in_inbox = client.shared.in_inbox.subscribe();
    let request = Request {
        signal,
        encoding,
        transport: record.transport,
        peer: client.peer,
        agent: &record.agent,
        body: &body,
    };
    let taken = client.shared.inbox.take(&request).await;
    drop(body);
    drop(reservation);
    match taken {
        Ok(receipt) => {
            record.end(Outcome::Accepted);
            answer::accepted(signal, &receipt, form)
        }
        Err(Refusal::Malformed(why)) => record.refuse(&malformed(why), form),
        Err(Refusal::Busy { retry_after }) => record.refuse(&busy(retry_after), form),
    }
}

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The compression that a request names.
fn coding(headers: &HeaderMap, header: &HeaderName) -> Result<Option<Coding>, ErrorAnswer> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let name = match values.next() {
        None => value.to_str().unwrap_or("?"),
        Some(_) => "more than one",
    };
    Coding::parse(name).map_err(|name| {
        let shown = &name[..name.floor_char_boundary(40)];
        ErrorAnswer::new(
            Outcome::UnknownEncoding,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unimplemented,
            format!("{header} `{shown}` is not understood: send {CODINGS}, or none"),
        )
    })
}

/// The one message of a gRPC call, and its compression.
fn message(came: &Bytes, coding: Option<Coding>) -> Result<(Bytes, Option<Coding>), ErrorAnswer> {
    let Some((prefix, message)) = came.split_at_checked(PREFIX) else {
        return Err(malformed("the call ends before its message".to_owned()));
    };
    let announced = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    if usize::try_from(announced) != Ok(message.len()) {
        return Err(malformed(format!(
            "the call holds {} bytes after its prefix, which announces one message of {announced}",
            message.len()
        )));
    }
    let coding = match (prefix[0], coding) {
        (0, _) => None,
        (1, Some(coding)) => Some(coding),
        (1, None) => {
            let why = "the message is marked as compressed, and no grpc-encoding says how";
            return Err(ErrorAnswer::new(Outcome::Malformed, StatusCode::BAD_REQUEST, Code::Internal, why));
        }
        (flag, _) => return Err(malformed(format!("the message's first byte is {flag}, and may be 0 or 1"))),
    };
    Ok((came.slice(PREFIX..), coding))
}

/// Replaces unpaired surrogates in JSON, so that one string is lost and not the batch.
async fn mended(body: Bytes, reservation: &mut Reservation) -> Result<Bytes, BodyError> {
    if !has_lone_half(&body) {
        return Ok(body);
    }
    let mut own = match body.try_into_mut() {
        Ok(own) => own,
        Err(shared) => {
            reservation.reserve(shared.len()).await?;
            BytesMut::from(&shared[..])
        }
    };
    mend(&mut own);
    Ok(own.freeze())
}

async fn decompressed(
    coding: Option<Coding>,
    packed: Bytes,
    limit: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, BodyError> {
    match coding {
        Some(coding) if !packed.is_empty() => {
            let body = decompress(coding, &packed, limit, reservation).await?;
            reservation.shrink(packed.len());
            Ok(body)
        }
        _ => Ok(packed),
    }
}

fn malformed(why: String) -> ErrorAnswer {
    ErrorAnswer::new(Outcome::Malformed, StatusCode::BAD_REQUEST, Code::InvalidArgument, why)
}

fn busy(retry_after: Duration) -> ErrorAnswer {
    let why = "no memory is free for this request now: send it again";
    let fault = ErrorAnswer::new(Outcome::Busy, StatusCode::TOO_MANY_REQUESTS, Code::Unavailable, why);
    ErrorAnswer { retry_after: Some(retry_after), ..fault }
}

/// How long a client should wait before it sends again, when there is no room.
const AGAIN: Duration = Duration::from_secs(1);

fn fault(error: BodyError, limit: usize) -> ErrorAnswer {
    match error {
        BodyError::TooLarge => ErrorAnswer::new(
            Outcome::TooLarge,
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::ResourceExhausted,
            format!("a request holds at most {limit} bytes, unpacked: send smaller batches"),
        ),
        BodyError::Full => busy(AGAIN),
        BodyError::Late => ErrorAnswer::new(
            Outcome::TimedOut,
            StatusCode::REQUEST_TIMEOUT,
            Code::DeadlineExceeded,
            "the body did not come in time",
        ),
        BodyError::Cut => ErrorAnswer::new(
            Outcome::CutShort,
            StatusCode::BAD_REQUEST,
            Code::Cancelled,
            "the body ended before it was whole",
        ),
        BodyError::Malformed(why) => malformed(why),
    }
}

/// What the inbox is told when a request ends.
struct RequestRecord {
    client: Arc<Client>,
    transport: Transport,
    agent: String,
    target: String,
    is_told: bool,
}

impl RequestRecord {
    fn begin(client: &Arc<Client>, parts: &Parts) -> Self {
        const LONGEST: usize = 200;
        client.activity.begin();
        let cut = |text: &str| text[..text.floor_char_boundary(LONGEST)].to_owned();
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.map(cut).unwrap_or_default();
        let target = format!("{} {}", cut(parts.method.as_str()), cut(parts.uri.path()));
        let is_grpc = parts.version == Version::HTTP_2
            && parts
                .headers
                .get(http::header::CONTENT_TYPE)
                .is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"));
        let transport = if is_grpc { Transport::Grpc } else { Transport::Http };
        let client = Arc::clone(client);
        Self { client, transport, agent, target, is_told: false }
    }

    fn end(&mut self, outcome: Outcome) {
        self.is_told = true;
        self.client.shared.inbox.ended(&Ended {
            outcome,
            transport: self.transport,
            port: self.client.port,
            peer: self.client.peer,
            agent: &self.agent,
            target: &self.target,
        });
    }

    /// The request was not one of telemetry, so it is not reported.
    fn is_not_counted(&mut self) {
        self.is_told = true;
    }

    fn refuse(&mut self, fault: &ErrorAnswer, form: AnswerFormat) -> Response<Answer> {
        self.end(fault.outcome);
        fault.answer(form)
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if !self.is_told {
            // The client went away, and hyper dropped the request.
            self.end(Outcome::CutShort);
        }
        self.client.activity.end();
    }
}
