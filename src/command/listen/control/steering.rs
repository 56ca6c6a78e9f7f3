//! What the server and the session tell each other.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::open_ports::OpenPorts;
use crate::cli::FailOn;
use crate::command::Exit;
use crate::command::outputs::in_plain_text;
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
    phase: Mutex<Phase>,
    is_stopped: AtomicBool,
}

impl Steering {
    pub fn new(session: Arc<Session>, style: ReportStyle) -> Self {
        Self { session, style, phase: Mutex::new(Phase::Starting), is_stopped: AtomicBool::new(false) }
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
        in_plain_text(format, &report, Subject::Handoffs, &view)
    }
}
