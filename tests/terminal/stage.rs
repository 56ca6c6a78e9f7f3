//! A session without ports, a board that it feeds, and a view of that in memory.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tracelink::diagnosis::{LiveJudge, Pace};
use tracelink::evidence::{Moment, SpanIntake};
use tracelink::live::MemoryPlan;
use tracelink::model::{SpanId, TraceId, TraceReport};
use tracelink::report::View;
use tracelink::view::board::{Board, Figures, QueueNow, SharedBoard};
use tracelink::view::terminal::{About, App, Wish};
use tracelink::view::{Source, SpanFacts};
use tracelink::wire::otlp::{decode_json, decode_protobuf};

/// How long nothing may come for a trace before it has settled.
const SETTLE: Duration = Duration::from_secs(6);

/// What a view asks of the session.
pub struct Judge(Mutex<LiveJudge>);

impl Judge {
    fn lock(&self) -> std::sync::MutexGuard<'_, LiveJudge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Judge {
    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.lock().trace_report(id, most)
    }

    fn span(&self, trace: TraceId, span: SpanId) -> Option<SpanFacts> {
        let judge = self.lock();
        let span = judge.evidence.spans.trace(trace)?.get(span)?;
        Some(SpanFacts {
            attributes: span.attribute_facts(),
            resource: span.resource_facts(),
            events: span.event_facts(),
            links: span.links().iter().map(|link| (link.trace_id, link.span_id)).collect(),
        })
    }
}

pub struct Stage {
    judge: Judge,
    pub board: SharedBoard,
    pub app: App,
    terminal: Terminal<TestBackend>,
    pub now: Duration,
}

impl Stage {
    pub fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, true, 4 << 20)
    }

    pub fn with(width: u16, height: u16, has_colour: bool, bytes: usize) -> Self {
        let view = View::default();
        let mut app = App::new(view, has_colour, 20_000);
        let broker = "redis://127.0.0.1:6379/0 (read-only)".to_owned();
        let places = vec!["grpc 127.0.0.1:4317".to_owned(), "http 127.0.0.1:4318".to_owned(), broker];
        app.listens(About { places });
        let bounds = MemoryPlan::for_evidence(1 << 30);
        Self {
            judge: Judge(Mutex::new(LiveJudge::new(SETTLE, bounds))),
            board: Arc::new(parking_lot::Mutex::new(Board::new(bytes))),
            app,
            terminal: Terminal::new(TestBackend::new(width, height)).expect("memory"),
            now: Duration::from_secs(1),
        }
    }

    /// The spans of a capture, and a round after they have settled.
    pub fn capture(&mut self, case: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
        let text = std::fs::read_to_string(folder.join("spans.jsonl")).expect("a capture");
        let requests: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        self.json(&requests);
    }

    /// Requests of OTLP/JSON, and a round after they have settled.
    pub fn json(&mut self, requests: &[Vec<u8>]) {
        for request in requests {
            let mut judge = self.judge.lock();
            judge.set_time(Moment::at(self.now));
            let mut intake = SpanIntake::new(&mut judge.evidence);
            intake.next_request();
            decode_json(request, &mut intake).expect("a request");
        }
        self.settle();
    }

    /// The same of protobuf.
    pub fn protobuf(&mut self, requests: impl IntoIterator<Item = Vec<u8>>) {
        for request in requests {
            let mut judge = self.judge.lock();
            judge.set_time(Moment::at(self.now));
            let mut intake = SpanIntake::new(&mut judge.evidence);
            intake.next_request();
            decode_protobuf(&request, &mut intake).expect("a request");
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.now += SETTLE * 2;
        let mut judge = self.judge.lock();
        let pace = Pace { shown: 10_000, again: 1_000, work: usize::MAX, thorough: true };
        let events = judge.round(Moment::at(self.now), pace);
        let not_shown = judge.take_not_shown();
        let figures = Figures {
            spans: judge.evidence.span_account().received,
            traces: judge.evidence.spans.trace_count(),
            queues: Vec::new(),
        };
        drop(judge);
        let mut board = self.board.lock();
        board.events(&events, not_shown, self.now);
        board.figures(figures, self.now);
    }

    /// A look at the queues in each of these seconds.
    pub fn queues(&mut self, looks: impl IntoIterator<Item = Vec<QueueNow>>) {
        for queues in looks {
            self.now += Duration::from_secs(1);
            let totals = self.board.lock().totals();
            let figures = Figures { spans: totals.spans, traces: totals.traces, queues };
            self.board.lock().figures(figures, self.now);
        }
    }

    /// Presses keys: a character each.
    pub fn press(&mut self, keys: &str) -> Option<Wish> {
        keys.chars().map(|key| self.code(KeyCode::Char(key))).last().flatten()
    }

    pub fn code(&mut self, code: KeyCode) -> Option<Wish> {
        let wish = self.app.key(KeyEvent::new(code, KeyModifiers::NONE), self.now);
        self.app.refresh(&self.board, &self.judge, self.now);
        wish
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
    }

    /// The frame that follows, as it is in memory.
    pub fn buffer(&mut self) -> Buffer {
        self.app.refresh(&self.board, &self.judge, self.now);
        let (app, now) = (&mut self.app, self.now);
        self.terminal.draw(|frame| app.draw(frame, now)).expect("memory");
        self.terminal.backend().buffer().clone()
    }

    /// The frame that follows, as text.
    pub fn frame(&mut self) -> String {
        text(&self.buffer())
    }
}

/// A frame as text, without what is empty on the right.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut lines = Vec::new();
    for y in 0..area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = tracelink::report::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}
