//! What a frame of `listen --tui` costs: the first one, while a trace of ten thousand spans
//! scrolls, and while spans come in as fast as is told, of which none may be lost. The load
//! runs in a process of its own, and so does what starts in a pseudo-terminal.
//!
//! `cargo bench --bench frame [SPANS A SECOND] [SECONDS]`; without figures 50,000 for 20 s.
//! It fails where the first frame takes over 50 ms, the 99th percentile of the others is
//! over 16 ms, or a span is lost.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::io::{BufWriter, Sink, sink};
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use tracelink::live::{
    Audience, End, EndRequest, Ending, MemoryPlan, Outside, Session, SessionNotice, SessionNotices, Uses,
    attend,
};
use tracelink::model::{Event, Finding, SpanId, TraceId, TraceReport};
use tracelink::receiver::{Ports, Receiver, ReceiverLimits};
use tracelink::report::View;
use tracelink::view::board::{Board, Figures, SharedBoard};
use tracelink::view::terminal::App;
use tracelink::view::{Source, SpanFacts};

#[path = "listener/mod.rs"]
mod listener;
#[allow(dead_code, reason = "a bench uses what it needs")]
#[path = "../tests/terminal/pty.rs"]
mod pty;
#[path = "spans/mod.rs"]
mod spans;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a frame may take.
const BUDGET: Duration = Duration::from_millis(16);
/// The window: large.
const WINDOW: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let args: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["load", address, rate, seconds] = args[..] {
        let figure = |text: &str| text.parse().expect("a figure");
        load(address.parse().expect("an address"), figure(rate), figure(seconds));
        return ExitCode::SUCCESS;
    }
    let mut figures = args.iter().filter_map(|word| word.parse().ok());
    let (rate, seconds) = (figures.next().unwrap_or(50_000), figures.next().unwrap_or(20));
    let starts = start();
    let scrolls = scroll();
    let keeps_up = under_load(rate, seconds);
    if starts && scrolls && keeps_up { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts the binary under a shell, ten times: from the key that sends the command to its
/// first frame. Returns whether the usual time is short enough.
fn start() -> bool {
    const FIRST: Duration = Duration::from_millis(50);
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = pty::Pty::shell(100, 40, folder.path());
    let mut times: Vec<_> = (0..10)
        .map(|_| {
            let begun = Instant::now();
            pty.run("tracelink --no-config listen --tui --grpc 0 --http 0");
            pty.wait_for("hand-offs");
            let took = begun.elapsed();
            // Before it listens, this key ends it without a report.
            pty.wait_for("grpc 127.0.0.1:");
            pty.type_keys("q");
            pty.wait_for("exit 3");
            pty.wait_for_prompt();
            // The next one is measured from an empty screen and a shell that waits.
            pty.run("clear");
            pty.wait_until_gone("exit 3");
            pty.wait_for_prompt();
            took
        })
        .collect();
    times.sort_unstable();
    println!("the first frame, with the shell: p50 {:?}, max {:?}", times[5], times[9]);
    times[5] <= FIRST
}

/// A view of a board, drawn to nowhere: what is written is made all the same.
struct Stage {
    app: App,
    board: SharedBoard,
    terminal: Terminal<CrosstermBackend<BufWriter<Sink>>>,
    frames: Vec<Duration>,
}

impl Stage {
    fn new(board: SharedBoard) -> Self {
        let view = View::default();
        let options = TerminalOptions { viewport: Viewport::Fixed(WINDOW) };
        let backend = CrosstermBackend::new(BufWriter::new(sink()));
        let terminal = Terminal::with_options(backend, options).expect("no terminal is asked");
        Self { app: App::new(view, true, 20_000), board, terminal, frames: Vec::new() }
    }

    /// A key and the frame that follows.
    fn frame(&mut self, key: Option<KeyCode>, source: &dyn Source, now: Duration) {
        let begun = Instant::now();
        if let Some(key) = key {
            self.app.key(KeyEvent::new(key, KeyModifiers::NONE), now);
        }
        self.app.refresh(&self.board, source, now);
        let app = &mut self.app;
        self.terminal.draw(|frame| app.draw(frame, now)).expect("nowhere takes all");
        self.frames.push(begun.elapsed());
    }

    /// Says how long frames took. Returns whether they are short enough.
    fn told(&mut self, what: &str) -> bool {
        self.frames.sort_unstable();
        let at = |part: f64| {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let place = (self.frames.len() as f64 * part) as usize;
            self.frames[place.min(self.frames.len() - 1)]
        };
        let (half, most, last) = (at(0.5), at(0.99), at(1.0));
        println!("{what}: {} frames, p50 {half:?}, p99 {most:?}, max {last:?}", self.frames.len());
        most <= BUDGET
    }
}

/// Answers from one trace.
struct OneTrace(TraceReport);

impl Source for OneTrace {
    fn trace(&self, _id: TraceId, _most: usize) -> Option<TraceReport> {
        Some(self.0.clone())
    }

    fn span(&self, _trace: TraceId, _span: SpanId) -> Option<SpanFacts> {
        None
    }
}

/// Scrolls through a trace of ten thousand spans, line by line, page by page and from end to
/// end, and folds and unfolds all of it.
fn scroll() -> bool {
    let trace = spans::trace_id(1);
    let mut all = vec![spans::span(trace, (1, 0), "POST /orders", 2, 900, Vec::new())];
    all.extend((2..=10_000).map(|id| {
        let parent = if id % 7 == 0 { 1 } else { id - 1 };
        spans::span(trace, (id, parent), &format!("step {id}"), 1, 5, Vec::new())
    }));
    let plan = MemoryPlan::new(256 << 20, Uses { shows_view: true, ..Uses::default() });
    let mut judge = tracelink::diagnosis::LiveJudge::new(Duration::ZERO, plan.evidence);
    let mut intake = tracelink::evidence::SpanIntake::new(&mut judge.evidence);
    intake.next_request();
    let request = spans::encode(all, "order-api");
    tracelink::wire::otlp::decode_protobuf(&request, &mut intake).expect("a request");
    let moment = tracelink::evidence::Moment::at(Duration::from_secs(10));
    let pace = tracelink::diagnosis::Pace { shown: 10, again: 0, work: usize::MAX, thorough: false };
    let events = judge.round(moment, pace);
    let id = TraceId::new(trace.to_be_bytes());
    let source = OneTrace(judge.trace_report(id, 20_000).expect("it is held"));
    assert_eq!(source.0.spans.len(), 10_000);
    let board: SharedBoard = Arc::new(Mutex::new(Board::new(plan.view / 2)));
    board.lock().events(&events, 0, Duration::from_secs(10));
    let mut stage = Stage::new(board);
    let now = Duration::from_secs(11);
    stage.frame(None, &source, now);
    let begun = Instant::now();
    stage.frame(Some(KeyCode::Enter), &source, now);
    println!("a trace of 10,000 spans is opened in {:?}", begun.elapsed());
    stage.frames.clear();
    for key in [KeyCode::Down, KeyCode::PageDown, KeyCode::Up, KeyCode::PageUp] {
        (0..400).for_each(|_| stage.frame(Some(key), &source, now));
    }
    for key in [KeyCode::End, KeyCode::Home, KeyCode::Char(' ')] {
        (0..50).for_each(|_| stage.frame(Some(key), &source, now));
    }
    stage.told("10,000 spans scroll")
}

/// Feeds a board, as `command/listen/board_feed.rs` does, and draws no progress.
struct Feed(SharedBoard);

impl Audience for Feed {
    fn traces_a_round(&mut self) -> usize {
        Board::A_ROUND
    }

    fn events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()> {
        self.0.lock().events(events, not_shown, Duration::ZERO);
        Ok(())
    }

    fn shows_after_all(&self, _finding: &Finding) -> bool {
        false
    }

    fn progress(&self, session: &Session) {
        let watch = session.watch();
        let (spans, traces) = (watch.evidence.span_account().received, watch.evidence.spans.trace_count());
        drop(watch);
        self.0.lock().figures(Figures { spans, traces, queues: Vec::new() }, session.age());
    }
}

#[derive(Debug)]
struct Unheard;

impl SessionNotices for Unheard {
    fn notice(&self, _notice: &SessionNotice) {}
}

/// Ends with the load.
struct UntilLoaded(std::process::Child);

impl Outside for UntilLoaded {
    fn told_to_end(&mut self) -> Option<EndRequest> {
        self.0.try_wait().expect("a child").map(|status| {
            assert!(status.success(), "an export was refused");
            EndRequest::Now
        })
    }

    fn command_ended_for(&mut self) -> anyhow::Result<Option<Duration>> {
        Ok(None)
    }
}

struct OfSession(Arc<Session>);

impl Source for OfSession {
    fn trace(&self, id: TraceId, most: usize) -> Option<TraceReport> {
        self.0.watch().trace_report(id, most)
    }

    fn span(&self, _trace: TraceId, _span: SpanId) -> Option<SpanFacts> {
        None
    }
}

/// Draws while spans come in, with keys between: at most sixty frames a second.
fn under_load(rate: u64, seconds: u64) -> bool {
    let plan = MemoryPlan::new(256 << 20, Uses { shows_view: true, ..Uses::default() });
    let settle = Duration::from_secs(6);
    let session = Arc::new(Session::new(settle, &plan, None, None, Arc::new(Unheard)));
    let limits = ReceiverLimits::new(Arc::clone(&session.bodies), plan.connections);
    let any = "127.0.0.1:0".parse().ok();
    let ports = Ports { grpc: any, http: None, both: None };
    let receiver = Receiver::open(&ports, Arc::clone(&session) as _, limits).expect("a free port");
    let address = receiver.addresses().grpc.expect("asked for");
    let load = Command::new(std::env::current_exe().expect("a path"))
        .args(["--bench", "load", &address.to_string(), &rate.to_string(), &seconds.to_string()])
        .spawn()
        .expect("it runs again");
    let board: SharedBoard = Arc::new(Mutex::new(Board::new(plan.view / 2)));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let fits = std::thread::scope(|scope| {
        let drawing = scope.spawn(|| {
            const FRAME: Duration = Duration::from_micros(16_667);
            let source = OfSession(Arc::clone(&session));
            let mut stage = Stage::new(Arc::clone(&board));
            let keys = [
                KeyCode::Down,
                KeyCode::Enter,
                KeyCode::Down,
                KeyCode::Esc,
                KeyCode::PageDown,
                KeyCode::Home,
            ];
            let mut number = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let key = (number % 20 == 0).then(|| keys[number / 20 % keys.len()]);
                stage.frame(key, &source, session.age());
                number += 1;
                std::thread::sleep(FRAME);
            }
            stage.told(&format!("{rate} spans a second"))
        });
        let mut outside = UntilLoaded(load);
        let ended = attend(
            &session,
            &Ending { settle, ..Ending::default() },
            &mut Feed(Arc::clone(&board)),
            &mut outside,
        );
        assert_eq!(ended.expect("nothing fails"), End::Signal);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        drawing.join().expect("it draws")
    });
    receiver.close(Duration::from_secs(2));
    let sent = sent(rate, seconds);
    let received = session.watch().evidence.span_account().received;
    let totals = board.lock().totals();
    println!(
        "{received} of {sent} spans came; {} passages on the board, {} let go, {} not shown",
        totals.passages, totals.let_go, totals.not_shown
    );
    fits && received == sent
}

/// How many spans a load sends.
const fn sent(rate: u64, seconds: u64) -> u64 {
    rate * seconds / spans::SPANS * spans::SPANS
}

/// Sends so many spans a second, one hand-off of a hundred broken. An export that is refused
/// ends it.
fn load(address: SocketAddr, rate: u64, seconds: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let exporter = listener::Exporter::to(address);
        let begun = Instant::now();
        let mut spans = 0;
        for batch in spans::batches(0..sent(rate, seconds) / spans::SPANS, 1) {
            assert_eq!(exporter.export(&batch.request).await, 0, "it is taken");
            spans += batch.spans;
            #[allow(clippy::cast_precision_loss, reason = "a time")]
            let due = Duration::from_secs_f64(spans as f64 / rate as f64);
            if let Some(early) = due.checked_sub(begun.elapsed()) {
                tokio::time::sleep(early).await;
            }
        }
        println!("the load took {:?} for {spans} spans", begun.elapsed());
    });
}
