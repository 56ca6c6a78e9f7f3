//! `listen --control`: an HTTP server by which a script asks how the session is, reads
//! its report, and ends it. It may not know how evidence is judged or written.

mod guard;
mod routes;
mod server;
mod steering;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use self::steering::{Phase, Steering};
use super::open_ports::OpenPorts;
use crate::live::Session;

pub use self::steering::ReportStyle;

/// The server, from its port to its last answer.
pub struct Control {
    runtime: Runtime,
    steering: Arc<Steering>,
}

impl Control {
    /// Opens the port. It answers when this returns, at first that the session starts.
    ///
    /// # Errors
    ///
    /// That the port cannot be opened, with the remedy.
    pub fn open(wanted: SocketAddr, session: Arc<Session>, style: ReportStyle) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(wanted).with_context(|| format!("--control {wanted}"));
        let listener = listener.map_err(|error| match kind(&error) {
            Some(ErrorKind::AddrInUse) => {
                error.context(format!("{wanted} is in use: take a free port with --control 127.0.0.1:0"))
            }
            _ => error.context(format!("{wanted} cannot be listened on: give another one with --control")),
        })?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("control")
            .enable_all()
            .build()
            .context("no thread could be started for --control")?;
        let steering = Arc::new(Steering::new(session, style, address));
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(server::accept(listener, Arc::clone(&steering)));
        Ok(Self { runtime, steering })
    }

    pub fn address(&self) -> SocketAddr {
        self.steering.address()
    }

    /// Says that the ports are open.
    pub fn listens(&self, ports: OpenPorts) {
        self.steering.set_phase(Phase::Listening(ports));
    }

    /// Says that nothing more is taken.
    pub fn ends(&self) {
        self.steering.set_phase(Phase::Ending);
    }

    /// Whether somebody asked for the end since this was called last.
    pub fn take_stop(&self) -> bool {
        self.steering.take_stop()
    }

    /// Closes the port. Answers that are being sent have a moment.
    pub fn close(self) {
        const MOMENT: Duration = Duration::from_secs(1);
        let Self { runtime, steering } = self;
        let _ = runtime.block_on(async { tokio::time::timeout(MOMENT, steering.all_answered()).await });
        runtime.shutdown_background();
    }
}

fn kind(error: &anyhow::Error) -> Option<ErrorKind> {
    Some(error.root_cause().downcast_ref::<std::io::Error>()?.kind())
}
