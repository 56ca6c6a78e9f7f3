//! What all pages are shown: the board, how far the session is, and its report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::local_http::Bell;
use crate::model::{Event, Finding, Report, TraceId, TraceReport};
use crate::report::{View, html};
use crate::view::board::SharedBoard;

/// What pages ask for that the board does not hold. `command/` implements it.
pub trait Reports: Send + Sync {
    /// The report as of now, which costs as much as there is evidence; `None` if there is
    /// nothing to report yet.
    fn so_far(&self) -> Option<Report>;

    /// The trace with up to `most` of its spans; `None` if it is not held.
    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport>;
}

/// How far the session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Files are read; `None` if it cannot be known how much is left.
    Reading {
        percent: Option<u8>,
    },
    /// All files were read, and what they hold is judged, for so long so far.
    Judging {
        since: Duration,
    },
    Listening,
    /// Nothing more comes.
    Ended,
}

/// Where the evidence comes from, in words.
#[derive(Clone, Default, Debug)]
pub struct Origin {
    /// Ports, or files.
    pub inputs: String,
    /// The broker's URL, masked.
    pub broker: Option<String>,
}

/// What all pages are shown.
pub struct Feed {
    board: SharedBoard,
    reports: Box<dyn Reports>,
    view: View,
    /// How many bytes one answer may take.
    room: usize,
    /// What the numbers of events begin at.
    first: u64,
    bell: Bell,
    /// The version of the board of which the pages know.
    told: AtomicU64,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub origin: Origin,
    pub phase: Phase,
    /// The report of a session that ended.
    pub last: Option<Arc<Report>>,
    /// Spans that were read from files so far.
    pub read: u64,
    /// How long the session has been going on.
    pub now: Duration,
    /// Grows when the pieces beside the passages are to be sent again.
    pub tick: u64,
}

impl Feed {
    /// An answer may take about `room` bytes. `first` is any number: with one by chance a page
    /// of an earlier run, which goes on from a number of its own, is told to load anew.
    pub fn new(
        board: SharedBoard,
        reports: Box<dyn Reports>,
        view: View,
        phase: Phase,
        room: usize,
        first: u32,
    ) -> Self {
        let state =
            State { origin: Origin::default(), phase, last: None, read: 0, now: Duration::ZERO, tick: 0 };
        Self {
            board,
            reports,
            view,
            room,
            first: u64::from(first) << 20,
            bell: Bell::default(),
            told: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// Says where the evidence comes from.
    pub fn comes_from(&self, origin: Origin) {
        self.change(|state| state.origin = origin);
    }

    /// Says how much of the files was read, and how many spans that brought.
    pub fn has_read(&self, percent: Option<u8>, spans: u64) {
        self.change(|state| {
            state.phase = Phase::Reading { percent };
            state.read = spans;
        });
    }

    /// Says that all was read, and that it is being judged for so long.
    pub fn judges(&self, since: Duration) {
        self.change(|state| state.phase = Phase::Judging { since });
    }

    /// Says that the board may have changed. `now` is how long the session has been going on.
    pub fn board_changed(&self, now: Duration) {
        let is_due = {
            let mut state = self.state.lock();
            let is_due = now.as_secs() > state.now.as_secs();
            state.now = now;
            state.tick += u64::from(is_due);
            is_due
        };
        let version = self.board.lock().version();
        if is_due || self.told.swap(version, Ordering::Relaxed) != version {
            self.bell.ring();
        }
    }

    /// Ends with the last report: what was said and is not in it does not hold, and what it
    /// lists is shown as it is there.
    pub fn end(&self, report: Report) {
        let said: Vec<_> = {
            let board = self.board.lock();
            board
                .findings()
                .filter(|known| !known.is_resolved)
                .map(|known| Arc::clone(&known.finding))
                .collect()
        };
        let is_gone = |said: &&Arc<Finding>| report.findings.iter().all(|finding| finding.id != said.id);
        let gone = said.iter().filter(is_gone).map(|said| Event::Resolved(Box::new(Finding::clone(said))));
        let findings = report.findings.iter().cloned().map(Event::of_finding);
        let groups = html::groups(&report).into_iter();
        let passages = groups.map(|(traces, handoffs)| Event::Traces { traces, handoffs });
        let events: Vec<_> = gone.chain(findings).chain(passages).collect();
        let now = self.state.lock().now;
        self.board.lock().last_events(&events, now);
        self.change(|state| {
            state.phase = Phase::Ended;
            state.last = Some(Arc::new(report));
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.state.lock();
            change(&mut state);
            state.tick += 1;
        }
        self.bell.ring();
    }

    pub(super) fn board(&self) -> &SharedBoard {
        &self.board
    }

    pub(super) fn state(&self) -> State {
        self.state.lock().clone()
    }

    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    pub(super) const fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// A trace with up to so many of its spans.
    pub(super) fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.reports.trace(id, most)
    }

    /// The report: the last one, or as of now.
    pub(super) fn report(&self) -> Option<Arc<Report>> {
        let last = self.state.lock().last.clone();
        last.or_else(|| self.reports.so_far().map(Arc::new))
    }

    /// The number that stands for a version of the board.
    pub(super) const fn number(&self, version: u64) -> u64 {
        self.first + version
    }

    /// The version of the board that a number stands for, if it is one of this run.
    pub(super) fn version(&self, number: &str) -> Option<u64> {
        let version = number.parse::<u64>().ok()?.checked_sub(self.first)?;
        (version <= self.board.lock().version()).then_some(version)
    }
}
