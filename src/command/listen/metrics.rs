//! `--metrics`: the figures of a session at a port of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::Outcome;
use crate::live::{Saving, Session, SessionNotice};
use crate::local_http::{Limits, LocalServer, PortError};
use crate::model::{Finding, Report};
use crate::policy::Policy;
use crate::receiver::Forwarder;
use crate::view::metrics::{Figures, Measured, MetricsPage, OpenFinding};

/// Two scrapes at a time: a text of a few hundred kilobytes at most each.
const LIMITS: Limits = Limits { made: 2, streams: 0, answers_links: false };

/// The server, from its port to its last answer.
pub struct Metrics(LocalServer);

impl Metrics {
    /// Opens the port, and has hand-offs counted from now on. If others than this machine's
    /// users reach it, the session's notices say so.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn open(wanted: SocketAddr, session: &Arc<Session>, policy: Policy) -> Result<Self, PortError> {
        session.watch().count_handoffs();
        let measured = FiguresOfSession { session: Arc::clone(session), policy };
        let page = Arc::new(MetricsPage::new(Arc::new(measured)));
        let server = LocalServer::open(wanted, "--metrics", page, LIMITS)?;
        let notice = SessionNotice::of_port("--metrics", server.address(), "reads the names of tasks");
        notice.iter().for_each(|notice| session.notice(notice));
        Ok(Self(server))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Closes the port. Answers that are being sent have a moment.
    pub fn close(self) {
        const MOMENT: Duration = Duration::from_secs(1);
        self.0.close(MOMENT);
    }
}

/// The session, and which of its findings count.
struct FiguresOfSession {
    session: Arc<Session>,
    policy: Policy,
}

impl Measured for FiguresOfSession {
    fn figures(&self) -> Figures {
        let (findings, mut figures) = {
            let watch = self.session.watch();
            let evidence = &watch.evidence;
            let log = evidence.receiver();
            let ended = |outcome: Outcome| log.of(outcome).map_or(0, |ended| ended.count);
            let figures = Figures {
                handoffs: watch.handoff_counts().cloned().unwrap_or_default(),
                spans: evidence.span_account(),
                traces: evidence.spans.trace_count(),
                requests: Outcome::ALL.map(|outcome| (outcome.label(), ended(outcome))).to_vec(),
                losses: vec![
                    ("evicted-traces", evidence.counts().evicted_traces),
                    ("evicted-looks", evidence.brokers.looks_let_go()),
                ],
                ..Figures::default()
            };
            (watch.findings().cloned().collect(), figures)
        };
        let report = self.policy.apply(Report { findings, ..Report::default() });
        let open = |finding: &Finding| OpenFinding {
            slug: finding.slug,
            code: finding.code,
            severity: finding.severity,
        };
        figures.findings = report.findings.iter().map(open).collect();
        let not_saved = self.session.saving().map_or(0, Saving::not_saved);
        let not_forwarded = self.session.forwarder().map_or(0, Forwarder::losses);
        figures.store_lag = self.session.behind();
        figures.losses.extend([("not-saved", not_saved), ("not-forwarded", not_forwarded)]);
        figures
    }
}
