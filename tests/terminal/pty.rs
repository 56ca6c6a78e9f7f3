//! A pseudo-terminal with a shell in it, and the screen that a person would see.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// What came out of the terminal.
#[derive(Default)]
struct Output {
    parser: Option<vt100::Parser>,
    raw: Vec<u8>,
    is_over: bool,
}

pub struct Pty {
    master: File,
    shell: Child,
    output: Arc<(Mutex<Output>, Condvar)>,
}

/// What the shell says when it waits.
const PROMPT: &str = "ready>";

impl Pty {
    /// A shell with job control, in a window of this size.
    #[allow(clippy::disallowed_methods, reason = "the shell finds its tools by the test's PATH")]
    pub fn shell(columns: u16, rows: u16, folder: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("ours");
        unlockpt(&master).expect("ours");
        let peer =
            ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("its other end");
        let peer = File::from(peer);
        let end = || peer.try_clone().expect("a file");
        let binary = Path::new(env!("CARGO_BIN_EXE_tracelink")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let shell = Command::new("setsid")
            .args(["--ctty", "--wait", "sh", "-i"])
            .env("PS1", format!("{PROMPT} "))
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("TERM", "xterm-256color")
            .env_remove("ENV")
            .env_remove("NO_COLOR")
            .env_remove("TRACELINK_BROKER")
            .current_dir(folder)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("setsid of util-linux runs");
        let output = Arc::new((
            Mutex::new(Output { parser: Some(vt100::Parser::new(rows, columns, 200)), ..Output::default() }),
            Condvar::new(),
        ));
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a file");
        let written = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                // It fails once nobody has the other end any more.
                let read = reader.read(&mut buffer).unwrap_or_default();
                let mut output = written.0.lock().unwrap_or_else(PoisonError::into_inner);
                output.is_over = read == 0;
                output.raw.extend_from_slice(&buffer[..read]);
                output.parser.iter_mut().for_each(|parser| parser.process(&buffer[..read]));
                written.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        let mut pty = Self { master, shell, output };
        pty.resize(columns, rows);
        pty.wait_for(PROMPT);
        pty
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.lock().parser.iter_mut().for_each(|parser| parser.screen_mut().set_size(rows, columns));
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("a terminal");
    }

    pub fn type_keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Types a command at the prompt.
    pub fn run(&mut self, command: &str) {
        self.type_keys(&format!("{command}\n"));
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        let output = self.lock();
        output.parser.as_ref().map(|parser| parser.screen().contents()).unwrap_or_default()
    }

    pub fn is_on_alternate_screen(&self) -> bool {
        self.lock().parser.as_ref().is_some_and(|parser| parser.screen().alternate_screen())
    }

    /// The modes of the terminal: echo, lines, signals and the rest.
    pub fn modes(&self) -> String {
        let Termios { input_modes, output_modes, control_modes, local_modes, .. } =
            tcgetattr(&self.master).expect("a terminal");
        format!("{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?}")
    }

    /// Waits until the screen shows this.
    pub fn wait_for(&mut self, text: &str) {
        self.wait(&format!("`{text}` on the screen"), |screen, _| screen.contains(text));
    }

    /// Waits until the screen does not show this any more.
    pub fn wait_until_gone(&mut self, text: &str) {
        self.wait(&format!("no `{text}` on the screen"), |screen, _| !screen.contains(text));
    }

    /// Waits until the last line is the prompt.
    pub fn wait_for_prompt(&mut self) {
        self.wait("the prompt", |screen, _| screen.trim_end().ends_with(PROMPT));
    }

    /// Waits until this was sent to the terminal, and returns what followed up to `end`.
    pub fn wait_for_sequence(&mut self, begin: &str, end: &str) -> String {
        let found = |raw: &[u8]| {
            let raw = String::from_utf8_lossy(raw).into_owned();
            let (_, rest) = raw.rsplit_once(begin)?;
            rest.split_once(end).map(|(text, _)| text.to_owned())
        };
        self.wait(&format!("the sequence {begin:?}"), |_, raw| found(raw).is_some());
        found(&self.lock().raw).expect("it was there")
    }

    /// Waits for something to be there. A test that waits for longer than this fails: it
    /// will not come.
    #[allow(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    fn wait(&mut self, what: &str, is_there: impl Fn(&str, &[u8]) -> bool) {
        const PATIENCE: Duration = Duration::from_mins(1);
        let mut output = self.lock();
        let begun = std::time::Instant::now();
        loop {
            let screen = output.parser.as_ref().map(|parser| parser.screen().contents()).unwrap_or_default();
            if is_there(&screen, &output.raw) {
                return;
            }
            let is_lost = output.is_over || begun.elapsed() > PATIENCE;
            assert!(!is_lost, "{what} did not come:\n{screen}");
            let waited = self.output.1.wait_timeout(output, Duration::from_secs(1));
            output = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // What runs in it hangs up with it.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
