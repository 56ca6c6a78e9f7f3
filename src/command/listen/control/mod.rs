//! `listen --control`: by HTTP a script asks how the session is, reads its report, and ends
//! it. It may not know how evidence is judged or written.

mod routes;
mod steering;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::routes::Routes;
use self::steering::{Phase, Steering};
use super::open_ports::OpenPorts;
use crate::live::{Session, SessionNotice};
use crate::local_http::{Limits, LocalServer, PortError};

pub use self::steering::ReportStyle;

/// Two reports at a time: each costs as much as a round of judging.
const LIMITS: Limits = Limits { made: 2, streams: 0, answers_links: false };

/// The server, from its port to its last answer.
pub struct Control {
    server: LocalServer,
    steering: Arc<Steering>,
}

impl Control {
    /// Opens the port. It answers when this returns, at first that the session starts.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn open(wanted: SocketAddr, session: Arc<Session>, style: ReportStyle) -> Result<Self, PortError> {
        let steering = Arc::new(Steering::new(Arc::clone(&session), style));
        let routes = Arc::new(Routes::new(Arc::clone(&steering)));
        let server = LocalServer::open(wanted, "--control", routes, LIMITS)?;
        let notice =
            SessionNotice::of_port("--control", server.address(), "reads the report and can end the session");
        notice.iter().for_each(|notice| session.notice(notice));
        Ok(Self { server, steering })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
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
        self.server.close(MOMENT);
    }
}
