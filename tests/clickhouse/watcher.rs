//! `tracelink listen --from`, as a user runs it, and a store that goes away and comes back.

use std::io::{BufRead, BufReader, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than a loaded machine takes for what a test waits for.
const PATIENCE: Duration = Duration::from_mins(2);

/// What has been read so far.
type Lines = Arc<Mutex<Vec<String>>>;

pub struct Watcher {
    process: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// How it ended.
pub struct Ended {
    pub code: Option<i32>,
    /// What was said while it watched.
    pub events: Vec<Value>,
    pub report: Value,
    pub stderr: String,
}

/// The command that watches a store, ready for more options.
pub fn listen(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command
        .args(["listen", "--from", url, "--no-config", "--color=never"])
        .args(args)
        .env_remove("TRACELINK_BROKER")
        .stdin(Stdio::null());
    command
}

/// What it does that ends by itself.
pub fn ended(url: &str, args: &[&str]) -> Output {
    listen(url, args).output().expect("the binary runs")
}

fn lines_of(from: impl Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let read = Arc::clone(&lines);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            read.lock().expect("no reader panics").push(line.expect("UTF-8"));
        }
    });
    (lines, reader)
}

impl Watcher {
    /// Starts it with the events as JSON lines, and waits until it watches.
    pub fn start(url: &str, args: &[&str]) -> Self {
        let mut process = listen(url, args)
            .args(["--format", "jsonl"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let (out, err): (ChildStdout, ChildStderr) =
            (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
        let ((stdout, one), (stderr, other)) = (lines_of(out), lines_of(err));
        let watcher = Self { process, stdout, stderr, readers: vec![one, other] };
        watcher.wait_for("it watches", |watcher| watcher.said().contains("watching  clickhouse://"));
        watcher
    }

    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        self.stderr.lock().expect("no reader panics").join("\n")
    }

    /// The events so far, without the report.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.stdout.lock().expect("no reader panics");
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The slugs of the events of this kind.
    pub fn slugs(&self, event: &str) -> Vec<String> {
        slugs(&self.events(), event)
    }

    #[track_caller]
    #[allow(clippy::disallowed_methods, reason = "a test measures what it waited")]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}\n{}", self.events(), self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port of `--metrics`.
    pub fn metrics(&self) -> u16 {
        let said = self.said();
        let (_, rest) = said.split_once("metrics http://127.0.0.1:").expect("it says where they are");
        rest.split('/').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// Ends it as Ctrl-C does.
    pub fn interrupt(self) -> Ended {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::INT).expect("it runs");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let status = self.process.wait().expect("it ends");
        self.readers.drain(..).for_each(|reader| reader.join().expect("what it writes is UTF-8"));
        let mut events = self.events();
        let report = events.pop().unwrap_or_else(|| panic!("no report: {}", self.said()));
        assert_eq!(report["event"], "report", "{report}");
        Ended { code: status.code(), events, report: report["report"].clone(), stderr: self.said() }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn slugs(events: &[Value], event: &str) -> Vec<String> {
    let of_kind = events.iter().filter(|told| told["event"] == event);
    // What is taken back is named, and not told again.
    let slug = |told: &Value| told["finding"]["slug"].as_str().or(told["slug"].as_str()).map(str::to_owned);
    of_kind.map(|told| slug(told).expect("a slug")).collect()
}

/// A way to a store that can be cut.
pub struct Way {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    /// How many connections it refused.
    refused: Arc<AtomicUsize>,
}

impl Way {
    /// A way to this port.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("bound").port();
        let (is_cut, refused): (Arc<AtomicBool>, Arc<AtomicUsize>) = <_>::default();
        let (cut, counted) = (Arc::clone(&is_cut), Arc::clone(&refused));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if cut.load(Ordering::SeqCst) {
                    counted.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let Ok(store) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&stream, &store), (&store, &stream)] {
                    let (from, to) = (from.try_clone().expect("open"), to.try_clone().expect("open"));
                    let cut = Arc::clone(&cut);
                    std::thread::spawn(move || pass(&from, &to, &cut));
                }
            }
        });
        Self { port: own, is_cut, refused }
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }

    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

/// Passes on what comes, until the way is cut or either side is closed.
fn pass(mut from: &TcpStream, mut to: &TcpStream, is_cut: &AtomicBool) {
    use std::io::Write;
    from.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
    let mut bytes = [0; 16_384];
    while !is_cut.load(Ordering::SeqCst) {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) if to.write_all(&bytes[..read]).is_err() => break,
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
