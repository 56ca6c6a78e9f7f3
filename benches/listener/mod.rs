//! The binary as `listen`, in a process of its own, and requests to its gRPC
//! port over real sockets.

#![allow(dead_code, reason = "each bench uses what it needs")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tracelink::receiver::Signal;

/// A receiver that runs.
pub struct Listener {
    process: Child,
    pub stdout: BufReader<ChildStdout>,
    /// Kept open, so that it may say something there.
    _stderr: BufReader<ChildStderr>,
    pub grpc: SocketAddr,
}

impl Listener {
    pub fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["listen", "--grpc", "0", "--http", "0"])
            .args(args)
            .env_remove("TRACELINK_BROKER")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut line = String::new();
        let is_human = !args.contains(&"--format");
        let said: &mut dyn BufRead = if is_human { &mut stdout } else { &mut stderr };
        said.read_line(&mut line).expect("it says where it listens");
        let address = line.split_whitespace().skip_while(|word| *word != "grpc").nth(1);
        let grpc = address.and_then(|address| address.parse().ok()).expect("an address");
        Self { process, stdout, _stderr: stderr, grpc }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A figure of `/proc/PID/status` in bytes, such as `VmHWM`.
    pub fn memory(&self, figure: &str) -> Option<u64> {
        memory(self.pid(), figure)
    }

    /// The most bytes of its own that were resident so far.
    pub fn peak(&self) -> Option<u64> {
        peak(self.pid())
    }

    /// Interrupts it, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    }

    /// Waits for its end, and returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }
}

/// A figure of `/proc/PID/status` in bytes, such as `VmHWM`, for as long as it runs.
pub fn memory(pid: u32, figure: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The most bytes that were resident so far, without the pages of the program's file: the
/// kernel reads those when the program first gets there, and may drop them at any time.
pub fn peak(pid: u32) -> Option<u64> {
    Some(memory(pid, "VmHWM")?.saturating_sub(memory(pid, "RssFile")?))
}

/// A connection over which exports are sent one after the other.
pub struct Exporter {
    client: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    to: String,
}

impl Exporter {
    pub fn to(address: SocketAddr) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let client =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(tcp);
        Self { client, to: format!("http://{address}{}", Signal::Traces.method()) }
    }

    /// Sends a serialised request, and returns its `grpc-status`.
    pub async fn export(&self, message: &[u8]) -> i32 {
        let mut framed = BytesMut::with_capacity(5 + message.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("short"));
        framed.put_slice(message);
        let request =
            Request::post(&self.to).header("content-type", "application/grpc").header("te", "trailers");
        let request = request.body(Full::new(framed.freeze())).expect("a request");
        let response = self.client.request(request).await.expect("it answers");
        let early = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.expect("a whole answer");
        let status = early.or_else(|| body.trailers()?.get("grpc-status").cloned());
        status.and_then(|status| status.to_str().ok()?.parse().ok()).expect("a status")
    }
}
