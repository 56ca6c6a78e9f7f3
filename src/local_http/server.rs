//! The server: its port, and how many clients it has at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::answer::Service;
use super::connection;
use super::port::{PortError, open_port};
use super::shared::{Limits, Shared};

/// Connections at a time; the next ones wait in the system's queue. With their heads they
/// take 1 MiB.
const CONNECTIONS: usize = 64;

/// A server that listens, until it is closed or dropped.
///
/// It has a runtime of its own: it is opened, closed and dropped outside of any other.
pub struct LocalServer {
    runtime: Runtime,
    shared: Arc<Shared>,
}

impl LocalServer {
    /// Opens the port that `option` chose. It answers when this returns.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn open(
        wanted: SocketAddr,
        option: &'static str,
        service: Arc<dyn Service>,
        limits: Limits,
    ) -> Result<Self, PortError> {
        let (listener, address) = open_port(wanted, option)?;
        let failed = |why| PortError::Bind { address, option, why };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(limits.made)
            .thread_name(option.trim_start_matches('-'))
            .enable_all()
            .build()
            .map_err(failed)?;
        let shared = Arc::new(Shared {
            service,
            address,
            limits,
            made: Arc::new(Semaphore::new(limits.made)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            answering: watch::Sender::new(()),
        });
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).map_err(failed)?
        };
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { runtime, shared })
    }

    /// Where it listens: of a port 0, the one that was given.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Closes the port. Answers that are being sent, and clients that follow events, have so
    /// long to end.
    pub fn close(self, moment: Duration) {
        let Self { runtime, shared } = self;
        let _ = runtime.block_on(async { tokio::time::timeout(moment, shared.answering.closed()).await });
        runtime.shutdown_background();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("it is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor is free, say.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            connection::serve(stream, shared).await;
            drop(slot);
        });
    }
}
