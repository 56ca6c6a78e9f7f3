//! What the server and the session tell each other.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::StripStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::super::open_ports::OpenPorts;
use crate::cli::FailOn;
use crate::command::Exit;
use crate::diagnosis::Listing;
use crate::live::Session;
use crate::policy::Policy;
use crate::report::{FormatName, Subject, View};

/// How far the session is.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Its ports are not open yet.
    Starting,
    Listening(OpenPorts),
    /// It takes nothing more.
    Ending,
}

/// How reports are made while the session goes on.
#[derive(Debug)]
pub struct ReportStyle {
    pub policy: Policy,
    pub view: View,
    pub fail_on: FailOn,
}

/// One session, as the server sees it.
pub struct Steering {
    session: Arc<Session>,
    style: ReportStyle,
    address: SocketAddr,
    phase: Mutex<Phase>,
    is_stopped: AtomicBool,
    reports: Arc<Semaphore>,
    /// Each connection that has a request holds a receiver of it.
    answering: watch::Sender<()>,
}

impl Steering {
    /// Reports in memory at a time: each costs as much as a round of judging, and is held
    /// until its client has read it.
    const REPORTS: usize = 2;

    pub fn new(session: Arc<Session>, style: ReportStyle, address: SocketAddr) -> Self {
        Self {
            session,
            style,
            address,
            phase: Mutex::new(Phase::Starting),
            is_stopped: AtomicBool::new(false),
            reports: Arc::new(Semaphore::new(Self::REPORTS)),
            answering: watch::channel(()).0,
        }
    }

    /// Where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn phase(&self) -> Phase {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_phase(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Asks the session to end.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end since this was called last.
    pub fn take_stop(&self) -> bool {
        self.is_stopped.swap(false, Ordering::Relaxed)
    }

    /// To be held until an answer was sent.
    pub fn answering(&self) -> watch::Receiver<()> {
        self.answering.subscribe()
    }

    /// Waits until every answer was sent.
    pub async fn all_answered(&self) {
        self.answering.closed().await;
    }

    /// Waits until another report may be made; to be held until it was read.
    pub async fn may_report(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.reports).acquire_owned().await.expect("it is never closed")
    }

    /// The report as of now, as text without colour.
    ///
    /// # Errors
    ///
    /// What the format says.
    pub fn report(&self, format: FormatName) -> io::Result<Vec<u8>> {
        let ReportStyle { policy, view, fail_on } = &self.style;
        let report = policy.apply(self.session.report_so_far(Listing::default()));
        let mut view = view.clone();
        view.exit_code = Exit::of_report(&report, *fail_on).code();
        let mut text = StripStream::new(Vec::new());
        format.writer().report(&report, Subject::Handoffs, &view, &mut text)?;
        Ok(text.into_inner())
    }
}
