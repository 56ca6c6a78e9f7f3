//! `tracelink listen`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::broker::Naming;
use super::output::Reports;
use super::secret::Secret;
use super::store::WatchedStore;
use super::values::{WEB, path};
use crate::config::values::{address, duration, memory, size};

/// What is of no use without a broker: the ids of options, and how they are written.
pub const OF_A_BROKER: [(&str, &str); 4] = [
    ("broker_monitor", "--broker-monitor"),
    ("result_backend", "--result-backend"),
    ("result_prefix", "--result-prefix"),
    ("sentinel_master", "--sentinel-master"),
];

/// What to tell whoever names a command without the `--` before it.
pub fn tip(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let is_of_listen = usage.to_string().contains("tracelink listen");
    let is_command = !word.starts_with('-') && !word.contains("://");
    (error.kind() == ErrorKind::UnknownArgument && is_of_listen && is_command)
        .then(|| format!("a command is run under the receiver after `--`: tracelink listen -- {word}"))
}

/// Receive OTLP, rebuild span trees, flag orphaned roots, say why
///
/// Takes what any OpenTelemetry SDK sends, over gRPC and HTTP. A hand-off is
/// judged when it is whole, or when nothing came for it for the time of
/// --settle; the report comes at the end (Ctrl-C, --for, --idle, or the end of
/// the command). With --from it opens no port, and asks a ClickHouse that spans
/// are exported to, again and again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink listen                                          gRPC on 4317, HTTP on 4318
  tracelink listen --broker redis://127.0.0.1:6379/0        watch the queue too: read-only
  tracelink listen --tui                                    look at them as they come
  tracelink listen --idle 10s --format json                 for a script: until 10 s of silence
  tracelink listen --save bundle/                           keep the evidence for `tracelink diagnose`
  tracelink listen --forward http://collector:4318          stand in front of a collector
  tracelink listen --ready-file ready.json &                for a script: wait until it is there
  tracelink listen --web                                    watch it in a browser, at 127.0.0.1:4319
  tracelink listen --control 127.0.0.1:4320 &               GET /health, GET /report, POST /stop
  tracelink listen --from clickhouse://u:p@host:8123/otel   watch a store that spans are exported to
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
    #[arg(long)]
    pub broker_monitor: bool,
    /// The result backend, if it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL")]
    pub result_backend: Option<Secret>,
    /// `global_keyprefix` of the result backend, which has one of its own
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub result_prefix: String,
    /// The name of Sentinel's master
    #[arg(long, value_name = "NAME")]
    pub sentinel_master: Option<String>,
    #[command(flatten)]
    pub naming: Naming,
    /// End after this time, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
    /// End when nothing has come for this long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub idle: Option<Duration>,
    /// How long nothing may come for a hand-off before what it lacks counts as missing
    ///
    /// Python's batch exporter holds spans for five seconds. A hand-off that
    /// lacks nothing does not wait. What has not settled at the end is not
    /// judged; at a terminal the first Ctrl-C waits for it.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "6s")]
    pub settle: Duration,
    /// Fail if fewer whole hand-offs than this were seen
    ///
    /// For tests: a run that no longer publishes anything must not pass just because
    /// nothing is wrong.
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
    /// Certificates (PEM) to check an https endpoint of --forward against
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", hide_env_values = true, value_name = "FILE", value_parser = path())]
    pub forward_certificate: Option<PathBuf>,
    /// Keep the evidence in this folder, for `tracelink diagnose DIR`
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Save all attributes, events and messages of spans too, which may be private
    ///
    /// Without it, only what diagnoses read is saved, which gives the same report.
    #[arg(long, requires = "save")]
    pub save_attributes: bool,
    /// How much may be saved; the rest is left out, and the bundle says so
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GiB", requires = "save")]
    pub save_limit: u64,
    /// Write the addresses to this file, as JSON, once the ports are open
    ///
    /// For a script that waits for it. A file of an earlier run is removed before the
    /// ports are opened, and the new one appears complete.
    #[arg(long, value_name = "PATH", value_parser = path())]
    pub ready_file: Option<PathBuf>,
    /// Take requests of a script here: GET /health, GET /report?format=F, POST /stop
    ///
    /// A port, or an address with a port; 127.0.0.1:0 takes a free one, which
    /// --ready-file names. Nobody is asked for a password: whoever reaches the address
    /// reads the report and can end the session, so leave it on the loopback.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub control: Option<SocketAddr>,
    /// Expose figures here for Prometheus, at /metrics: hand-offs by task, verdict and slug, waiting time, losses
    ///
    /// A port, or an address with a port; 127.0.0.1:0 takes a free one, which --ready-file
    /// names. Nobody is asked for a password: whoever reaches the address reads the names
    /// of tasks, so leave it on the loopback.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics: Option<SocketAddr>,
    /// Show what comes in a view of the whole terminal: hand-offs, trees, fixes, queues
    ///
    /// ? shows its keys. The report follows when it ends. It keeps to --max-memory, and
    /// says what it let go.
    #[arg(long)]
    pub tui: bool,
    /// Show what comes in a browser's page, live: a port, or an address with a port [default: 127.0.0.1:4319]
    ///
    /// 127.0.0.1:0 takes a free port, which the first line and --ready-file name. The page
    /// can be read and changes nothing. Nobody is asked for a password: whoever reaches the
    /// address reads it, so leave it on the loopback.
    #[arg(long, value_name = "ADDR", value_parser = address, num_args = 0..=1, default_missing_value = WEB)]
    pub web: Option<SocketAddr>,
    #[command(flatten)]
    pub store: WatchedStore,
    #[command(flatten)]
    pub reports: Reports,
    /// Run this command under the receiver, and end with it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}
