//! Sends requests on to another OTLP endpoint, unchanged.
//!
//! It never delays the receiver: [`Forwarder::offer`] copies a body into a queue that is
//! limited in bytes, and does not wait. A separate thread sends, with a few requests in
//! flight at a time, and tries again where the answer allows it. Nothing is judged or
//! changed here, and nothing is kept after the process ends. Lost requests are counted by
//! reason.
//!
//! Requests are retried by hand, in one loop. `backon` takes a pause from an error, and a
//! sleeper of our own could end one. But a sleeper learns only how long to sleep, and
//! closing must not end a pause that the endpoint asked for. The pauses must also start
//! again at the shortest when closing begins, and a backoff cannot. Both would need state
//! that three closures share, which is longer than this loop.

mod client;
mod error;
mod reply;
mod sent;
mod target;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use error::ForwardError;
pub use sent::{Loss, Sent};

use self::client::EndpointClient;
use self::reply::Reply;
use self::target::Target;
use super::body::PREFIX;
use super::budget::{Budget, Reservation};
use super::{Addresses, OtlpEncoding, Signal};
use crate::evidence::OtlpProtocol;

/// Requests in flight at a time, including those that wait for their next attempt.
const IN_FLIGHT: usize = 4;
/// The pause before the second attempt. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a request is retried.
const RETRIED_FOR: Duration = Duration::from_mins(1);

/// Sends requests on, in a thread of its own, until it is closed.
pub struct Forwarder {
    target: Target,
    waiting: Arc<Budget>,
    sent: Arc<Mutex<Sent>>,
    sender: UnboundedSender<QueuedRequest>,
    /// Set on closing: how long the requests that are left may take.
    closing: watch::Sender<Option<Duration>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Forwarder {
    /// Starts to send to `url`, with these headers. At most `limit` bytes wait.
    ///
    /// The URL is read like `OTEL_EXPORTER_OTLP_ENDPOINT`; `grpc://`, `grpcs://` and the
    /// port 4317 mean gRPC. The certificate of an https endpoint is checked against the
    /// PEM file `certificate`, or against this machine's authorities.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL, a header or the certificates. Whether the endpoint
    /// answers shows only when there is something to send.
    pub fn start(
        url: &str,
        headers: &[(String, String)],
        certificate: Option<&Path>,
        limit: usize,
    ) -> Result<Self, ForwardError> {
        let target = Target::parse(url)?;
        let client = Arc::new(EndpointClient::new(target.clone(), headers, certificate)?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ForwardError::Threads)?;
        let (sender, queue) = unbounded_channel();
        let (closing, closed) = watch::channel(None);
        let thread = std::thread::Builder::new()
            .name("forward".to_owned())
            .spawn(move || {
                runtime.block_on(work(queue, client, closed));
                // A name that is being resolved cannot be interrupted, and is not waited
                // for.
                runtime.shutdown_background();
            })
            .map_err(ForwardError::Threads)?;
        let sent = Arc::new(Mutex::new(Sent { to: target.to_string(), ..Sent::default() }));
        Ok(Self {
            target,
            waiting: Arc::new(Budget::new(limit)),
            sent,
            sender,
            closing,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The endpoint, without user and password.
    pub fn to(&self) -> impl fmt::Display {
        &self.target
    }

    /// The one of these ports that the URL leads to. Requests sent there would come back
    /// endlessly.
    pub fn leads_to(&self, ports: &Addresses) -> Option<std::net::SocketAddr> {
        self.target.leads_to(ports)
    }

    /// Takes a request to send on. It never waits: a request that finds no room is lost,
    /// and counted.
    ///
    /// The body is copied, because it may be a small part of a large buffer that nobody
    /// counts.
    pub fn offer(&self, signal: Signal, encoding: OtlpEncoding, body: &[u8]) {
        let is_grpc = self.target.protocol == OtlpProtocol::Grpc;
        if is_grpc && encoding == OtlpEncoding::Json {
            return lock(&self.sent).lose(Loss::JsonOverGrpc);
        }
        let mut place = self.waiting.share(Duration::MAX).open();
        if place.try_reserve(size_of::<QueuedRequest>() + PREFIX + body.len()).is_err() {
            return lock(&self.sent).lose(Loss::QueueFull);
        }
        let mut copy = BytesMut::with_capacity(PREFIX + body.len());
        if is_grpc {
            let Ok(length) = u32::try_from(body.len()) else {
                return lock(&self.sent).lose(Loss::QueueFull);
            };
            copy.put_u8(0);
            copy.put_u32(length);
        }
        copy.put_slice(body);
        let (sent, body) = (Arc::clone(&self.sent), copy.freeze());
        let request =
            QueuedRequest { signal, encoding, body, _place: place, sent, end: End::Lost(Loss::NotInTime) };
        // After closing, the request comes back, and counts as lost when it is dropped.
        drop(self.sender.send(request));
    }

    /// How many requests did not arrive so far.
    pub fn losses(&self) -> u64 {
        lock(&self.sent).losses()
    }

    /// Sends what still waits for as long as `deadline`, and returns the outcome of
    /// everything. Requests offered from now on are lost.
    pub fn close(&self, deadline: Duration) -> Sent {
        self.closing.send_replace(Some(deadline));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        }
        lock(&self.sent).clone()
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("target", &self.target).finish_non_exhaustive()
    }
}

fn lock(sent: &Mutex<Sent>) -> std::sync::MutexGuard<'_, Sent> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request on its way. Dropping it records how it ended, so that none is forgotten.
struct QueuedRequest {
    signal: Signal,
    encoding: OtlpEncoding,
    body: Bytes,
    /// Its bytes in the queue.
    _place: Reservation,
    sent: Arc<Mutex<Sent>>,
    end: End,
}

enum End {
    Taken { rejected: u64 },
    Lost(Loss),
}

impl Drop for QueuedRequest {
    fn drop(&mut self) {
        let mut sent = lock(&self.sent);
        match std::mem::replace(&mut self.end, End::Lost(Loss::Other)) {
            End::Taken { rejected } => {
                sent.requests += 1;
                sent.rejected = sent.rejected.saturating_add(rejected);
            }
            End::Lost(why) => sent.lose(why),
        }
    }
}

/// Sends all that comes until the forwarder is closed, and then for as long as its
/// deadline.
async fn work(
    queue: UnboundedReceiver<QueuedRequest>,
    client: Arc<EndpointClient>,
    closing: watch::Receiver<Option<Duration>>,
) {
    let mut closed = closing.clone();
    let time_is_over = async {
        let deadline = closed.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
        // When a forwarder is dropped, nobody waits.
        tokio::time::sleep(deadline.unwrap_or_default()).await;
    };
    tokio::select! {
        () = carry(queue, client, closing) => {}
        () = time_is_over => {}
    }
}

async fn carry(
    mut queue: UnboundedReceiver<QueuedRequest>,
    client: Arc<EndpointClient>,
    mut closing: watch::Receiver<Option<Duration>>,
) {
    let mut under_way = JoinSet::new();
    let of_request = closing.clone();
    let mut is_closing = false;
    loop {
        let has_room = under_way.len() < IN_FLIGHT;
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            request = queue.recv(), if has_room => match request {
                Some(request) => {
                    under_way.spawn(deliver(request, Arc::clone(&client), of_request.clone()));
                }
                None => break,
            },
            _ = closing.wait_for(Option::is_some), if !is_closing => {
                is_closing = true;
                queue.close();
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Tries until the request is delivered, refused, or out of time.
async fn deliver(
    mut request: QueuedRequest,
    client: Arc<EndpointClient>,
    mut closing: watch::Receiver<Option<Duration>>,
) {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let (why, after) = match client.attempt(request.signal, request.encoding, request.body.clone()).await
        {
            Reply::Taken { rejected } => {
                request.end = End::Taken { rejected };
                return;
            }
            Reply::Refused(why) => {
                request.end = End::Lost(why);
                return;
            }
            Reply::Again { why, after } => (why, after),
        };
        request.end = End::Lost(why);
        // An endpoint that says "at once" each time would be asked thousands of times a
        // second.
        let wait =
            after.map_or_else(|| pause.mul_f64(0.8 + 0.4 * fastrand::f64()), |after| after.max(FIRST_PAUSE));
        if started.elapsed().saturating_add(wait) > RETRIED_FOR {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        let is_closing = closing.borrow().is_some();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // When closing, there is no time for long pauses, except for one that the
            // endpoint asked for.
            _ = closing.wait_for(Option::is_some), if after.is_none() && !is_closing => pause = FIRST_PAUSE,
        }
    }
}
