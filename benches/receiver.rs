//! What the ports alone cost: requests of 512 spans through a receiver whose
//! inbox throws them away. The load runs in a process of its own, and the CPU
//! that is told is the receiver's threads' alone.
//!
//! `cargo bench --bench receiver [SECONDS]`; Linux, because it reads `/proc`.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tracelink::receiver::{
    Budget, Ended, Inbox, Ports, Receipt, Receiver, ReceiverLimits, Request as Incoming, Signal, Taken,
};

#[path = "spans/mod.rs"]
mod spans;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections of a load: exporters have one each.
const CONNECTIONS: usize = 4;

/// Throws away.
struct Void;

impl Inbox for Void {
    fn take<'i>(&'i self, request: &'i Incoming<'i>) -> Taken<'i> {
        std::hint::black_box(request.body);
        Box::pin(std::future::ready(Ok(Receipt::default())))
    }

    fn ended(&self, ended: &Ended<'_>) {
        std::hint::black_box(ended.outcome);
    }
}

#[derive(Clone, Copy)]
enum Way {
    Grpc,
    Http,
    HttpGzip,
}

impl Way {
    const ALL: [Self; 3] = [Self::Grpc, Self::Http, Self::HttpGzip];

    const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::HttpGzip => "http-gzip",
        }
    }
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["load", way, address] => {
            let way = Way::ALL.into_iter().find(|known| known.name() == way).expect("a way");
            load(way, address.parse().expect("an address"));
        }
        _ => {
            let seconds = args.iter().find_map(|word| word.parse().ok()).unwrap_or(5);
            Way::ALL.into_iter().for_each(|way| measure(way, Duration::from_secs(seconds)));
        }
    }
}

/// CPU of this process' threads, from `/proc`: `getrusage` would want `unsafe`.
fn cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn measure(way: Way, time: Duration) {
    let free: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let ports = Ports { grpc: Some(free), http: Some(free), both: None };
    let limits = ReceiverLimits::new(Arc::new(Budget::new(64 << 20)), 32 << 20);
    let budget = Arc::clone(&limits.bodies);
    let receiver = Receiver::open(&ports, Arc::new(Void), limits).expect("free ports");
    let addresses = receiver.addresses();
    let address = match way {
        Way::Grpc => addresses.grpc,
        Way::Http | Way::HttpGzip => addresses.http,
    };
    let mut child = Load::start(way, address.expect("open"));
    // It sends from its start; what it needs to get going is not counted.
    let (from, began, used) = (child.count(), Instant::now(), cpu());
    std::thread::sleep(time);
    let (used, took, to) = (cpu().saturating_sub(used), began.elapsed(), child.count());
    child.stop();
    receiver.close(Duration::from_secs(1));
    let requests = to - from;
    let micros = |each: Duration| each.as_secs_f64() * 1e6 / f64::from(requests);
    println!(
        "{:<10} {:>8.0} requests/s   {:>7.1} µs of CPU a request   {:.3} µs a span   {} KiB of bodies at most",
        way.name(),
        f64::from(requests) / took.as_secs_f64(),
        micros(used),
        micros(used) / 512.0,
        budget.peak() >> 10,
    );
}

/// The other process.
struct Load {
    process: Child,
    counts: BufReader<std::process::ChildStdout>,
}

impl Load {
    fn start(way: Way, address: SocketAddr) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["load", way.name(), &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let counts = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, counts }
    }

    /// How many requests it has been answered.
    fn count(&mut self) -> u32 {
        let mut line = String::new();
        self.process.stdin.as_mut().expect("piped").write_all(b"\n").expect("it reads");
        self.counts.read_line(&mut line).expect("it answers");
        line.trim().parse().expect("a number")
    }

    fn stop(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends");
    }
}

/// Sends until its input ends, and says how many were taken as often as a line comes.
fn load(way: Way, address: SocketAddr) {
    let bodies: Arc<Vec<Bytes>> =
        Arc::new(spans::requests(0..2000, 0).map(|body| body_of(way, &body)).collect());
    let taken = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    for place in 0..CONNECTIONS {
        let (bodies, taken) = (Arc::clone(&bodies), Arc::clone(&taken));
        runtime.spawn(async move {
            let mut tcp = HttpConnector::new();
            tcp.set_nodelay(true);
            let is_grpc = matches!(way, Way::Grpc);
            let client: Client<_, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).http2_only(is_grpc).build(tcp);
            for body in bodies.iter().cycle().skip(place) {
                let path = if is_grpc { Signal::Traces.method() } else { Signal::Traces.path() };
                let kind = if is_grpc { "application/grpc" } else { "application/x-protobuf" };
                let mut request =
                    Request::post(format!("http://{address}{path}")).header("content-type", kind);
                if matches!(way, Way::HttpGzip) {
                    request = request.header("content-encoding", "gzip");
                }
                let request = request.body(Full::new(body.clone())).expect("a request");
                let response = client.request(request).await.expect("it answers");
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.expect("a whole answer");
                taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
    }
    while taken.load(std::sync::atomic::Ordering::Relaxed) < 100 {
        std::thread::sleep(Duration::from_millis(5));
    }
    for line in std::io::stdin().lines() {
        line.expect("readable");
        println!("{}", taken.load(std::sync::atomic::Ordering::Relaxed));
    }
    runtime.shutdown_background();
}

fn body_of(way: Way, message: &[u8]) -> Bytes {
    match way {
        Way::Grpc => {
            let mut framed = BytesMut::with_capacity(5 + message.len());
            framed.put_u8(0);
            framed.put_u32(u32::try_from(message.len()).expect("short"));
            framed.put_slice(message);
            framed.freeze()
        }
        Way::Http => Bytes::copy_from_slice(message),
        Way::HttpGzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(message).expect("memory");
            gzip.finish().expect("memory").into()
        }
    }
}
