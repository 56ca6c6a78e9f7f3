//! Feeds the board of the live views: with the events that the printer gets, and about once
//! a second with how much came and what the queues hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::printer::Printer;
use crate::command::SaidAloud;
use crate::evidence::Evidence;
use crate::live::{self, Audience, Session};
use crate::model::{Event, Finding, SpanId, TraceId, TraceReport};
use crate::view::board::{Board, Figures, QueueNow, SharedBoard};
use crate::view::terminal::Screen;
use crate::view::{Source, SpanFacts};

/// The printer, and the board beside it.
pub struct BoardFeed<'p, 'o> {
    pub printer: &'p mut Printer<'o>,
    pub board: Option<SharedBoard>,
    session: Arc<Session>,
    /// When the figures were taken last, since the session began.
    figures_at: Mutex<Option<Duration>>,
}

impl<'p, 'o> BoardFeed<'p, 'o> {
    /// How often the figures are taken: each time, the evidence is locked for a moment.
    const EVERY: Duration = Duration::from_secs(1);
    /// Up to so many tasks are asked how long their messages have been waiting.
    const TASKS: usize = 20_000;

    pub const fn new(
        printer: &'p mut Printer<'o>,
        board: Option<SharedBoard>,
        session: Arc<Session>,
    ) -> Self {
        Self { printer, board, session, figures_at: Mutex::new(None) }
    }

    fn figures(evidence: &Evidence) -> Figures {
        let last_look =
            |broker: &str| evidence.brokers.get(broker).and_then(|broker| broker.last()).map(|look| look.at);
        let looks = evidence.brokers.iter().filter_map(|broker| Some((&broker.name, broker.last()?)));
        let looks: Vec<_> = looks.collect();
        let anything_waits =
            looks.iter().flat_map(|(_, look)| look.queues.values()).any(|depth| depth.ready > 0);
        let oldest = if anything_waits {
            evidence.tasks.oldest_waiting(Self::TASKS, last_look).unwrap_or_default()
        } else {
            BTreeMap::new()
        };
        let oldest_in = |broker: &str, queue: &str| {
            let here =
                oldest.iter().filter(|((in_broker, name), _)| &**in_broker == broker && &**name == queue);
            here.map(|(_, waited)| *waited).max()
        };
        let queues = looks.iter().flat_map(|(broker, look)| {
            look.queues.iter().map(|(name, depth)| QueueNow {
                broker: broker.to_string(),
                name: name.to_string(),
                ready: depth.ready,
                held: depth.unacked,
                workers: look.workers.as_ref().map(|workers| workers.len() as u64),
                oldest: (depth.ready > 0).then(|| oldest_in(broker, name)).flatten(),
            })
        });
        Figures {
            spans: evidence.span_account().received,
            traces: evidence.spans.trace_count(),
            queues: queues.collect(),
        }
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
        let mut taken = self.figures_at.lock();
        if taken.is_none_or(|taken| now.saturating_sub(taken) >= Self::EVERY) {
            *taken = Some(now);
            let figures = Self::figures(&session.watch().evidence);
            board.lock().figures(figures, now);
        }
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
        let links = span.attributes().links.iter();
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
