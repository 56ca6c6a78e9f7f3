//! `--web`: while a case runs, what it leaves is judged round by round and shown in a page.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;

use crate::command::figures::TimedFigures;
use crate::command::say;
use crate::command::web::{ReportsOfSession, Shown, WebPage};
use crate::live::Session;
use crate::model::Report;
use crate::policy::Policy;
use crate::report::View;
use crate::view::board::{Board, SharedBoard};
use crate::view::web::{Origin, Phase};

/// What the page of a case needs.
#[derive(Clone)]
pub struct PageOptions {
    pub address: SocketAddr,
    /// Which findings are shown.
    pub policy: Policy,
    pub view: View,
}

/// The page of a case that runs.
pub struct LivePage {
    page: WebPage,
    is_over: Arc<AtomicBool>,
    rounds: JoinHandle<()>,
}

/// How often what came is judged.
const TICK: Duration = Duration::from_millis(50);

impl LivePage {
    /// Opens the page, and begins to judge what comes.
    ///
    /// # Errors
    ///
    /// That the port cannot be opened.
    pub fn open(options: &PageOptions, session: &Arc<Session>) -> anyhow::Result<Self> {
        let board: SharedBoard = Arc::new(Mutex::new(Board::new(session.plan().view / 2)));
        let PageOptions { address, policy, view } = options.clone();
        let reports = ReportsOfSession { session: Arc::clone(session), policy: policy.clone() };
        let shown = Shown {
            board: Arc::clone(&board),
            reports: Box::new(reports),
            view,
            phase: Phase::Listening,
            share: session.plan().view,
        };
        let page = WebPage::open(address, shown, session.notices())?;
        let is_over = Arc::new(AtomicBool::new(false));
        let figures = TimedFigures::default();
        let mut rounds = Rounds { session: Arc::clone(session), policy, board, figures };
        let (feed, over) = (Arc::clone(page.feed()), Arc::clone(&is_over));
        let rounds = thread::Builder::new().name("rounds".to_owned()).spawn(move || {
            while !over.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                rounds.round();
                feed.board_changed(rounds.session.age());
            }
        });
        let rounds = rounds.context("no thread could be started for --web")?;
        Ok(Self { page, is_over, rounds })
    }

    /// Says where the evidence comes from.
    pub fn comes_from(&self, origin: Origin) {
        self.page.feed().comes_from(origin);
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.page.url()
    }

    /// Ends with the last report. The page stays as long as `stays` says so.
    pub fn end(self, report: Report, stays: impl Fn() -> bool) {
        self.is_over.store(true, Ordering::Relaxed);
        // What it panicked of was said.
        let _ = self.rounds.join();
        self.page.feed().end(report);
        if stays() {
            say(&format!("tracelink: the page stays at {} until Ctrl-C", self.page.url()));
        }
        while stays() {
            thread::sleep(TICK);
        }
        self.page.close();
    }
}

/// Judges what came, and puts it on the board.
struct Rounds {
    session: Arc<Session>,
    policy: Policy,
    board: SharedBoard,
    figures: TimedFigures,
}

impl Rounds {
    fn round(&mut self) {
        let events = self.session.round(Board::A_ROUND);
        let not_shown = self.session.watch().take_not_shown();
        let told = self.policy.events(&events).unwrap_or(events);
        let now = self.session.age();
        let figures = self.figures.take_if_due(&self.session, now);
        let mut board = self.board.lock();
        board.events(&told, not_shown, now);
        figures.into_iter().for_each(|figures| board.figures(figures, now));
    }
}
