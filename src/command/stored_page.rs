//! `diagnose --web`: a page that shows how much of the files was read, and then the report.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::outputs::view_of_text;
use super::web::{Shown, WebPage};
use super::{SaidAloud, say};
use crate::cli::Output;
use crate::diagnosis::LiveJudge;
use crate::live::FilePlan;
use crate::model::{Report, TraceId, TraceReport};
use crate::view::board::{Board, SharedBoard};
use crate::view::web::{Origin, Phase, Reports};

/// The page of files.
pub struct StoredPage {
    page: WebPage,
    evidence: ReadEvidence,
}

/// What was read, once all was.
#[derive(Clone, Default)]
struct ReadEvidence(Arc<Mutex<Option<LiveJudge>>>);

impl Reports for ReadEvidence {
    fn so_far(&self) -> Option<Report> {
        None
    }

    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.0.lock().as_ref()?.trace_report(id, most)
    }
}

impl StoredPage {
    /// Opens the page, and says where it is.
    ///
    /// # Errors
    ///
    /// That the port cannot be opened.
    pub fn open(
        address: SocketAddr,
        evidence: &[PathBuf],
        plan: &FilePlan,
        output: &Output,
    ) -> anyhow::Result<Self> {
        let board: SharedBoard = Arc::new(Mutex::new(Board::new(plan.view / 2)));
        let read = ReadEvidence::default();
        let shown = Shown {
            board,
            reports: Box::new(read.clone()),
            view: view_of_text(output),
            phase: Phase::Reading { percent: None },
            share: plan.view,
        };
        let page = WebPage::open(address, shown, &SaidAloud)?;
        let names: Vec<_> = evidence.iter().map(|path| path.display().to_string()).collect();
        page.feed().comes_from(Origin { inputs: names.join("   "), broker: None });
        say(&format!("tracelink: the page is at {}", page.url()));
        Ok(Self { page, evidence: read })
    }

    /// Says how much was read of so many bytes; `None` if it cannot be known how many there are.
    pub fn has_read(&self, read: u64, bytes: Option<u64>, spans: u64) {
        let percent = bytes.and_then(|bytes| read.min(bytes).saturating_mul(100).checked_div(bytes));
        let percent = percent.map(|percent| u8::try_from(percent).unwrap_or(100));
        self.page.feed().has_read(percent, spans);
    }

    /// Says that all was read and is being judged, and for how long, until what is returned is
    /// dropped.
    ///
    /// # Errors
    ///
    /// That no thread can be started.
    pub fn judges(&self) -> anyhow::Result<Judging> {
        const TICK: Duration = Duration::from_secs(1);
        #[allow(clippy::disallowed_methods, reason = "how long it takes is shown")]
        let begun = Instant::now();
        let feed = Arc::clone(self.page.feed());
        feed.judges(Duration::ZERO);
        let (is_over, over) = mpsc::channel::<()>();
        let ticks = thread::Builder::new().name("judging".to_owned()).spawn(move || {
            while over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                feed.judges(begun.elapsed());
            }
        });
        let ticks = ticks.context("no thread could be started for --web")?;
        Ok(Judging { is_over: Some(is_over), ticks: Some(ticks) })
    }

    /// Shows the report. From now on Ctrl-C ends the page, and nothing before it.
    ///
    /// # Errors
    ///
    /// That signals cannot be listened for.
    pub fn show(self, report: &Report, read: LiveJudge) -> anyhow::Result<ShownPage> {
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
        *self.evidence.0.lock() = Some(read);
        self.page.feed().end(report.clone());
        Ok(ShownPage { page: self.page, signals })
    }
}

/// While it lasts, the page says that what was read is judged.
pub struct Judging {
    is_over: Option<mpsc::Sender<()>>,
    ticks: Option<JoinHandle<()>>,
}

impl Drop for Judging {
    fn drop(&mut self) {
        self.is_over.take();
        // What it panicked of was said. Nothing is told after this.
        let _ = self.ticks.take().map(JoinHandle::join);
    }
}

/// A page that has the report.
pub struct ShownPage {
    page: WebPage,
    signals: Signals,
}

impl ShownPage {
    /// Stays until it is told to end.
    pub fn stay(mut self) {
        say(&format!("tracelink: the page stays at {} until Ctrl-C", self.page.url()));
        let _ = self.signals.forever().next();
        self.page.close();
    }
}
