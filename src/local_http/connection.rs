//! One connection: its request, and the answer.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::answer::{Answer, Response};
use super::events::{EventBody, EventStream};
use super::guard;
use super::patient_stream::PatientStream;
use super::shared::Shared;

/// The largest head of a request in bytes; a larger one is answered with 431.
const HEAD: usize = 16 << 10;
/// How long a head may take. A client sends it at once, and so many that say nothing keep
/// another waiting for no longer than this.
const HEAD_TIME: Duration = Duration::from_secs(2);
/// The largest body of a request in bytes: none is read for what it says.
const BODY: usize = 4 << 10;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How long a connection may take: a request and its answer. Events may take longer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// For how long a client may read nothing of what there is for it.
const READ_TIME: Duration = Duration::from_secs(10);
/// How long an answer waits for those that are being made or read.
const MADE_TIME: Duration = Duration::from_secs(10);

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

type Body = Either<Full<Bytes>, EventBody>;

/// What a connection holds until it ends, so until its answer was sent.
#[derive(Default)]
struct Held {
    made: OnceLock<OwnedSemaphorePermit>,
    stream: OnceLock<OwnedSemaphorePermit>,
    /// Whoever closes the server waits for this one.
    answering: OnceLock<watch::Receiver<()>>,
}

/// Answers one request: keeping a connection would save a client nothing, and takes a slot.
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let held = Arc::new(Held::default());
    let asked = (Arc::clone(&shared), Arc::clone(&held));
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, held) = (Arc::clone(&asked.0), Arc::clone(&asked.1));
        async move { Ok::<_, Infallible>(answer(&shared, &held, request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        // Who is sent events and shuts its side is gone; a script may have said all it has
        // to say.
        .half_close(shared.limits.streams == 0)
        .max_buf_size(HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(PatientStream::new(stream, READ_TIME)), service);
    let mut connection = std::pin::pin!(connection);
    // What is wrong with a connection is its client's affair alone.
    tokio::select! {
        _ = &mut connection => return,
        () = sleep(CONNECTION_TIME) => {}
    }
    if held.stream.get().is_some() {
        let _ = connection.await;
    }
}

async fn answer(shared: &Arc<Shared>, held: &Held, request: Request<Incoming>) -> http::Response<Body> {
    let _ = held.answering.set(shared.answering.subscribe());
    let (parts, body) = request.into_parts();
    let refused = |(status, reason): (StatusCode, &str)| shared.service.refusal(&parts, status, reason);
    let guarded = guard::check(&parts, shared.address, shared.limits.answers_links)
        .map_err(|reason| (StatusCode::FORBIDDEN, reason));
    let read = match guarded {
        Ok(()) => read(body).await,
        Err(refusal) => Err(refusal),
    };
    let answered = match read {
        Ok(()) => answered(shared, held, &parts).await,
        Err(refusal) => Err(refusal),
    };
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(refusal) => {
            let mut answer = refused(refusal);
            if refusal.0 == StatusCode::SERVICE_UNAVAILABLE {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            whole(answer)
        }
    };
    let headers = answer.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Why a request is not answered.
type Refusal = (StatusCode, &'static str);

/// Reads a body to its end, so that the client reads the answer.
async fn read(body: Incoming) -> Result<(), Refusal> {
    match timeout(BODY_TIME, Limited::new(body, BODY).collect()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "the request has a body, and none is needed")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body of the request took too long")),
    }
}

async fn answered(shared: &Arc<Shared>, held: &Held, parts: &Parts) -> Result<http::Response<Body>, Refusal> {
    match shared.service.answer(parts) {
        Answer::Now(answer) => Ok(whole(answer)),
        Answer::Made(make) => {
            const BUSY: Refusal =
                (StatusCode::SERVICE_UNAVAILABLE, "other answers of this kind are being made or read");
            let permit = timeout(MADE_TIME, Arc::clone(&shared.made).acquire_owned()).await;
            let permit = permit.map_err(|_| BUSY)?.expect("it is never closed");
            let _ = held.made.set(permit);
            let made = tokio::task::spawn_blocking(make).await;
            made.map(whole).map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made"))
        }
        Answer::Events(events) => {
            const FULL: Refusal =
                (StatusCode::SERVICE_UNAVAILABLE, "as many pages as can be kept up to date are open already");
            let _ = held.stream.set(Arc::clone(&shared.streams).try_acquire_owned().map_err(|_| FULL)?);
            Ok(stream(events, &parts.method))
        }
    }
}

fn whole(answer: Response) -> http::Response<Body> {
    answer.map(|bytes| Either::Left(Full::new(bytes)))
}

fn stream(events: EventStream, method: &Method) -> http::Response<Body> {
    let body =
        if method == Method::HEAD { Either::Left(Full::default()) } else { Either::Right(events.start()) };
    let mut answer = http::Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}
