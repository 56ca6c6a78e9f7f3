//! One run of one binary: its instructions under valgrind, or its peak memory
//! without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::inputs;

/// What is run.
pub enum Run {
    /// The arguments.
    Alone(Vec<PathBuf>),
    /// `listen`, and how many spans it is fed.
    Listen(u64),
}

/// Counts the instructions of a run.
pub fn instructions(binary: &Path, run: &Run) -> u64 {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(format!("--log-file={}", log.path().display())).arg(binary);
    run.end(command, |_| ());
    let said = std::fs::read_to_string(log.path()).expect("valgrind writes its log");
    let count = said.lines().find_map(|line| line.split_once(" refs:")).map(|(_, count)| count);
    let count = count.and_then(|count| count.trim().replace(',', "").parse().ok());
    count.unwrap_or_else(|| panic!("valgrind counted nothing: {said}"))
}

/// The median of some runs' peak resident memory, in bytes, of each binary.
/// Threads share memory out differently each time, and a glance from outside may
/// miss the last of it. The binaries take turns, so that what else the machine
/// does meets each alike.
pub fn peak_memory(binaries: &[PathBuf], run: &Run) -> Vec<u64> {
    const RUNS: usize = 15;
    let mut peaks = vec![Vec::new(); binaries.len()];
    for _ in 0..RUNS {
        for (binary, peaks) in binaries.iter().zip(&mut peaks) {
            let mut watching = None;
            run.end(Command::new(binary), |process| watching = Some(watch_memory(process.id())));
            let peak = watching.expect("it was started").join().expect("it only reads");
            peaks.push(peak * 1024);
        }
    }
    let median = |mut peaks: Vec<u64>| {
        peaks.sort_unstable();
        peaks[peaks.len() / 2]
    };
    peaks.into_iter().map(median).collect()
}

/// Watches the peak of a process, in KiB, until it ends.
fn watch_memory(id: u32) -> JoinHandle<u64> {
    const EVERY: Duration = Duration::from_millis(1);
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.split_whitespace().next()?.parse().ok()) else { break };
            peak = kib;
            std::thread::sleep(EVERY);
        }
        peak
    })
}

impl Run {
    /// Runs to the end. The command has what stands before the arguments;
    /// `started` is told of the process.
    fn end(&self, mut command: Command, started: impl FnOnce(&Child)) {
        // What the environment holds is decoded too, and costs instructions.
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::Alone(args) => {
                let process = command.args(args).args(["--format", "json"]).spawn().expect("it starts");
                started(&process);
                let output = process.wait_with_output().expect("it ends");
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(matches!(output.status.code(), Some(0 | 1)), "it failed: {told}");
            }
            Self::Listen(spans) => {
                // What never settles is judged once, at the end, however long that takes.
                let args = ["listen", "--grpc", "0", "--http", "0", "--settle", "1h", "--format", "json"];
                let mut process = command.args(args).spawn().expect("it starts");
                started(&process);
                let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
                let mut line = String::new();
                stderr.read_line(&mut line).expect("it says where it listens");
                let address = line.split_whitespace().skip_while(|word| *word != "http").nth(1);
                let address = address.and_then(|address| address.parse().ok()).expect("an address");
                let report = read_all(process.stdout.take().expect("piped"));
                feed(address, *spans);
                let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process");
                kill_process(pid, Signal::INT).expect("it runs");
                let status = process.wait().expect("it ends");
                let report = report.join().expect("it only reads");
                let report: serde_json::Value = serde_json::from_slice(&report).expect("a report");
                assert!(matches!(status.code(), Some(0 | 1)), "it failed: {status}");
                assert_eq!(report["inputs"]["spans"], *spans, "every span is in the report");
            }
        }
    }
}

fn read_all(mut from: ChildStdout) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("readable");
        all
    })
}

/// Posts so many spans over one connection, each request after the answer to
/// the one before.
fn feed(address: SocketAddr, spans: u64) {
    let mut stream = BufReader::new(TcpStream::connect(address).expect("it listens"));
    stream.get_ref().set_nodelay(true).expect("it is a socket");
    for body in inputs::requests(spans) {
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), &body].concat()).expect("it reads");
        let (mut line, mut length) = (String::new(), 0);
        stream.read_line(&mut line).expect("it answers");
        assert!(line.contains(" 200 "), "{line}");
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).expect("it answers");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        stream.read_exact(&mut vec![0; length]).expect("a body");
    }
}
