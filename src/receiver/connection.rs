//! One connection: which protocol it speaks, how long it may stay, and how it ends.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::activity::{BetweenRequests, ConnectionActivity, Overdue};
use super::client::{Client, Shared};
use super::inbox::PortKind;
use super::request;
use super::windows::CONNECTION;
use crate::evidence::Outcome;

/// Accepts connections until it is time to stop.
pub async fn accept(
    listener: TcpListener,
    port: PortKind,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Perhaps no file descriptor is free. Other connections end in the meantime.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let activity = Arc::new(ConnectionActivity::new());
        let share = shared.limits.bodies.share(shared.limits.stalled_after);
        let client =
            Client { shared: Arc::clone(&shared), port, peer, activity: Arc::clone(&activity), share };
        let Some(slot) = shared.slots.take(activity, Instant::now()) else {
            client.ended(Outcome::Busy);
            continue;
        };
        let client = Arc::new(client);
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                // An error of one connection matters to its client alone.
                _ = serve(stream, Arc::clone(&client), stop) => {}
                () = slot.is_asked_to_close() => {
                    if !client.activity.has_had_a_request() {
                        client.ended(Outcome::TimedOut);
                    }
                }
            }
            drop(slot);
        });
    }
}

/// The first bytes of HTTP/2: <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocol of a connection, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opening {
    Http1,
    Http2,
    Tls,
    Unknown,
    /// More bytes are needed to tell.
    Unclear,
}

impl Opening {
    fn of(start: &[u8]) -> Self {
        match start {
            [] | [0x16] => Self::Unclear,
            [0x16, 3, ..] => Self::Tls,
            start if start.starts_with(PREFACE) => Self::Http2,
            start if PREFACE.starts_with(start) => Self::Unclear,
            // The name of a method, or the empty lines that RFC 9112 (2.2) allows before
            // it.
            [b'A'..=b'Z' | b'a'..=b'z' | b'\r' | b'\n', ..] => Self::Http1,
            _ => Self::Unknown,
        }
    }
}

/// What the inbox hears of a TLS client, by the port that it connected to.
const fn hello_at(port: PortKind) -> &'static str {
    match port {
        PortKind::Grpc => "TLS ClientHello at the gRPC port",
        PortKind::Http => "TLS ClientHello at the HTTP port",
        PortKind::Both => "TLS ClientHello",
    }
}

async fn serve(mut stream: TcpStream, client: Arc<Client>, stop: watch::Receiver<bool>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut start = Vec::with_capacity(PREFACE.len());
    let opening = tokio::time::timeout(client.shared.limits.timeout, read_opening(&mut stream, &mut start));
    let mut stopped = stop.clone();
    let opening = tokio::select! {
        opening = opening => opening,
        _ = stopped.wait_for(|stop| *stop) => return Ok(()),
    };
    match opening {
        Err(_late) => {
            client.ended(Outcome::TimedOut);
            Ok(())
        }
        Ok(opening) => match opening? {
            Opening::Http1 => {
                let stream = ObservedStream::new(stream, start, Arc::clone(&client));
                http1(stream, client, stop).await
            }
            Opening::Http2 => {
                let stream = ObservedStream::new(stream, start, Arc::clone(&client));
                http2(stream, client, stop).await
            }
            Opening::Tls => {
                client.ended_at(Outcome::TlsOnPlainPort, hello_at(client.port));
                // TLS clients recognise this answer: "wrong version number".
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nno TLS here: http://\n")
                    .await
            }
            Opening::Unknown => {
                client.ended(Outcome::NotHttp);
                Ok(())
            }
            // The client left before it sent anything, as port scans and health checks
            // do.
            Opening::Unclear => Ok(()),
        },
    }
}

async fn read_opening(stream: &mut TcpStream, start: &mut Vec<u8>) -> io::Result<Opening> {
    loop {
        let mut bytes = [0; PREFACE.len()];
        let wanted = PREFACE.len() - start.len();
        let count = stream.read(&mut bytes[..wanted]).await?;
        start.extend_from_slice(&bytes[..count]);
        match Opening::of(start) {
            Opening::Unclear if count > 0 => {}
            opening => return Ok(opening),
        }
    }
}

async fn http1(stream: ObservedStream, client: Arc<Client>, stop: watch::Receiver<bool>) -> io::Result<()> {
    // Bytes that are read ahead are in no body's budget, so this is small: half of what a
    // connection has. 256 KiB would save 17 µs of CPU for a request of 512 spans
    // (`benches/receiver.rs`).
    const HEAD: usize = CONNECTION / 2;
    let asked = Arc::clone(&client);
    let connection = hyper::server::conn::http1::Builder::new()
        // The time for the head is measured here, because hyper's includes idle time
        // before it.
        .header_read_timeout(None)
        .max_buf_size(HEAD)
        .half_close(true)
        .timer(TokioTimer::new())
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| request::answer(Arc::clone(&asked), request)),
        );
    if let Some(error) = run(connection, &client, stop, BetweenRequests::NextHead).await
        && error.is_parse()
    {
        client.ended(Outcome::NotHttp);
    }
    Ok(())
}

async fn http2(stream: ObservedStream, client: Arc<Client>, stop: watch::Receiver<bool>) -> io::Result<()> {
    const STREAMS: u32 = 128;
    // A request of 512 spans costs 55 µs of CPU with the largest window and frame,
    // 106 µs with HTTP/2's own defaults (`benches/receiver.rs`).
    const FRAME: (u32, u32) = (16 << 10, 256 << 10);
    const HEADERS: u32 = 16 << 10;
    const PING: Duration = Duration::from_mins(1);
    let window = client.shared.limits.windows.take();
    let ahead = u32::try_from(window.bytes()).unwrap_or(u32::MAX);
    let asked = Arc::clone(&client);
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(ahead)
        .initial_connection_window_size(ahead)
        .max_frame_size((ahead / 4).clamp(FRAME.0, FRAME.1))
        .max_header_list_size(HEADERS)
        .keep_alive_interval(PING)
        .timer(TokioTimer::new())
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| request::answer(Arc::clone(&asked), request)),
        );
    run(connection, &client, stop, BetweenRequests::Frames).await;
    drop(window);
    Ok(())
}

/// Drives a connection until it ends, is told to end, or has been idle too long.
async fn run<C: GracefulConnection<Error = hyper::Error>>(
    connection: C,
    client: &Client,
    mut stop: watch::Receiver<bool>,
    between: BetweenRequests,
) -> Option<hyper::Error> {
    let limits = &client.shared.limits;
    let mut connection = pin!(connection);
    let mut is_ending = false;
    loop {
        let due = client.activity.due(limits.timeout, limits.idle, between);
        tokio::select! {
            ended = &mut connection => return ended.err(),
            _ = stop.wait_for(|stop| *stop), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep_until(due) => match client.activity.overdue(limits.timeout, limits.idle, between) {
                Some(Overdue::Head) => {
                    client.ended(Outcome::TimedOut);
                    return None;
                }
                // It was told to end and has not.
                Some(Overdue::Idle) if is_ending => return None,
                Some(Overdue::Idle) => {
                    is_ending = true;
                    client.activity.restart_idle_time();
                    connection.as_mut().graceful_shutdown();
                }
                None => {}
            },
        }
    }
}

/// A stream whose first bytes were already read. It notes when more come.
struct ObservedStream {
    stream: TcpStream,
    start: Vec<u8>,
    client: Arc<Client>,
}

impl ObservedStream {
    fn new(stream: TcpStream, start: Vec<u8>, client: Arc<Client>) -> Self {
        client.activity.bytes_came();
        Self { stream, start, client }
    }
}

impl AsyncRead for ObservedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.start.is_empty() {
            let count = self.start.len().min(buffer.remaining());
            buffer.put_slice(&self.start[..count]);
            self.start.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.client.activity.bytes_came();
        }
        read
    }
}

impl AsyncWrite for ObservedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
