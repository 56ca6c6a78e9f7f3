//! The command line: only parsing and validation. Doing happens once, later.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

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

const EXAMPLES: &str = "\
Examples:
  tracelink inspect-queue                        look into the queues of the local Redis
  tracelink diagnose spans.jsonl redis.jsonl     say why, from saved evidence
  tracelink explain propagator-mismatch          what it means, and how to fix it

Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 no evidence,
4 the environment (broker, files), 130 interrupted.";

#[derive(Subcommand, Debug)]
pub enum Command {
    InspectQueue(InspectQueue),
    Diagnose(Diagnose),
    Explain(Explain),
    /// A process of the demo, which starts it itself
    #[command(name = "demo-process", hide = true)]
    DemoProcess,
}

/// How the report is written, for every command.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// How to write the report
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
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

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For a person at a terminal
    Human,
    /// One document, schema tracelink/1
    Json,
    /// One event a line; the last is the report
    Jsonl,
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
        default_value = "redis://127.0.0.1:6379/0",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: String,
    /// The result backend, where it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL")]
    pub result_backend: Option<String>,
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
    #[command(flatten)]
    pub naming: Naming,
}

/// What a diagnosis means, what shows it, how to fix it
///
/// Without a name, lists them all by station.
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
