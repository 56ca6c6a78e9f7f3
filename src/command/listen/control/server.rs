//! The server: its connections, and what each may take of time and memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::routes::{Connection, answer};
use super::steering::Steering;

/// Connections at a time; the next ones wait in the system's queue. With [`HEAD`] they
/// take 1 MiB.
const CONNECTIONS: usize = 64;
/// The largest head of a request in bytes; a larger one is answered with 431.
const HEAD: usize = 16 << 10;
/// How long a head may take. A script sends it at once, and so many clients that say
/// nothing keep another waiting for no longer than this.
const HEAD_TIME: Duration = Duration::from_secs(2);
/// How long a connection may take: a request and its answer.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// Serves, until it is dropped.
pub async fn accept(listener: TcpListener, steering: Arc<Steering>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("it is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor is free, say.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let steering = Arc::clone(&steering);
        tokio::spawn(async move {
            // What is wrong with a connection is its client's affair alone.
            let _ = timeout(CONNECTION_TIME, serve(stream, steering)).await;
            drop(slot);
        });
    }
}

/// Answers one request: keeping a connection would save a script nothing, and takes a slot.
async fn serve(stream: TcpStream, steering: Arc<Steering>) -> hyper::Result<()> {
    let connection = Arc::new(Connection::default());
    let asked = Arc::clone(&connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let (steering, connection) = (Arc::clone(&steering), Arc::clone(&asked));
        async move { Ok::<_, Infallible>(answer(&steering, &connection, request).await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
