//! Feeds the board of the live views: with the events that the printer gets, and about once
//! a second with how much came and what the queues hold.

use std::sync::Arc;

use parking_lot::Mutex;

use super::printer::Printer;
use crate::command::SaidAloud;
use crate::command::figures::TimedFigures;
use crate::live::{self, Audience, Session};
use crate::model::{Event, Finding, SpanId, TraceId, TraceReport};
use crate::view::board::{Board, SharedBoard};
use crate::view::terminal::Screen;
use crate::view::web::Feed;
use crate::view::{Source, SpanFacts};

/// The printer, and the board beside it.
pub struct BoardFeed<'p, 'o> {
    pub printer: &'p mut Printer<'o>,
    pub board: Option<SharedBoard>,
    /// The pages that show the board too.
    pages: Option<Arc<Feed>>,
    session: Arc<Session>,
    figures: Mutex<TimedFigures>,
}

impl<'p, 'o> BoardFeed<'p, 'o> {
    pub fn new(
        printer: &'p mut Printer<'o>,
        board: Option<SharedBoard>,
        pages: Option<Arc<Feed>>,
        session: Arc<Session>,
    ) -> Self {
        Self { printer, board, pages, session, figures: Mutex::default() }
    }
}

impl Audience for BoardFeed<'_, '_> {
    fn traces_a_round(&mut self) -> usize {
        let of_printer = self.printer.traces_a_round();
        if self.board.is_some() { of_printer.max(Board::A_ROUND) } else { of_printer }
    }

    fn events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()> {
        let Some(board) = &self.board else { return self.printer.events(events, not_shown) };
        let told = self.printer.policy_mut().events(events);
        let events = told.as_deref().unwrap_or(events);
        if !events.is_empty() || not_shown > 0 {
            board.lock().events(events, not_shown, self.session.age());
        }
        self.printer.told_events(events, not_shown)
    }

    fn shows_after_all(&self, finding: &Finding) -> bool {
        self.printer.shows_after_all(finding)
    }

    fn progress(&self, session: &Session) {
        self.printer.progress(session);
        let Some(board) = &self.board else { return };
        let now = session.age();
        if let Some(figures) = self.figures.lock().take_if_due(session, now) {
            board.lock().figures(figures, now);
        }
        self.pages.iter().for_each(|pages| pages.board_changed(now));
    }
}

/// What a view asks of the session.
#[derive(Debug)]
pub struct SessionSource(pub Arc<Session>);

impl Source for SessionSource {
    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.0.watch().trace_report(id, most)
    }

    fn span(&self, trace: TraceId, span: SpanId) -> Option<SpanFacts> {
        let watch = self.0.watch();
        let span = watch.evidence.spans.trace(trace)?.get(span)?;
        let links = span.links().iter();
        Some(SpanFacts {
            attributes: span.attribute_facts(),
            resource: span.resource_facts(),
            events: span.event_facts(),
            links: links.map(|link| (link.trace_id, link.span_id)).collect(),
        })
    }
}

/// Notices of a session whose terminal a view takes: on the board while it has it, and
/// aloud before and after.
#[derive(Debug)]
pub struct NoticesOnBoard(pub SharedBoard);

impl live::SessionNotices for NoticesOnBoard {
    fn notice(&self, notice: &live::SessionNotice) {
        if Screen::is_taken() {
            self.0.lock().notice(notice.to_string());
        } else {
            live::SessionNotices::notice(&SaidAloud, notice);
        }
    }
}
