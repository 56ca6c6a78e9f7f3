//! `tracelink listen`: a receiver, or a watch over a store, that says why.

mod board_feed;
mod control;
mod metrics;
mod open_ports;
mod printer;
mod ready_file;
pub mod sources;
mod terminal;
mod wrapped;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::board_feed::{BoardFeed, NoticesOnBoard};
use self::control::{Control, ReportStyle};
use self::metrics::Metrics;
use self::open_ports::{OpenPorts, SidePorts};
use self::printer::{Printer, TerminalHolder};
use self::sources::{Sources, ports, session, settle, target};
use self::terminal::TerminalView;
use self::wrapped::Wrapped;
use super::outputs::view_of_text;
use super::web::{ReportsOfSession, Shown, WebPage};
use super::{Exit, Outputs, SaidAloud, say};
use crate::cli::{self, Output};
use crate::diagnosis::Listing;
use crate::live::{
    self, Audience, End, EndRequest, Ending, MemoryPlan, Outside, Saving, Session, SessionNotices, Uses,
};
use crate::view::board::{Board, SharedBoard};
use crate::view::terminal::About;
use crate::view::web::{Feed, Origin, Phase};

pub fn run(args: &cli::Listen, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let uses = Uses {
        forwards: args.forward.is_some(),
        saves: args.save.is_some(),
        watches_broker: args.broker.as_deref().is_some_and(|url| !url.is_empty()),
        shows_view: args.tui || args.web.is_some(),
        asks_store: args.store.from.is_some(),
    };
    if args.tui {
        terminal::check(args, output)?;
    }
    let plan = MemoryPlan::new(args.max_memory, uses);
    let board = uses.shows_view.then(|| Arc::new(Mutex::new(Board::new(plan.view / 2))));
    // Where a view has the terminal, nobody else writes there.
    let notices: Arc<dyn SessionNotices> = match &board {
        Some(board) if args.tui => Arc::new(NoticesOnBoard(Arc::clone(board))),
        _ => Arc::new(SaidAloud),
    };
    let session = session(args, &plan, notices)?;
    let holder = match () {
        () if args.tui => TerminalHolder::View,
        () if args.command.is_empty() => TerminalHolder::Events,
        () => TerminalHolder::Command,
    };
    let mut printer = Printer::new(output, outputs, holder);
    // Before the terminal is taken over, so that no signal leaves it so.
    let signals = args.tui.then(listen_for_signals).transpose()?;
    let view = board.as_ref().filter(|_| args.tui);
    let view = view.map(|board| TerminalView::start(Arc::clone(board), &session, output)).transpose();
    let view = view.inspect_err(|_| session.saving().into_iter().for_each(Saving::discard))?;
    let opened = open(args, output, &session, &mut printer, signals, board.as_ref());
    let Listening { sources, mut signals, mut wrapped, control, page, metrics, about } = match opened {
        Ok(listening) => listening,
        Err(error) => {
            view.map_or(Ok(()), TerminalView::close)?;
            // The user will try the same command again, and it needs an empty folder.
            session.saving().into_iter().for_each(Saving::discard);
            return Err(error);
        }
    };
    view.iter().for_each(|view| view.listens(about.clone()));
    let ending = Ending { time: args.time, idle: args.idle, settle: settle(args) };
    let mut world = World {
        signals: &mut signals,
        wrapped: wrapped.as_mut(),
        control: control.as_ref(),
        view: view.as_ref(),
    };
    let pages = page.as_ref().map(WebPage::feed).cloned();
    let mut feed = BoardFeed::new(&mut printer, board.clone(), pages.clone(), Arc::clone(&session));
    let ended = live::attend(&session, &ending, &mut feed, &mut world);
    let viewed = view.map_or(Ok(()), TerminalView::close);
    if args.tui {
        board.iter().for_each(say_notices);
    }
    control.iter().for_each(Control::ends);
    let end = ended.as_ref().ok().copied();
    // Whatever it ended by, nobody who waits for an answer is left without one,
    // and what was taken is sent on and kept.
    let ended = ended.and_then(|end| match &mut wrapped {
        Some(wrapped) if end != End::Command => wrapped.finish(),
        _ => Ok(()),
    });
    sources.end(&session, end, &mut || signals.pending().next().is_some());
    let told = ended.and_then(|()| tell(&session, &mut printer, wrapped.as_ref(), pages.as_deref(), output));
    let closed = live::close(&session).map_err(anyhow::Error::from);
    page.into_iter().for_each(WebPage::close);
    control.into_iter().for_each(Control::close);
    metrics.into_iter().for_each(Metrics::close);
    let exit = told?;
    match closed.and(viewed) {
        Ok(()) => Ok(exit),
        // The report is written, and a program cannot use a second one.
        Err(error) => {
            say(&format!("tracelink: {error:#}"));
            Ok(Exit::Environment)
        }
    }
}

/// Everything that runs while it listens.
struct Listening {
    sources: Sources,
    signals: Signals,
    wrapped: Option<Wrapped>,
    control: Option<Control>,
    page: Option<WebPage>,
    metrics: Option<Metrics>,
    /// Where it listens, for a view.
    about: About,
}

fn listen_for_signals() -> anyhow::Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")
}

/// Says what happened while a view had the terminal.
fn say_notices(board: &SharedBoard) {
    let notices: Vec<_> = board.lock().notices().map(str::to_owned).collect();
    notices.iter().for_each(|notice| say(&format!("tracelink: {notice}")));
}

fn open(
    args: &cli::Listen,
    output: &Output,
    session: &Arc<Session>,
    printer: &mut Printer<'_>,
    signals: Option<Signals>,
    board: Option<&SharedBoard>,
) -> anyhow::Result<Listening> {
    args.ready_file.as_deref().map_or(Ok(()), ready_file::begin)?;
    let broker = args.broker.as_deref().filter(|url| !url.is_empty());
    let target = broker.map(|url| target(url, args)).transpose()?;
    let store = sources::store(args)?;
    let control = args.control.map(|address| {
        let style = ReportStyle {
            policy: printer.policy().clone(),
            view: view_of_text(output),
            fail_on: output.fail_on,
        };
        Control::open(address, Arc::clone(session), style)
    });
    let control = control.transpose()?;
    let page = args.web.zip(board).map(|(address, board)| {
        let reports = ReportsOfSession { session: Arc::clone(session), policy: printer.policy().clone() };
        let shown = Shown {
            board: Arc::clone(board),
            reports: Box::new(reports),
            view: view_of_text(output),
            phase: Phase::Listening,
            share: session.plan().view,
        };
        WebPage::open(address, shown, session.notices())
    });
    let page = page.transpose()?;
    let metrics = args.metrics.map(|address| Metrics::open(address, session, printer.policy().clone()));
    let metrics = metrics.transpose()?;
    let has_command = !args.command.is_empty();
    let sources = match &store {
        Some(store) => Sources::of_store(store, target.as_ref(), session)?,
        None => Sources::open(&ports(args, has_command), has_command, target.as_ref(), session)?,
    };
    let (addresses, (does, places)) = (sources.addresses(), sources.places());
    // Not before: if a broker answers slowly, the first Ctrl-C interrupts it, as there is
    // nothing to report yet.
    let signals = signals.map_or_else(listen_for_signals, Ok)?;
    let broker = target.as_ref().map(|target| &target.broker);
    let beside = SidePorts {
        control: control.as_ref().map(Control::address),
        web: page.as_ref().map(WebPage::address),
        metrics: metrics.as_ref().map(Metrics::address),
    };
    let ports = OpenPorts::new(&addresses, sources.store(), beside);
    control.iter().for_each(|control| control.listens(ports.clone()));
    printer.listening((does, &places[..]), &ports, broker, session)?;
    args.ready_file.as_deref().map_or(Ok(()), |path| ready_file::write(path, &ports))?;
    let wrapped = match &args.command[..] {
        [] => None,
        command => {
            let address = addresses.both.expect("with a command a port for both was opened");
            Some(Wrapped::spawn(command, address, printer.tells_people())?)
        }
    };
    let about = About { places: printer::places(&places, &ports, broker) };
    if let Some(page) = &page {
        let broker = broker.map(ToString::to_string);
        page.feed().comes_from(Origin { inputs: places.join("   "), broker });
    }
    Ok(Listening { sources, signals, wrapped, control, page, metrics, about })
}

/// Prints the last notices, and gives the exit code.
fn tell(
    session: &Session,
    printer: &mut Printer<'_>,
    wrapped: Option<&Wrapped>,
    pages: Option<&Feed>,
    output: &Output,
) -> anyhow::Result<Exit> {
    printer.events(&session.round(0), 0)?;
    let report = printer.policy().apply(session.report(Listing::default()));
    let verdict = Exit::of_report(&report, output.fail_on);
    let exit = verdict.or_of_command(wrapped.and_then(Wrapped::exit_code));
    // Pages are read by others than standard output.
    pages.into_iter().for_each(|pages| pages.end(report.clone()));
    printer.report(&report, exit)?;
    if let Some(wrapped) = wrapped {
        wrapped.tell(exit);
    }
    Ok(exit)
}

/// What may end a session from outside.
struct World<'w> {
    signals: &'w mut Signals,
    wrapped: Option<&'w mut Wrapped>,
    control: Option<&'w Control>,
    view: Option<&'w TerminalView>,
}

impl Outside for World<'_> {
    fn told_to_end(&mut self) -> Option<EndRequest> {
        let Self { signals, wrapped, control, view } = self;
        if let Some(view) = view {
            if view.has_failed() {
                return Some(EndRequest::Now);
            }
            if view.take_quit() {
                return Some(EndRequest::Patiently);
            }
        }
        let is_alone = wrapped.is_none();
        let asked = control.is_some_and(Control::take_stop).then_some(SIGTERM);
        // The first one is the command's affair, where there is one.
        let mut ours = signals
            .pending()
            .chain(asked)
            .filter(|signal| !wrapped.as_mut().is_some_and(|wrapped| wrapped.pass_on(*signal)));
        let first = ours.next()?;
        // A user who presses Ctrl-C reads what it waits for, and can press it again. A
        // script cannot.
        let is_pressed = first == SIGINT && is_alone && ours.next().is_none();
        let is_read = io::stdin().is_terminal() && io::stderr().is_terminal();
        Some(if is_pressed && is_read { EndRequest::Patiently } else { EndRequest::Now })
    }

    fn command_ended_for(&mut self) -> anyhow::Result<Option<Duration>> {
        let Some(wrapped) = &mut self.wrapped else { return Ok(None) };
        Ok(wrapped.has_ended()?.then(|| wrapped.ended_for()))
    }
}
