//! The terminal itself: taking it over, and leaving it as it was.

use std::io::{self, BufWriter, Stdout, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether the terminal is taken over. There is one terminal, and whoever panics knows only
/// this.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is taken over. It is left when this is dropped, and by
/// [`Screen::leave`] from anywhere.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// A frame is written at once.
    const BUFFER: usize = 64 << 10;

    /// Takes the terminal over: another screen, no echo, keys as they are pressed.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub fn enter() -> io::Result<Self> {
        Self::take()?;
        Self::blank().map(|terminal| Self { terminal }).inspect_err(|_| Self::leave())
    }

    /// A screen on which nothing was drawn. Clearing the one that is there would ask the
    /// terminal where its cursor is, and not each one answers.
    fn blank() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
        Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(Self::BUFFER, stdout())))
    }

    fn take() -> io::Result<()> {
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        execute!(stdout(), EnterAlternateScreen, Hide).inspect_err(|_| Self::leave())
    }

    /// Takes it over again after it was left, and draws all of it anew.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub fn enter_again(&mut self) -> io::Result<()> {
        Self::take()?;
        self.terminal = Self::blank()?;
        Ok(())
    }

    /// Whether the terminal is taken over.
    pub fn is_taken() -> bool {
        IS_TAKEN.load(Ordering::SeqCst)
    }

    /// Leaves it as it was, if it is taken over. A terminal that is gone needs nothing.
    pub fn leave() {
        if IS_TAKEN.swap(false, Ordering::SeqCst) {
            let _ = execute!(stdout(), LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
    }

    /// Draws a frame: as large as the window is now.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(render).map(|_| ())
    }

    /// Writes something that draws nothing, such as a text for the clipboard.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub fn send(&mut self, sequence: &str) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(sequence.as_bytes())?;
        Write::flush(out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        Self::leave();
    }
}
