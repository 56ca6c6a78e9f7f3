//! `--web`: the page in a browser, as commands serve it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnosis::Listing;
use crate::live::{Session, SessionNotice, SessionNotices};
use crate::local_http::{Limits, LocalServer, PortError};
use crate::model::{Report, TraceId, TraceReport};
use crate::policy::Policy;
use crate::report::View;
use crate::view::board::SharedBoard;
use crate::view::web::{Feed, Phase, Reports, Site};

/// Four answers that take time and memory, and sixteen pages that are kept up to date.
const LIMITS: Limits = Limits { made: 4, streams: 16, answers_links: true };
/// How long pages have at the end to read the last report.
const MOMENT: Duration = Duration::from_secs(2);

/// What a page shows.
pub struct Shown {
    pub board: SharedBoard,
    pub reports: Box<dyn Reports>,
    pub view: View,
    pub phase: Phase,
    /// Bytes: half of them are the board's, and half for the answers that are made.
    pub share: usize,
}

/// The page, from its port to its last answer.
pub struct WebPage {
    server: LocalServer,
    feed: Arc<Feed>,
}

impl WebPage {
    /// Opens the port of a page. It answers when this returns. If others than this machine's
    /// users reach it, `notices` hear so.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn open(wanted: SocketAddr, shown: Shown, notices: &dyn SessionNotices) -> Result<Self, PortError> {
        let Shown { board, reports, view, phase, share } = shown;
        let room = share / 2 / LIMITS.made;
        let feed = Arc::new(Feed::new(board, reports, view, phase, room, fastrand::u32(..)));
        let site = Arc::new(Site::new(Arc::clone(&feed)));
        let server = LocalServer::open(wanted, "--web", site, LIMITS)?;
        if let Some(notice) = SessionNotice::of_port("--web", server.address(), "reads the page") {
            notices.notice(&notice);
        }
        Ok(Self { server, feed })
    }

    pub const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where a browser on this machine finds it.
    pub fn url(&self) -> String {
        url(self.address())
    }

    /// Closes the port, once every open page has read the last report or had a moment for it.
    pub fn close(self) {
        self.server.close(MOMENT);
    }
}

/// Where a browser on this machine finds what listens there.
pub fn url(address: SocketAddr) -> String {
    let here = if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        };
        SocketAddr::new(loopback, address.port())
    } else {
        address
    };
    format!("http://{here}/")
}

/// The report of a session as of now.
pub struct ReportsOfSession {
    pub session: Arc<Session>,
    pub policy: Policy,
}

impl Reports for ReportsOfSession {
    fn so_far(&self) -> Option<Report> {
        Some(self.policy.apply(self.session.report_so_far(Listing::default())))
    }

    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.session.watch().trace_report(id, most)
    }
}
