//! `diagnose` of many spans from each kind of file, and of gigabytes through a pipe.
//!
//! `cargo bench --bench files -- [--spans NUMBER]`: processor time, time and peak memory of a
//! million spans, written each way into a temporary folder. It fails where zstd takes more
//! than 1.3 times the processor time of the same file unpacked.
//!
//! `cargo bench --bench files -- --gigabytes 10 [--memory MIB] [--one-line]`: so much of
//! OTLP/JSON, as lines or as one line, made while it is read. It fails where the peak is
//! above 1.1 times the limit (256 MiB), beside what an idle process takes.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

#[path = "../tests/files/backends.rs"]
#[allow(dead_code, reason = "the tests have more of them")]
mod backends;
#[path = "../tests/files/orders.rs"]
mod orders;
mod spans;

use orders::Layout;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much more processor time zstd may take.
const ZSTD: f64 = 1.3;
/// How often each file is read; the quickest counts.
const RUNS: usize = 3;
/// Hand-offs of which the spans are held while they are written.
const CHUNK: u64 = 2_000;
/// Of a hundred hand-offs so many are broken.
const BROKEN: u64 = 1;

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let args: Vec<_> = std::env::args().collect();
    let given = |name: &str| {
        let value = args.iter().position(|arg| arg == name).and_then(|place| args.get(place + 1));
        value.map(|value| value.parse::<f64>().expect("a number"))
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers that people type")]
    let is_fine = match given("--gigabytes") {
        Some(gigabytes) => {
            let layout =
                if args.iter().any(|arg| arg == "--one-line") { Layout::OneLine } else { Layout::Lines };
            pipe((gigabytes * 1e9) as u64, given("--memory").unwrap_or(256.0) as u64, layout)
        }
        None => each_kind(given("--spans").unwrap_or(1e6) as u64),
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a run took.
#[derive(Clone, Copy)]
struct Took {
    processor: Duration,
    wall: Duration,
    /// The most memory that was resident, in bytes.
    peak: u64,
}

/// Waits for a process, and watches it.
fn watch(child: &mut Child, began: Instant) -> Took {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // It has ended then, and is still there to be asked.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(Pid::from_child(child)), options).expect("it is a child").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        peak = peak.max(kib << 10);
        std::thread::sleep(Duration::from_millis(1));
    }
    let wall = began.elapsed();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it was not waited for");
    let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    // Fields 14 and 15, in hundredths of a second (`man 5 proc_pid_stat`).
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    let exit = child.wait().expect("it ended");
    assert!(matches!(exit.code(), Some(0 | 1)), "it failed: {exit}");
    Took { processor: Duration::from_millis(ticks * 10), wall, peak }
}

fn diagnose(input: impl Into<Stdio>, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(["diagnose", "--quiet", "--format", "json"]).args(args).env_remove("TRACELINK_BROKER");
    command.stdin(input).stdout(Stdio::null()).spawn().expect("it starts")
}

/// Writes hand-offs as one kind of file.
type Writer = fn(&mut dyn Write, u64) -> io::Result<()>;

/// The kinds, each with the one that it is compared with.
const KINDS: [(&str, Writer, Option<&str>); 10] = [
    ("lines.jsonl", write_lines, None),
    (
        "lines.jsonl.gz",
        |out, handoffs| {
            let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write_lines(&mut out, handoffs)?;
            out.finish().map(drop)
        },
        None,
    ),
    ("lines.jsonl.zst", |out, handoffs| packed(out, |out| write_lines(out, handoffs)), Some("lines.jsonl")),
    (
        "prefixed-zstd.json",
        |out, handoffs| {
            messages(handoffs, &mut |request| frame(out, &zstd::encode_all(&*json(&request)?, 3)?))
        },
        Some("lines.jsonl"),
    ),
    (
        "list.json",
        |out, handoffs| {
            let mut between = "[";
            messages(handoffs, &mut |request| {
                out.write_all(std::mem::replace(&mut between, ",").as_bytes())?;
                out.write_all(&json(&request)?)
            })?;
            out.write_all(b"]")
        },
        None,
    ),
    ("prefixed.proto", write_prefixed, None),
    (
        "prefixed-zstd.proto",
        |out, handoffs| messages(handoffs, &mut |request| frame(out, &zstd::encode_all(&*request, 3)?)),
        Some("prefixed.proto"),
    ),
    (
        "prefixed.proto.zst",
        |out, handoffs| packed(out, |out| write_prefixed(out, handoffs)),
        Some("prefixed.proto"),
    ),
    (
        "jaeger.json",
        |out, handoffs| {
            write_list(out, br#"{"data":["#, handoffs, |requests| backends::jaeger(requests)["data"].take())?;
            out.write_all(br#"],"total":0,"errors":null}"#)
        },
        None,
    ),
    (
        "zipkin.json",
        |out, handoffs| {
            write_list(out, b"[", handoffs, backends::zipkin)?;
            out.write_all(b"]")
        },
        None,
    ),
];

fn each_kind(spans: u64) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut took: Vec<(&str, Took)> = Vec::new();
    let mut is_fine = true;
    println!("{spans} spans           size   processor        time       peak   spans/s");
    for (name, write, of) in KINDS {
        let path = folder.path().join(name);
        let mut out = BufWriter::new(File::create(&path).expect("the folder is ours"));
        write(&mut out, spans / spans::SPANS).and_then(|()| out.flush()).expect("there is room");
        drop(out);
        let runs = (0..RUNS).map(|_| read_once(&path));
        let best = runs.min_by_key(|took| took.processor).expect("it ran");
        let size = path.metadata().expect("it was written").len();
        std::fs::remove_file(&path).expect("the folder is ours");
        print!(
            "{name:20} {:6.0} MB {:9.2} s {:9.2} s {:6} MiB {:9.0}",
            size as f64 / 1e6,
            best.processor.as_secs_f64(),
            best.wall.as_secs_f64(),
            best.peak >> 20,
            spans as f64 / best.wall.as_secs_f64()
        );
        if let Some((_, plain)) = of.and_then(|of| took.iter().find(|(name, _)| *name == of)) {
            let ratio = best.processor.as_secs_f64() / plain.processor.as_secs_f64();
            let mark = if ratio > ZSTD { "TOO SLOW" } else { "right" };
            is_fine &= ratio <= ZSTD;
            print!("   {ratio:.2} times the same unpacked: {mark}");
        }
        println!();
        took.push((name, best));
    }
    is_fine
}

fn read_once(path: &Path) -> Took {
    let began = Instant::now();
    watch(&mut diagnose(Stdio::null(), &[path.to_str().expect("UTF-8")]), began)
}

/// Calls `each` with requests in protobuf.
fn messages(handoffs: u64, each: &mut dyn FnMut(Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    spans::requests(0..handoffs, BROKEN).try_for_each(each)
}

fn json(request: &[u8]) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&ExportTraceServiceRequest::decode(request).expect("prost wrote it"))?)
}

fn write_lines(mut out: &mut dyn Write, handoffs: u64) -> io::Result<()> {
    messages(handoffs, &mut |request| {
        out.write_all(&json(&request)?)?;
        writeln!(&mut out)
    })
}

fn write_prefixed(out: &mut dyn Write, handoffs: u64) -> io::Result<()> {
    messages(handoffs, &mut |request| frame(out, &request))
}

fn frame(out: &mut dyn Write, message: &[u8]) -> io::Result<()> {
    out.write_all(&u32::try_from(message.len()).expect("short").to_be_bytes())?;
    out.write_all(message)
}

/// Packs natively, as the Collector does with its own default level.
fn packed(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = zstd::stream::write::Encoder::new(out, 3)?;
    write(&mut out)?;
    out.finish().map(drop)
}

/// Writes a list, of which a chunk is held at a time.
fn write_list(
    out: &mut dyn Write,
    before: &[u8],
    handoffs: u64,
    shape: impl Fn(&[Value]) -> Value,
) -> io::Result<()> {
    out.write_all(before)?;
    let mut between = "";
    for from in (0..handoffs).step_by(usize::try_from(CHUNK).expect("small")) {
        let requests = spans::requests(from..handoffs.min(from + CHUNK), BROKEN);
        let requests: io::Result<Vec<Value>> =
            requests.map(|request| Ok(serde_json::from_slice(&json(&request)?)?)).collect();
        for element in shape(&requests?).as_array().expect("a list") {
            out.write_all(std::mem::replace(&mut between, ",").as_bytes())?;
            serde_json::to_writer(&mut *out, element)?;
        }
    }
    Ok(())
}

/// Counts what is written, to know when to end.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// How many bytes an order takes, about.
const ORDER: u64 = 1_090;

fn pipe(bytes: u64, mebibytes: u64, layout: Layout) -> bool {
    let limit = format!("{mebibytes}MiB");
    let run = |orders: u64| {
        let began = Instant::now();
        let mut child = diagnose(Stdio::piped(), &["-", "--max-memory", &limit]);
        let input = child.stdin.take().expect("piped");
        let writer = std::thread::spawn(move || {
            let mut out = Counted { out: BufWriter::with_capacity(1 << 20, input), bytes: 0 };
            orders::write_orders(&mut out, 1..orders + 1, 1_000, layout)
                .and_then(|()| out.flush())
                .expect("it reads");
            out.bytes
        });
        let took = watch(&mut child, began);
        (took, writer.join().expect("no panic"))
    };
    let (idle, _) = run(1);
    let (took, written) = run(bytes / ORDER);
    let most = idle.peak + (mebibytes << 20) * 11 / 10;
    let is_fine = took.peak <= most;
    println!(
        "{:.2} GB as {layout:?}: {:.1} s of the processor, {:.1} s, {:.0} MB/s; peak {} MiB of {} MiB allowed: {}",
        written as f64 / 1e9,
        took.processor.as_secs_f64(),
        took.wall.as_secs_f64(),
        written as f64 / 1e6 / took.wall.as_secs_f64(),
        took.peak >> 20,
        most >> 20,
        if is_fine { "right" } else { "TOO MUCH" }
    );
    is_fine
}
