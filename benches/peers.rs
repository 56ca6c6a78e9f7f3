//! tracelink beside a receiver that throws everything away: Rotel's agent with its exporter
//! `blackhole`. It prints what each spends a span, in pairs, and by what factor they differ.
//!
//! `cargo bench --bench peers -- [--rotel PATH] [--spans NUMBER] [--pairs NUMBER]
//! [--broken IN_A_HUNDRED] [--protocol grpc|http] [-- OPTIONS OF LISTEN]`; without any,
//! 300,000 spans over each protocol, in five pairs. Where no path is given, `pip` installs
//! the agent into `target/peers`, which needs Python and PyPI. `--alone` measures tracelink
//! without it, and `--grow` repeats that for 10,000 to 10,000,000 spans at 8 GiB.
//!
//! Both are sent the same bytes by four connections. The CPU is the process's own, from
//! `/proc`, until it has used none for a second; so other programs count for little. Linux.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;

mod listener;
mod spans;

use listener::{Exporter, memory};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version that the figures of the documents are from.
const ROTEL: &str = "rotel==0.0.1a15";
/// Connections that send at a time.
const CONNECTIONS: usize = 4;

/// What was asked for.
struct Asked {
    args: Vec<String>,
    /// Options for `listen`.
    options: Vec<String>,
}

impl Asked {
    fn of_arguments() -> Self {
        let mut args: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        let end = args.iter().position(|argument| argument == "--").unwrap_or(args.len());
        let options = args.split_off(end).into_iter().skip(1).collect();
        Self { args, options }
    }

    fn has(&self, name: &str) -> bool {
        self.args.iter().any(|argument| argument == name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        let place = self.args.iter().position(|argument| argument == name)?;
        self.args.get(place + 1).map(String::as_str)
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.text(name).map_or(otherwise, |value| value.parse().expect("a number"))
    }
}

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let asked = Asked::of_arguments();
    let protocols: Vec<&str> = asked.text("--protocol").map_or(vec!["grpc", "http"], |one| vec![one]);
    let (spans, broken) = (asked.number("--spans", 300_000), asked.number("--broken", 0));
    if asked.has("--grow") {
        for spans in [10_000, 100_000, 1_000_000, 10_000_000] {
            let options = [&["--max-memory".to_owned(), "8GiB".to_owned()], &*asked.options].concat();
            println!("{:>10} spans: {}", spans, measure(tracelink(&options), protocols[0], spans, broken));
        }
        return ExitCode::SUCCESS;
    }
    let is_alone = asked.has("--alone");
    let rotel =
        asked.text("--rotel").map(PathBuf::from).or_else(|| if is_alone { None } else { installed() });
    if rotel.is_none() && !is_alone {
        eprintln!("no comparison: {ROTEL} cannot be installed here; --rotel PATH names its `rotel-agent`");
        return ExitCode::FAILURE;
    }
    for protocol in protocols {
        let mut factors = Vec::new();
        for _ in 0..asked.number("--pairs", 5) {
            let own = measure(tracelink(&asked.options), protocol, spans, broken);
            println!("{protocol} tracelink: {own}");
            if let Some(rotel) = &rotel {
                let other = measure(agent(rotel), protocol, spans, broken);
                println!("{protocol} Rotel:     {other}");
                factors.push(own.micros / other.micros);
            }
        }
        factors.sort_by(f64::total_cmp);
        if let Some(median) = factors.get(factors.len() / 2) {
            println!("{protocol}: {median:.2} times the CPU of Rotel (median of {})", factors.len());
        }
    }
    ExitCode::SUCCESS
}

/// A receiver that runs, with its ports.
struct Receiver {
    process: Child,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tracelink(options: &[String]) -> Receiver {
    receiver(Path::new(env!("CARGO_BIN_EXE_tracelink")), |command, grpc, http| {
        command.args(["listen", "--format", "json", "--grpc", grpc, "--http", http]).args(options);
    })
}

fn agent(path: &Path) -> Receiver {
    receiver(path, |command, grpc, http| {
        command.args(["start", "--exporter", "blackhole"]);
        command.args(["--otlp-grpc-endpoint", grpc, "--otlp-http-endpoint", http]);
    })
}

fn receiver(path: &Path, with: impl FnOnce(&mut Command, &str, &str)) -> Receiver {
    // Both are held before either is let go, so that they differ.
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [grpc, http] = free.map(|free| free.local_addr().expect("it is bound"));
    let mut command = Command::new(path);
    with(&mut command, &grpc.to_string(), &http.to_string());
    command.env_remove("TRACELINK_BROKER").stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let receiver = Receiver { process, grpc, http };
    for _ in 0..1_000 {
        if [grpc, http].iter().all(|address| TcpStream::connect(address).is_ok()) {
            return receiver;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("{} does not listen", path.display());
}

/// What a process spent.
struct Spent {
    micros: f64,
    bytes: f64,
    resident: u64,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = self.resident as f64 / f64::from(1 << 20);
        write!(to, "{:.2} µs CPU and {:.0} bytes resident a span, {mib:.0} MiB", self.micros, self.bytes)
    }
}

fn measure(receiver: Receiver, protocol: &str, spans: u64, broken: u64) -> Spent {
    let pid = receiver.process.id();
    let requests: Vec<_> = spans::requests(0..spans / spans::SPANS, broken).map(Bytes::from).collect();
    let resident = || memory(pid, "VmRSS").expect("it runs");
    let (before, idle) = (cpu(pid), resident());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(send(&receiver, protocol, requests));
    let used = until_idle(pid).saturating_sub(before);
    let now = resident();
    Spent {
        micros: used.as_secs_f64() * 1e6 / spans as f64,
        bytes: now.saturating_sub(idle) as f64 / spans as f64,
        resident: now,
    }
}

/// Sends all requests, each connection one after the other.
async fn send(receiver: &Receiver, protocol: &str, requests: Vec<Bytes>) {
    let requests = std::sync::Arc::new(requests);
    let next = std::sync::Arc::new(AtomicUsize::new(0));
    let connections = (0..CONNECTIONS).map(|_| {
        let (requests, next) = (requests.clone(), next.clone());
        let (grpc, http, is_grpc) = (receiver.grpc, receiver.http, protocol == "grpc");
        tokio::spawn(async move {
            let exporter = Exporter::to(grpc);
            let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                if is_grpc {
                    assert_eq!(exporter.export(request).await, 0, "it is taken");
                    continue;
                }
                let posted = http::Request::post(format!("http://{http}/v1/traces"))
                    .header("content-type", "application/x-protobuf")
                    .body(Full::new(request.clone()))
                    .expect("a request");
                let answer = client.request(posted).await.expect("it answers");
                assert!(answer.status().is_success(), "it is taken: {}", answer.status());
                answer.into_body().collect().await.expect("a whole answer");
            }
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.expect("everything is taken");
    }
}

/// The CPU that a process has used, once it has used none for a second. It goes on judging
/// when everything has come.
fn until_idle(pid: u32) -> Duration {
    const TICKS: u32 = 30;
    let mut last = cpu(pid);
    for _ in 0..TICKS {
        sleep(Duration::from_secs(1));
        let now = cpu(pid);
        if now.saturating_sub(last) < Duration::from_millis(20) {
            return now;
        }
        last = now;
    }
    last
}

/// The CPU that all threads of a process have used.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit(')').next().expect("it names the program").split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    // In hundredths of a second, whatever the kernel counts in itself (`USER_HZ`).
    Duration::from_millis(ticks * 10)
}

/// The agent of the wheel, installed once.
fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let agent = folder.join("rotel/rotel-agent");
    if !agent.exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&folder).arg(ROTEL);
        pip.status().ok().filter(std::process::ExitStatus::success)?;
    }
    agent.exists().then_some(agent)
}
