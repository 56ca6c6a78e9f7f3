//! The command line: only parsing and validation. Doing happens once, later.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextValue, ErrorKind};
use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::report::FormatName;

/// Says why a distributed trace breaks between a web API and its Celery worker,
/// and how to mend it.
#[derive(Parser, Debug)]
#[command(name = "tracelink", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
}

impl Cli {
    /// Reads this process's arguments, and ends it where they are wrong, as
    /// [`Parser::parse`] does; but repeats no password, such as that of a URL
    /// without its option.
    pub fn read() -> Self {
        Self::try_parse().and_then(Self::checked).unwrap_or_else(|mut error| {
            let texts = error.context().filter_map(|(kind, value)| match value {
                ContextValue::String(text) => Some((kind, ContextValue::String(masked(text)))),
                _ => None,
            });
            for (kind, text) in texts.collect::<Vec<_>>() {
                error.insert(kind, text);
            }
            error.exit()
        })
    }

    /// The same, where its parts go together.
    fn checked(mut self) -> Result<Self, clap::Error> {
        self.output.outputs = match &mut self.command {
            Command::InspectQueue(InspectQueue { reports, .. })
            | Command::Demo(Demo { reports, .. })
            | Command::Diagnose(Diagnose { reports, .. }) => std::mem::take(&mut reports.output),
            Command::Listen(listen) => std::mem::take(&mut listen.reports.output),
            Command::Explain(_) | Command::DemoProcess => Vec::new(),
        };
        match self.output.complaint() {
            Some(complaint) => Err(Self::command().error(ErrorKind::ArgumentConflict, complaint)),
            None => Ok(self),
        }
    }
}

/// A text in which the user and the password of a URL are hidden.
fn masked(text: &str) -> String {
    let inside = text.find("://").map(|scheme| scheme + 3).zip(text.rfind('@'));
    match inside.filter(|(start, end)| start <= end) {
        Some((start, end)) => format!("{}***{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}

/// An argument that may hold a password, so that `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const EXAMPLES: &str = "\
Examples:
  tracelink demo                                 a sample order, healthy or broken in every way
  tracelink listen                               receive spans, and say why traces break
  tracelink listen -- pytest -q                  the same for one command, with its exit code
  tracelink inspect-queue                        look into the queues of the local Redis
  tracelink diagnose spans.jsonl redis.jsonl     say why, from saved evidence
  tracelink explain propagator-mismatch          what it means, and how to fix it

Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 no evidence,
4 the environment (broker, files), 130 interrupted.";

#[derive(Subcommand, Debug)]
pub enum Command {
    InspectQueue(InspectQueue),
    Listen(Box<Listen>),
    Demo(Demo),
    Diagnose(Diagnose),
    Explain(Explain),
    /// A process of the demo, which starts it itself
    #[command(name = "demo-process", hide = true)]
    DemoProcess,
}

/// How the report is written, for every command.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// How to write the report to standard output; --format F is --output F=- [default: human]
    #[arg(long, global = true, value_enum)]
    pub format: Option<FormatName>,
    /// What [`Reports`] names, of a command that has them.
    #[arg(skip)]
    pub outputs: Vec<OutputTo>,
    /// The least severity that makes the exit code 1
    #[arg(long, global = true, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Say the verdict and the findings only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show every message, and what was passed over and why
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
}

impl Output {
    /// Where the report goes, and in which formats. Standard output is always
    /// among them, and comes last.
    pub fn destinations(&self) -> Vec<OutputTo> {
        let is_file = |to: &&OutputTo| to.destination != Destination::Stdout;
        let files = self.outputs.iter().filter(is_file).cloned();
        files.chain([OutputTo { format: self.on_stdout(), destination: Destination::Stdout }]).collect()
    }

    fn on_stdout(&self) -> FormatName {
        let given = self.outputs.iter().find(|to| to.destination == Destination::Stdout);
        given.map(|to| to.format).or(self.format).unwrap_or(FormatName::Human)
    }

    /// What is wrong with the outputs together, if anything is.
    fn complaint(&self) -> Option<String> {
        let on_stdout = self.outputs.iter().filter(|to| to.destination == Destination::Stdout).count();
        if on_stdout + usize::from(self.format.is_some()) > 1 {
            return Some("standard output takes one format: give the others a file, FORMAT=PATH".to_owned());
        }
        let mut seen = HashSet::new();
        self.outputs.iter().find_map(|to| match &to.destination {
            Destination::File(path) if !seen.insert(path) => {
                Some(format!("two outputs go to `{}`: give each a file of its own", path.display()))
            }
            _ => None,
        })
    }
}

/// Where reports go besides, for the commands that have one. It is no global
/// option: of one that stands before the command and again after it, clap would
/// pass over the first.
#[derive(Args, Clone, Debug)]
pub struct Reports {
    /// Write the report to a file too, in a format of its own; may be given several times
    ///
    /// PATH may be `-` for standard output, which takes one format: human, where
    /// none is named for it. A file has no colour and fits 80 columns. It is
    /// replaced when the report is whole; human and jsonl are written as events come.
    #[arg(long, value_name = "FORMAT=PATH", value_parser = output())]
    pub output: Vec<OutputTo>,
    /// Show the messages of exceptions, which may be private
    ///
    /// Their types are always shown, and so are the words of libraries by which a
    /// cause is known. With `listen --save` they are shown, and not saved.
    #[arg(long)]
    pub show_messages: bool,
}

/// An output: a format, and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputTo {
    pub format: FormatName,
    pub destination: Destination,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    Stdout,
    File(PathBuf),
}

impl ValueEnum for FormatName {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// `FORMAT=PATH`, or `FORMAT=-`.
fn output() -> impl TypedValueParser<Value = OutputTo> {
    OsStringValueParser::new().try_map(|text| -> Result<OutputTo, String> {
        let mut parts = text.as_bytes().splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let format = FormatName::find(&name).ok_or_else(|| {
            let known: Vec<_> = FormatName::ALL.iter().map(|format| format.name()).collect();
            format!("no format is called `{name}`: there are {}", known.join(", "))
        })?;
        let destination = match parts.next().unwrap_or_default() {
            b"" => return Err(format!("where to? Write {name}=PATH, or {name}=- for standard output")),
            b"-" => Destination::Stdout,
            path => Destination::File(PathBuf::from(OsStr::from_bytes(path))),
        };
        Ok(OutputTo { format, destination })
    })
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOn {
    Error,
    Warning,
    Note,
    Never,
}

/// Peek at queued Celery messages and validate their trace headers; consumes nothing
///
/// Reads only: no message is taken, moved, acknowledged or written.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink inspect-queue                                   all queues of redis://127.0.0.1:6379/0
  tracelink inspect-queue orders --all                      one queue, every message
  tracelink inspect-queue --broker rediss://:pw@host:6380/1
  tracelink inspect-queue --save before.jsonl               keep a snapshot for `tracelink diagnose`")]
pub struct InspectQueue {
    /// Queues to look at; without any, tracelink finds them itself
    pub queues: Vec<String>,
    /// The broker, as Celery writes its URL: redis://, rediss://, redis+socket://, sentinel://
    #[arg(
        long,
        env = "TRACELINK_BROKER",
        default_value = LOCAL_REDIS,
        value_parser = or_local_redis,
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: Secret,
    /// The result backend, where it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL")]
    pub result_backend: Option<Secret>,
    /// Read this broker snapshot instead of a broker
    #[arg(long, value_name = "FILE", conflicts_with_all = ["result_backend", "watch", "save"])]
    pub snapshot: Option<PathBuf>,
    /// How many messages to read of each queue, the next ones to be consumed first
    #[arg(long, default_value_t = 100, value_name = "N", conflicts_with = "all")]
    pub limit: u64,
    /// Read every message
    #[arg(long)]
    pub all: bool,
    /// Look again every two seconds, until interrupted
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub naming: Naming,
    /// The name of Sentinel's master
    #[arg(long, value_name = "NAME")]
    pub sentinel_master: Option<String>,
    /// Show the arguments of tasks, which may be private
    #[arg(long)]
    pub show_args: bool,
    /// Save what was read as a broker snapshot; bodies are left out unless --show-args
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub reports: Reports,
}

/// How the application names its keys, where it is configured so.
#[derive(Args, Clone, Debug)]
pub struct Naming {
    /// `global_keyprefix`; found by itself where a queue is bound
    #[arg(long, value_name = "PREFIX")]
    pub key_prefix: Option<String>,
    /// `sep` of broker_transport_options
    #[arg(long, value_name = "SEP")]
    pub separator: Option<String>,
    /// `priority_steps` of broker_transport_options
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub priority_steps: Option<Vec<u32>>,
}

/// Receive OTLP, rebuild span trees, flag orphaned roots, say why
///
/// Takes what any OpenTelemetry SDK sends, over gRPC and HTTP. A hand-off is
/// judged when it is whole, or when nothing came for it for the time of
/// --settle; the report comes at the end (Ctrl-C, --for, --idle, or the end of
/// the command).
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink listen                                          gRPC on 4317, HTTP on 4318
  tracelink listen --broker redis://127.0.0.1:6379/0        watch the queue too: read-only
  tracelink listen --idle 10s --format json                 for a script: until 10 s of silence
  tracelink listen --save bundle/                           keep the evidence for `tracelink diagnose`
  tracelink listen --forward http://collector:4318          stand in front of a collector
  tracelink listen -- pytest -q                             run a command under a receiver of its own

With a command, tracelink takes a free port and sets OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_INSECURE and OTEL_TRACES_EXPORTER for it. It ends by the verdict;
where that is 0, by the command's own exit code. With a machine format on standard
output the command's own goes to standard error.")]
pub struct Listen {
    /// Where to take OTLP over gRPC: a port, or an address with a port [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub grpc: Option<SocketAddr>,
    /// Where to take OTLP over HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// Watch this broker too, read-only: redis://, rediss://, redis+socket://, sentinel://
    #[arg(long, env = "TRACELINK_BROKER", hide_env_values = true, value_name = "URL")]
    pub broker: Option<Secret>,
    /// See every message through Redis MONITOR; it can halve what the broker carries, so for development only
    #[arg(long, requires = "broker")]
    pub broker_monitor: bool,
    /// The result backend, where it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL", requires = "broker")]
    pub result_backend: Option<Secret>,
    /// `global_keyprefix` of the result backend, which has one of its own
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, requires = "broker")]
    pub result_prefix: String,
    /// The name of Sentinel's master
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub sentinel_master: Option<String>,
    #[command(flatten)]
    pub naming: Naming,
    /// End after this time, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
    /// End when nothing came for so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub idle: Option<Duration>,
    /// How long nothing may come for a hand-off before what it lacks is said to be absent
    ///
    /// Python's batch exporter holds spans for five seconds. A hand-off of which
    /// nothing is missing does not wait. What has not settled at the end is not
    /// judged; at a terminal the first Ctrl-C waits for it.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "6s")]
    pub settle: Duration,
    /// Fail where fewer whole hand-offs than this were seen
    ///
    /// For tests: a run that publishes nothing any more does not pass because
    /// nothing is wrong with nothing.
    #[arg(long, value_name = "N")]
    pub expect_handoffs: Option<u64>,
    /// How much memory evidence and requests may take; what does not fit is let go, oldest first
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "256MiB")]
    pub max_memory: usize,
    /// Send everything on to this OTLP endpoint, unchanged: http://host:4318, or grpc://host:4317
    #[arg(long, value_name = "URL")]
    pub forward: Option<Secret>,
    /// Headers for --forward: name=value,name=value
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true,
        value_name = "HEADERS",
        value_delimiter = ','
    )]
    pub forward_headers: Vec<Secret>,
    /// The certificates to know an https endpoint of --forward by, as PEM
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", hide_env_values = true, value_name = "FILE", value_parser = path())]
    pub forward_certificate: Option<PathBuf>,
    /// Keep the evidence in this folder, for `tracelink diagnose DIR`
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Save all attributes, events and messages of spans too, which may be private
    ///
    /// Without it a span is saved by what diagnoses read, which gives the same report.
    #[arg(long, requires = "save")]
    pub save_attributes: bool,
    /// How much may be saved; what comes then is not, and the bundle says so
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GiB", requires = "save")]
    pub save_limit: u64,
    #[command(flatten)]
    pub reports: Reports,
    /// Run this command under the receiver, and end with it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

const LOCAL_REDIS: &str = "redis://127.0.0.1:6379/0";

/// A variable that is empty is none, by the conventions of XDG and
/// OpenTelemetry; what reads these passes over an empty one.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

#[expect(clippy::unnecessary_wraps, reason = "what clap asks for")]
fn or_local_redis(url: &str) -> Result<Secret, Infallible> {
    Ok(Secret(if url.is_empty() { LOCAL_REDIS } else { url }.to_owned()))
}

/// `4317`, `:4317`, `0.0.0.0:4317`, `[::1]:4317`: loopback unless another is named.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    match port.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => text
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse()
            .map_err(|_| "an address with a port, such as 127.0.0.1:4317, or a port".to_owned()),
    }
}

/// `30s`, `500ms`, `1h 30m`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "a duration such as 30s, 500ms or 5m".to_owned())
}

/// `256MiB`, `1GB`; a bare number is bytes.
fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|size| size.as_u64())
}

/// The same, of memory.
fn memory(text: &str) -> Result<usize, String> {
    /// Below this the receiver's own buffers would not fit.
    const LEAST: u64 = 16 << 20;
    let size: bytesize::ByteSize = text.parse().map_err(|_| "a size such as 256MiB or 1GiB".to_owned())?;
    if size.as_u64() < LEAST {
        return Err(format!("at least {}", bytesize::ByteSize(LEAST)));
    }
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}

/// A sample order through a reference API and worker, end to end
///
/// Shows what a whole trace looks like, how it breaks, and how tracelink finds
/// it. It needs nothing but this program: the API, the broker and the worker are
/// processes of it, which end with it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink demo                              a healthy order: one trace, both services
  tracelink demo --fault propagator-mismatch  break one thing, and see it named
  tracelink demo --fault all                  every fault, right or wrong
  tracelink demo --list-faults
  tracelink demo --orders 100 --rate 20       many orders, and the figures at the end
  tracelink demo --app python                 the same with the real FastAPI, Celery and OpenTelemetry
  tracelink demo --app python --fault propagator-mismatch --mend
                                              break it, paste the fix that is printed, see it whole

With several faults, or all, the exit code is 0 where each was named and 1 where not.
With --mend it is 1 too where a fix was pasted and the trace is not whole.")]
pub struct Demo {
    /// Which application to run
    #[arg(long, value_enum, default_value_t = App::Native, value_name = "APP")]
    pub app: App,
    /// The broker: embedded, or a Redis of yours; what the demo writes there it deletes
    ///
    /// The Python application's own is a real redis-server, and a Redis of yours
    /// must have an empty database for it.
    #[arg(long, default_value = "embedded", value_name = "embedded|URL")]
    pub broker: Secret,
    /// Break this one thing; may be given several times, or `all`
    #[arg(long, value_name = "SLUG")]
    pub fault: Vec<String>,
    /// Say what each fault is, and end
    #[arg(long)]
    pub list_faults: bool,
    /// How many orders to send; a fault that is about their number has its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub orders: Option<u32>,
    /// How many orders a second; the next one follows the answer otherwise
    #[arg(long, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long work takes: 1 is an email of 0.8 s and an inventory of 0.4 s
    #[arg(long, value_name = "FACTOR", value_parser = pace, default_value_t = 1.0)]
    pub pace: f64,
    /// Paste the fix of what was found into the program, and run that: 0 where it is whole then
    ///
    /// Of the Python application, whose programs are copied for it. The report is
    /// that of the second run.
    #[arg(long, conflicts_with_all = ["keep", "list_faults"])]
    pub mend: bool,
    /// Leave it running, for orders of your own, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub reports: Reports,
    /// Where the Python application's environment is made, once
    #[arg(long, env = "XDG_CACHE_HOME", hide = true, value_name = "DIR", value_parser = path())]
    pub cache: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true, value_name = "DIR", value_parser = path())]
    pub home: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// An API and a worker inside this program, on the real wire
    Native,
    /// The real FastAPI, Celery and OpenTelemetry, in an environment that is made once
    Python,
}

/// Work of an hour is watched by nobody.
fn pace(text: &str) -> Result<f64, String> {
    rate(text)
        .ok()
        .filter(|pace| *pace <= 1_000.0)
        .ok_or_else(|| "a number above 0, and at most 1000".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0".to_owned())
}

/// The same diagnosis from saved evidence
///
/// Broker snapshots, OTLP JSON or protobuf, and bundle folders, in any mix and
/// order; they are told apart by their content.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink diagnose spans.jsonl                            OTLP/JSON, a request a line
  tracelink diagnose before.jsonl after.jsonl spans.binpb   two looks at a broker, and spans
  tracelink diagnose bundle/ --format json")]
pub struct Diagnose {
    /// Files and folders
    #[arg(required = true, value_name = "EVIDENCE")]
    pub evidence: Vec<PathBuf>,
    /// Fail where fewer whole hand-offs than this were seen
    #[arg(long, value_name = "N")]
    pub expect_handoffs: Option<u64>,
    #[command(flatten)]
    pub naming: Naming,
    #[command(flatten)]
    pub reports: Reports,
}

/// What a diagnosis means, what shows it, how to fix it
///
/// Without a name, lists them all by station. `--format json` has the fixes as a
/// report has them.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink explain
  tracelink explain TL301
  tracelink explain worker-silent")]
pub struct Explain {
    /// A code or a slug
    #[arg(value_name = "CODE|SLUG")]
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_that_may_hold_a_password_is_in_its_debug() {
        let broker = ["--broker=redis://:secret@a", "--result-backend=redis://:secret@b"];
        let forward = ["--forward=http://u:secret@c", "--forward-headers=key=secret"];
        for args in [
            &["tracelink", "listen", broker[0], broker[1], forward[0], forward[1]][..],
            &["tracelink", "inspect-queue", broker[0], broker[1]],
        ] {
            let shown = format!("{:?}", Cli::try_parse_from(args).expect("valid"));
            assert!(shown.contains("***") && !shown.contains("secret"), "{shown}");
        }
    }
}
