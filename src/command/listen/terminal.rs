//! `listen --tui`: the thread that reads keys and draws frames, and what it and the session
//! tell each other. The session goes on beside it and waits for no frame.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use ratatui::crossterm::event::{self, Event as Input, KeyEvent};
use rustix::process::{Signal, getpid, getsid, kill_current_process_group};
use signal_hook::consts::SIGTSTP;
use signal_hook::{flag, low_level};

use super::board_feed::SessionSource;
use crate::cli::{self, Output};
use crate::command::outputs::view;
use crate::command::{Exit, usage};
use crate::live::Session;
use crate::report::FormatName;
use crate::view::board::SharedBoard;
use crate::view::terminal::{About, App, Screen, Wish, osc52};

/// How often it looks whether something is new. Keys are answered at once.
const TICK: Duration = Duration::from_millis(50);
/// How often it draws where nothing is new: ages grow.
const IDLE: Duration = Duration::from_millis(500);
/// About what an opened span takes, with its row.
const SPAN: usize = 600;

/// Whether the view can be shown.
///
/// # Errors
///
/// What keeps it from being shown, as an error of usage.
pub fn check(args: &cli::Listen, output: &Output) -> anyhow::Result<()> {
    let complaint = if !args.command.is_empty() {
        "--tui takes the whole terminal, and so may the command after `--`: \
         leave --tui out, or run the command in another terminal"
            .to_owned()
    } else if let Some(format) = format_on_stdout(output) {
        format!(
            "--tui and the format {format} both want standard output: give the format a file, \
             --output {format}=PATH"
        )
    } else if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        "--tui needs a terminal for standard input and output: leave it out where there is none".to_owned()
    } else {
        return Ok(());
    };
    Err(usage(complaint))
}

/// The format on standard output, if it is not for people.
fn format_on_stdout(output: &Output) -> Option<&'static str> {
    let format = output.destinations().pop()?.format;
    (format != FormatName::Human).then(|| format.name())
}

/// The view while it has the terminal.
pub struct TerminalView {
    thread: JoinHandle<io::Result<()>>,
    shared: Arc<Shared>,
}

/// What the thread and the session tell each other.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Whether the ports are open. Until then nothing is lost by ending at once.
    listens: AtomicBool,
    /// How many times somebody asked for the end.
    quits: AtomicUsize,
    about: Mutex<Option<About>>,
    /// Whether `SIGTSTP` came.
    is_suspended: Arc<AtomicBool>,
}

impl TerminalView {
    /// Takes the terminal over, and shows the board.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub fn start(board: SharedBoard, session: &Arc<Session>, output: &Output) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        flag::register(SIGTSTP, Arc::clone(&shared.is_suspended)).context("cannot listen for signals")?;
        leave_before_a_panic_is_told();
        let screen = Screen::enter().context("the terminal cannot be taken over for --tui")?;
        let has_colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let app = App::new(view(output), has_colour, session.plan().view / 2 / SPAN);
        let mut shown = Shown {
            screen,
            app,
            board,
            source: SessionSource(Arc::clone(session)),
            session: Arc::clone(session),
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name("terminal".to_owned()).spawn(move || shown.run())?;
        Ok(Self { thread, shared })
    }

    /// Says where it listens.
    pub fn listens(&self, about: About) {
        *self.shared.about.lock() = Some(about);
        self.shared.listens.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked for the end since this was called last.
    pub fn take_quit(&self) -> bool {
        let asked = |quits: usize| quits.checked_sub(1);
        self.shared.quits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, asked).is_ok()
    }

    /// Whether it has ended by itself: the terminal is gone, or something panicked.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Leaves the terminal as it was.
    ///
    /// # Errors
    ///
    /// Why it ended by itself, if it did.
    pub fn close(self) -> anyhow::Result<()> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let ended = self.thread.join();
        Screen::leave();
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error).context("the terminal of --tui"),
            Err(_) => anyhow::bail!(
                "the view of --tui panicked, which is a bug of tracelink: without it, all works"
            ),
        }
    }
}

/// Whoever panics, the message is read on the screen that stays.
fn leave_before_a_panic_is_told() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        Screen::leave();
        usual(panic);
    }));
}

/// What the thread has.
struct Shown {
    screen: Screen,
    app: App,
    board: SharedBoard,
    source: SessionSource,
    session: Arc<Session>,
    shared: Arc<Shared>,
}

impl Shown {
    fn run(&mut self) -> io::Result<()> {
        while !self.shared.is_over.load(Ordering::SeqCst) {
            if self.shared.is_suspended.swap(false, Ordering::SeqCst) {
                self.suspend()?;
            }
            if let Some(about) = self.shared.about.lock().take() {
                self.app.listens(about);
            }
            let now = self.session.age();
            self.app.refresh(&self.board, &self.source, now);
            if !Screen::is_taken() {
                // Another thread panicked, and has left the screen to say so.
                return Err(io::Error::other("it was left, as something panicked"));
            }
            self.screen.draw(|frame| self.app.draw(frame, now))?;
            self.wait(now)?;
        }
        Ok(())
    }

    /// Waits for a key, for something new on the board, or for a while.
    fn wait(&mut self, drawn: Duration) -> io::Result<()> {
        while !self.shared.is_over.load(Ordering::SeqCst) && !self.shared.is_suspended.load(Ordering::SeqCst)
        {
            if event::poll(TICK)? {
                // All that was typed meanwhile is seen in one frame.
                while event::poll(Duration::ZERO)? {
                    if let Input::Key(key) = event::read()? {
                        self.key(key)?;
                    }
                }
                return Ok(());
            }
            let is_old = self.session.age().saturating_sub(drawn) >= IDLE;
            if is_old || self.app.is_behind(&self.board) || self.shared.about.lock().is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn key(&mut self, key: KeyEvent) -> io::Result<()> {
        // By this key a test sees what a panic leaves of the terminal.
        #[cfg(debug_assertions)]
        assert!(key.code != event::KeyCode::F(12), "a test asked for a panic");
        let now = self.session.age();
        match self.app.key(key, now) {
            None => {}
            Some(Wish::Quit) => self.quit(),
            Some(Wish::Suspend) if getsid(None) == Ok(getpid()) => {
                self.app.say("there is no shell that could bring it back", now);
            }
            // Those that stand in a pipe with it stop too.
            Some(Wish::Suspend) => kill_current_process_group(Signal::TSTP)?,
            Some(Wish::Copy(text)) => match osc52(&text) {
                Some(sequence) => {
                    self.screen.send(&sequence)?;
                    self.app.say("copied, if the terminal takes it (OSC 52)", now);
                }
                None => self.app.say("too long to be copied", now),
            },
        }
        // What was chosen by this key is what the next one acts on.
        self.app.refresh(&self.board, &self.source, now);
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "nothing is open yet that could be left unwritten")]
    fn quit(&self) {
        if !self.shared.listens.load(Ordering::SeqCst) {
            // A broker answers slowly, and there is nothing to report yet.
            Screen::leave();
            std::process::exit(Exit::Interrupted.code().into());
        }
        self.shared.quits.fetch_add(1, Ordering::SeqCst);
    }

    /// Stops until the shell brings it back.
    fn suspend(&mut self) -> io::Result<()> {
        Screen::leave();
        low_level::emulate_default_handler(SIGTSTP)?;
        self.shared.is_suspended.store(false, Ordering::SeqCst);
        self.screen.enter_again()
    }
}
