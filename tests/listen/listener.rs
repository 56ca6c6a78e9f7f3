//! The binary, listening at ports of its own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use serde_json::Value;

pub struct Listener {
    process: Child,
    pub grpc: u16,
    pub http: u16,
    /// Of `--control`; 0 without it.
    pub control: u16,
    /// Of `--web`; 0 without it.
    pub web: u16,
    /// Of `--metrics`; 0 without it.
    pub metrics: u16,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// How it ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The report of `--format json`.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

impl Listener {
    /// Starts it at free ports; it says which on standard error.
    pub fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["listen", "--grpc", "0", "--http", "0"])
            .args(if args.contains(&"--format") { &[][..] } else { &["--format", "json"] })
            .args(args)
            .env_remove("TRACELINK_BROKER")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let mut stdout = process.stdout.take().expect("piped");
        let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("it says where it listens");
        let port = |what: &str| -> u16 {
            let address = line.split_once(&format!("{what}127.0.0.1:")).map(|(_, rest)| rest);
            let digits =
                address.unwrap_or_else(|| panic!("{line}")).split(|letter: char| !letter.is_ascii_digit());
            digits.into_iter().next().and_then(|port| port.parse().ok()).expect("a port")
        };
        let (grpc, http) = (port("grpc "), port("http "));
        let control = if args.contains(&"--control") { port("control ") } else { 0 };
        let web = if args.contains(&"--web") { port("web http://") } else { 0 };
        let metrics = if args.contains(&"--metrics") { port("metrics http://") } else { 0 };
        let read = |from: &mut dyn Read| {
            let mut text = String::new();
            from.read_to_string(&mut text).expect("UTF-8");
            text
        };
        Self {
            grpc,
            http,
            control,
            web,
            metrics,
            stdout: Some(std::thread::spawn(move || read(&mut stdout))),
            stderr: Some(std::thread::spawn(move || read(&mut stderr))),
            process,
        }
    }

    /// Sends requests over gRPC with tonic's client, one after the other.
    pub fn send_grpc(&self, requests: &[ExportTraceServiceRequest]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let address = format!("http://127.0.0.1:{}", self.grpc);
            let mut client = TraceServiceClient::connect(address).await.expect("it listens");
            for request in requests {
                client.export(request.clone()).await.expect("it takes what was captured");
            }
        });
    }

    /// Posts OTLP/JSON, one request after the other.
    pub fn send_json(&self, requests: &[String]) {
        use std::io::Write;
        let stream = std::net::TcpStream::connect(("127.0.0.1", self.http)).expect("it listens");
        let mut answers = BufReader::new(stream);
        for body in requests {
            let head = format!(
                "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            answers.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
            let mut length = 0;
            let mut status = String::new();
            answers.read_line(&mut status).expect("it answers");
            assert!(status.contains(" 200 "), "{status}");
            loop {
                let mut line = String::new();
                answers.read_line(&mut line).expect("it answers");
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            answers.read_exact(&mut vec![0; length]).expect("a body");
        }
    }

    /// A figure of `/proc/PID/status` in bytes, such as `VmHWM`; `None` once it has ended.
    pub fn memory(&self, figure: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal, as a terminal or a supervisor does.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.process.id()).expect("a process id");
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("not zero"), signal)
            .expect("it runs");
    }

    /// Ends it as Ctrl-C does, when all that was sent was answered.
    pub fn end(self) -> Ended {
        self.signal(rustix::process::Signal::INT);
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let status = self.process.wait().expect("it ends");
        let read = |out: &mut Option<JoinHandle<String>>| {
            out.take().expect("only an end takes it").join().expect("read")
        };
        let (stdout, stderr) = (read(&mut self.stdout), read(&mut self.stderr));
        Ended { code: status.code(), stdout, stderr }
    }
}

/// A test that failed leaves nothing that listens for ever.
impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
